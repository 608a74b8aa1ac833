"""The gateway behind every server, through the very files that administrators enable."""

from __future__ import annotations

from pathlib import Path

import pytest
from wasmtime import wat2wasm

from .apache import Apache, Site, check_reachable, include, runs_as_other_user
from .client import Connection, chunked, get, get_compiled, request
from .fixtures import DEFAULT_CONFIG, FRAGMENTS, fragment_defines, serve, serve_docroot, server_environ
from .fixtures import open_tmp as open_tmp
from .fixtures import server_name as server_name
from .process import ServerError, wait_for

HELLO = r"""
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\2d\00\00\00")
  (data (i32.const 16) "Content-Type: text/plain\nX-From: guest\n\nhello")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))
"""


def put(path: Path, text: str = HELLO) -> Path:
    """A module, as text where the name ends in .wat."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if path.suffix == ".wat" else bytes(wat2wasm(text)))
    return path


def site(tmp: Path, text: str = "") -> Path:
    """A configuration with one route, and the module that it names."""
    put(tmp / "hello.wat")
    path = tmp / "site.yaml"
    path.write_text(f"routes:\n  /hello: {{module: hello.wat}}\n{text}", encoding="utf-8")
    return path


def test_a_site_is_served_reloaded_and_stopped(server_name: str, open_tmp: Path) -> None:
    config = site(open_tmp)
    with serve(server_name, config, open_tmp, ready="/hello") as server:
        answer = get_compiled(server.address, "/hello/more?q")
        assert (answer.status, answer.text, answer.field("X-From")) == (200, "hello", "guest")
        assert request(server.address, "HEAD", "/hello").body == b""
        other = get_compiled(server.address, "/other")
        expected = (200, "werkzeug GET") if server_name == "werkzeug" else (404, "404 Not Found")
        assert (other.status, other.text[: len(expected[1])]) == expected

        config.write_text("routes:\n  /renamed: {module: hello.wat}\n", encoding="utf-8")
        server.reload()
        # gunicorn keeps a preloaded application
        assert (
            get_compiled(server.address, "/hello" if server_name == "gunicorn-preload" else "/renamed").text == "hello"
        )
        _, killed = server.stop()
        assert killed == ()


@pytest.mark.parametrize("name", ["mod_wsgi-embedded", "mod_wsgi-daemon"])
def test_a_mounted_site(name: str, open_tmp: Path) -> None:
    with serve(name, site(open_tmp), open_tmp, mount="/app", ready="/app/hello") as server:
        assert get_compiled(server.address, "/app/hello").text == "hello"
        assert get_compiled(server.address, "/hello").status == 404
        assert get_compiled(server.address, "/").status == 404


def test_programs_dropped_into_a_docroot(open_tmp: Path) -> None:
    docroot = open_tmp / "www"
    for name in ("a.wasm", "index.wasm", "below/index.wasm", ".hidden.wasm", "picture.wasm.jpg"):
        put(docroot / name)
    (docroot / "index.html.txt").write_text("plain", encoding="utf-8")
    with serve_docroot(docroot, open_tmp) as server:
        for path in ("/a.wasm", "/a.wasm/path/info?q=1", "/", "/below/", "/below/index.wasm/x", "//a.wasm"):
            answer = get_compiled(server.address, path)
            assert (path, answer.status, answer.text) == (path, 200, "hello")
        assert request(server.address, "POST", "/a.wasm", body=b"x").text == "hello"
        with Connection(server.address) as connection:
            fields = {"Transfer-Encoding": "chunked"}
            connection.send_request("POST", "/a.wasm", fields=fields, body=chunked([b"ab", b"c"]))
            assert connection.read_answer().body == b"hello"
        for path in ("/.hidden.wasm", "/missing.wasm", "/missing.wasm/x", "/A.WASM"):
            assert (path, get_compiled(server.address, path).status) == (path, 404)
        assert get_compiled(server.address, "/picture.wasm.jpg").body.startswith(b"\0asm")  # a file like any other
        assert get_compiled(server.address, "/index.html.txt").text == "plain"
        put(docroot / "new.wasm")
        assert get_compiled(server.address, "/new.wasm").text == "hello"
        server.reload()
        assert get_compiled(server.address, "/a.wasm").text == "hello"


def test_a_docroots_limits_and_routes(open_tmp: Path) -> None:
    docroot = open_tmp / "www"
    for directory in ("plain", "chosen", "refused"):
        put(docroot / directory / "a.wasm")
    config = site(
        open_tmp,
        "  /only-get: {methods: [GET], selectable: true}\nhandler: {methods: [POST]}\n",
    )
    text = "".join(
        f'<Directory "{docroot}/{directory}">\n    SetEnv wsgi_wasm.route {route}\n</Directory>\n'
        for directory, route in (("chosen", "/only-get"), ("refused", "/hello"))
    )
    with serve_docroot(docroot, open_tmp, site=config, text=text) as server:
        get_compiled(server.address, "/chosen/a.wasm")
        wait_for("/plain/a.wasm", lambda: request(server.address, "POST", "/plain/a.wasm").status != 503)
        statuses = {
            (method, directory): request(server.address, method, f"/{directory}/a.wasm").status
            for directory in ("plain", "chosen", "refused")
            for method in ("GET", "POST")
        }
    assert statuses == {
        ("GET", "plain"): 405,
        ("POST", "plain"): 200,
        ("GET", "chosen"): 200,
        ("POST", "chosen"): 405,
        ("GET", "refused"): 500,
        ("POST", "refused"): 500,
    }


def test_both_fragments_share_their_processes(open_tmp: Path) -> None:
    docroot = open_tmp / "www"
    put(docroot / "a.wasm")
    environ = {"WSGI_WASM_CONFIG": str(site(open_tmp)), **server_environ("mod_wsgi-daemon", open_tmp, None, None)}
    both = Site(
        text=include(FRAGMENTS / "wsgi-wasm.conf", FRAGMENTS / "wsgi-wasm-handler.conf"),
        scripts=FRAGMENTS,
        docroot=docroot,
        daemons=2,
        defines={**fragment_defines(), "WSGI_WASM_DOCROOT": str(docroot)},
    )
    with Apache.start(both, open_tmp, env=environ) as server:
        assert get_compiled(server.address, "/app/hello").text == "hello"
        assert get_compiled(server.address, "/a.wasm").text == "hello"
        assert len(server.pids()) == 2


def test_a_sub_interpreter_is_named_in_the_log(open_tmp: Path) -> None:
    text = (
        'WSGIScriptAlias / "${SERVER_SCRIPTS}/wsgi_wasm.wsgi"\n'
        '<Directory "${SERVER_SCRIPTS}">\n    Require all granted\n</Directory>'
    )
    environ = {"WSGI_WASM_CONFIG": str(site(open_tmp))}
    with Apache.start(Site(text=text, scripts=FRAGMENTS), open_tmp, env=environ) as server:
        answer = get(server.address, "/hello")
        assert (answer.status, answer.field("Retry-After")) == (503, "5")
        server.wait_for_log("application-group=%{GLOBAL}")


def test_without_a_configuration_file_a_site_answers_503_and_says_why(open_tmp: Path) -> None:
    with serve("mod_wsgi-daemon", open_tmp, open_tmp, env={"WSGI_WASM_CONFIG": ""}) as server:
        assert get(server.address, "/").status == 503
        server.wait_for_log(f"{open_tmp / DEFAULT_CONFIG}: no such file, and WSGI_WASM_CONFIG is not set")


def test_a_mistake_in_the_first_configuration_ends_gunicorn(open_tmp: Path) -> None:
    config = site(open_tmp, "  /broken: {modul: hello.wat}\n")
    with (
        pytest.raises(ServerError, match="unknown key 'modul'"),
        serve("gunicorn-sync", config, open_tmp, ready="/hello"),
    ):
        pass


def test_what_apache_could_not_read_is_said_before_it_starts(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    if runs_as_other_user():
        with pytest.raises(ServerError, match="open_tmp"):
            check_reachable(closed)
    else:
        check_reachable(closed)
