"""`wsgi-wasm run`: a request through the real gateway."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from guests.build import guest

from .conftest import Command
from .programs import PLAIN, breaking_off, printing

SiteWriter = Callable[[str], Path]


def test_head_and_body_on_standard_output(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"Status: 418 Teapot\\nX-A: b\\n{PLAIN}short", errors="a line\\n"))
    done = wsgi_wasm("run", "x.wat")
    assert done.status == 0
    head, _, body = done.text.partition("\n\n")
    assert head.splitlines()[0] == "HTTP/1.1 418 Teapot"
    assert "X-A: b" in head.splitlines()
    assert body == "short"
    assert "stderr: a line" in done.err.splitlines()
    assert "route /, outcome returned, wall " in done.err
    assert "guest cpu " in done.err


def test_the_body_alone_with_every_byte(wsgi_wasm: Command, site: SiteWriter) -> None:
    body = bytes(range(256)) * 500
    site(f"routes: {{/e: {{module: {guest('echo')}}}}}")
    done = wsgi_wasm("run", "site.yaml", "/e", "--body", "--data", "@-", stdin=body)
    assert done.out == b"POST %d\n" % len(body) + body


def test_data_from_a_file_and_a_missing_one(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    site(f"routes: {{/e: {{module: {guest('echo')}}}}}")
    (tmp_path / "data").write_bytes(b"a=1")
    assert wsgi_wasm("run", "site.yaml", "/e", "--body", "-d", "@data", "-X", "put").out == b"PUT 3\na=1"
    done = wsgi_wasm("run", "site.yaml", "/e", "-d", "@nothing")
    assert (done.status, done.err) == (1, "wsgi-wasm: nothing: No such file or directory\n")


def test_what_the_guest_is_told(wsgi_wasm: Command, site: SiteWriter) -> None:
    site(f"hosts: {{shop.example: {{routes: {{/env: {{module: {guest('env')}}}}}}}}}")
    path = "/env/a%20b//c%2Fd?x=1&y=%20"
    done = wsgi_wasm(
        "run", "site.yaml", path, "--host", "shop.example:81", "-H", "X-One: 1", "-H", "Cookie: a=b", "-d", "k=v"
    )
    told = set(done.text.partition("\n\n")[2].splitlines())
    assert {
        "REQUEST_METHOD=POST",
        "SCRIPT_NAME=/env",
        "PATH_INFO=/a b//c/d",
        "QUERY_STRING=x=1&y=%20",
        "HTTP_HOST=shop.example:81",
        "SERVER_NAME=shop.example",
        "SERVER_PORT=81",
        "HTTP_X_ONE=1",
        "HTTP_COOKIE=a=b",
        "CONTENT_LENGTH=3",
        "CONTENT_TYPE=application/x-www-form-urlencoded",
    } <= told
    assert wsgi_wasm("run", "site.yaml", path).text.startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=["", "C"])
def test_bytes_arrive_as_they_were_typed(locale: dict[str, str], wsgi_wasm: Command, site: SiteWriter) -> None:
    site(f"routes: {{/env: {{module: {guest('env')}}}}}")
    typed = b"\xff\xfe \xc3\xa9\xa0"
    fields = [b"X-A:\t" + typed + b" ", b"X-B: a:b", b"X-Empty:"]
    arguments = [argument for field in fields for argument in ("-H", os.fsdecode(field))]
    path = os.fsdecode(b"/env/" + typed[:2] + b"?q=" + typed[:2])
    done = wsgi_wasm("run", "site.yaml", path, "--body", *arguments, "-d", os.fsdecode(typed), env=locale)
    told = set(done.out.splitlines())
    assert {b"HTTP_X_A=" + typed, b"HTTP_X_B=a:b", b"HTTP_X_EMPTY="} <= told
    assert {b"PATH_INFO=/\xff\xfe", b"QUERY_STRING=q=\xff\xfe", b"CONTENT_LENGTH=%d" % len(typed)} <= told


@pytest.mark.parametrize("field", ["no colon", ": value", "two words: x", "ü: x", "X: a\nY: b", "X: a\r"])
def test_what_is_no_header(field: str, wsgi_wasm: Command) -> None:
    done = wsgi_wasm("run", "site.yaml", "/", "-H", field)
    assert (done.status, done.err.rpartition("error: ")[2].endswith("is not 'Name: value'\n")) == (2, True)


def test_head_request(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    assert wsgi_wasm("run", "x.wat", "-I").out.endswith(b"\nContent-Length: 5\n\n")


@pytest.mark.parametrize(("text", "status"), [("Status: 404 No\\n", 1), ("Status: 399 So\\n", 0), ("", 0)])
def test_fail_from_400_on(text: str, status: int, wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{text}{PLAIN}short"))
    assert wsgi_wasm("run", "x.wat", "--fail").status == status
    assert wsgi_wasm("run", "x.wat").status == 0


def test_an_answer_that_breaks_off(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(breaking_off())
    done = wsgi_wasm("run", "x.wat", "--body")
    assert done.status == 1
    assert len(done.out) == len("begun") + 0x20000
    assert "the answer is cut off here: trapped: unreachable instruction" in done.err


def test_a_broken_module_is_an_answer(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text("(module (func (export")
    done = wsgi_wasm("run", "x.wat")
    assert done.status == 0
    assert done.text.startswith("HTTP/1.1 503 ")
    assert "outcome ModuleError" in done.err
    assert wsgi_wasm("run", "x.wat", "--fail").status == 1


def test_a_module_in_text_form_with_a_byte_order_mark(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"), encoding="utf-8-sig")
    assert wsgi_wasm("run", "x.wat", "--body").text == "short"


def test_a_directory(wsgi_wasm: Command, tmp_path: Path) -> None:
    folder = tmp_path / "programs with ünïcode"
    folder.mkdir()
    (folder / "a.wat").write_text(printing(f"{PLAIN}short"))
    assert wsgi_wasm("run", folder.name, "/a.wat/more", "--body").text == "short"
    assert wsgi_wasm("run", folder.name, "/b.wat", "--fail").status == 1


def test_without_a_usable_cache(wsgi_wasm: Command, tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    done = wsgi_wasm("run", "x.wat", "--body", cache=loose)
    assert (done.status, done.text) == (0, "short")
    assert "chmod go-w" in done.err
    assert not list(loose.iterdir())


ROUTES = """
routes: {/hello: {module: x.wat}, /cart/x: {module: x.wat, exact: true}, /p: {directory: .}}
hosts: {shop.example: {routes: {/only: {module: x.wat}}}, empty.example: {routes: {}}}
"""
OF_THE_FILE = ["  /hello and below  x.wat", "  /cart/x  x.wat", "  /p and below  ."]


@pytest.mark.parametrize(
    ("host", "path", "said"),
    [
        ("other", "/helo?q", ["no route matches /helo; did you mean '/hello'?", *OF_THE_FILE]),
        ("other", "/cart/x/y", ["no route matches /cart/x/y; did you mean '/cart/x'?", *OF_THE_FILE]),
        ("other", "/%1b[2J", ["no route matches /\\x1b[2J:", *OF_THE_FILE]),
        ("shop.example:80", "/hello", ["no route of host shop.example matches /hello:", "  /only and below  x.wat"]),
        ("empty.example", "/", ["no route matches /: the file has no routes of host empty.example"]),
    ],
)
def test_the_routes_where_none_matches(
    host: str, path: str, said: list[str], wsgi_wasm: Command, site: SiteWriter
) -> None:
    site(ROUTES)
    done = wsgi_wasm("run", "site.yaml", path, "--host", host)
    assert (done.status, done.text.partition("\n")[0]) == (0, "HTTP/1.1 404 Not Found")
    *lines, others, cost = done.err.splitlines()
    assert lines == said
    assert others.startswith("other hosts have their own routes (--host): ")
    assert cost.startswith("route -, ")


def test_a_long_list_of_routes_is_cut(wsgi_wasm: Command, site: SiteWriter) -> None:
    site("routes: {" + ", ".join(f"/{n}: {{module: x.wat}}" for n in range(30)) + "}")
    lines = wsgi_wasm("run", "site.yaml", "/").err.splitlines()
    assert (len(lines), lines[21]) == (23, "  and 10 more")


def test_profile_measures_every_step(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    done = wsgi_wasm("run", "--profile", "20", "x.wat")
    assert done.status == 0
    values = dict(re.findall(r"^(\S.*?) {2,}[0-9.]+ +([0-9.]+)$", done.text, re.MULTILINE))
    steps = ("routing", "body", "meta-variables", "instantiate", "teardown", "answer", "the rest", "request")
    assert all(float(values[step]) >= 0 for step in steps)
    assert "20 requests for each measurement" in done.text


def test_profile_of_what_no_guest_answers(wsgi_wasm: Command, site: SiteWriter) -> None:
    site("routes: {/x: {module: x.wasm}}")
    done = wsgi_wasm("run", "--profile", "5", "site.yaml", "/y")
    assert (done.status, done.out) == (1, b"")
    assert "no guest answers this request" in done.err
