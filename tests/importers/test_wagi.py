"""A server with WAGI moves: modules.toml is imported, checked, and served with the answers that WAGI gave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from werkzeug.test import Client

from cli.conftest import Command
from cli.conftest import wsgi_wasm as wsgi_wasm
from guests.build import guest
from servers.client import get, wait_compiled
from servers.fixtures import open_module_tmp as open_module_tmp
from servers.fixtures import serve
from servers.server import Server
from wsgi_wasm import create_app, load_config
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.importers import importer
from wsgi_wasm.importers.imported import Imported

# Three functions that each print their own page, and none that starts.
SEVERAL = r"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "content-type: text/plain\n\nhello\0awelcome\n")
  (data (i32.const 128) "content-type: text/plain\n\ngoodbye\n")
  (data (i32.const 256) "ROUTES")
  (func $print (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "hello") (call $print (i32.const 32) (i32.const 32)))
  (func (export "goodbye") (call $print (i32.const 128) (i32.const 34)))
  (func (export "_start") (call $print (i32.const 32) (i32.const 41)))
  ASKED)"""
ASKED = '(func (export "_routes") (call $print (i32.const 256) (i32.const SIZE)))'

MODULES = """\
default_host = "localhost:3000"   # of an old version

[[module]]
# A module as text.
route = "/"
module = "programs/hello.wat"

[[module]]
route = "/tell/..."
module = 'programs/env.wasm'

[[module]]
route = "/bar"
module = "file:ROOT/programs/files.wasm"
volumes = {"/inside" = "ROOT/outside", "relative/" = "ROOT/other"}

[[module]]
route = "/entrypoint/hello"
module = "programs/several.wat"
entrypoint = "hello"

[[module]]
route = "/entrypoint/goodbye"
module = "programs/several.wat"
entrypoint = "goodbye"

[[module]]
route = "/args/..."
module = "programs/args.wasm"
argv = "tool --run ${SCRIPT_NAME} ${ARGS}"

[[module]]
route = "/plain"
module = "programs/args.wasm"
http_max_concurrency = 2
environment.GREETING = "s3cret ${x}"

[[module]]
route = "/asked/..."
module = "programs/asked.wat"

[[module]]
route = "/registry"
module = "oci:foo/bar:1.2.3"

[[module]]
route = "/bundle"
module = "bindle:example.com/foo/1.0.0"
bindle_server = "http://localhost:8080/v1"
"""


def several(routes: str = "") -> str:
    asked = ASKED.replace("SIZE", str(len(routes.encode()))) if routes else ""
    escaped = "".join(f"\\{byte:02x}" for byte in routes.encode())
    return SEVERAL.replace("ROUTES", escaped).replace("ASKED", asked)


@pytest.fixture(scope="module")
def root(open_module_tmp: Path) -> Path:
    root = open_module_tmp
    (root / "programs").mkdir()
    for name in ("args", "env", "files"):
        shutil.copyfile(guest(name), root / "programs" / f"{name}.wasm")
    shutil.copyfile(guest("hello"), root / "programs" / "hello.wat")
    (root / "programs" / "several.wat").write_text(several())
    (root / "programs" / "asked.wat").write_text(several("/one hello\n\n  /two/... goodbye\n/one goodbye\n"))
    for name in ("outside", "other"):
        (root / name).mkdir()
        (root / name / "file").write_text(name)
    (root / "modules.toml").write_text(MODULES.replace("ROOT", str(root)))
    return root


@pytest.fixture(scope="module")
def made(root: Path) -> Imported:
    made = importer("wagi").convert(root / "modules.toml", root)
    (root / "site.yaml").write_text(made.text)
    return made


@pytest.fixture(scope="module")
def server(made: Imported, root: Path) -> Iterator[Server]:
    with serve("gunicorn-gthread", root / "site.yaml", root, ready="/", workers=1) as server:
        wait_compiled(server.address, *(target for target, _, _ in ANSWERS))
        yield server


def test_check_accepts_it(wsgi_wasm: Command, made: Imported, root: Path) -> None:
    done = wsgi_wasm("check", root / "site.yaml")
    assert done.status == 0, done.text + done.err


ANSWERS = [
    ("/", 200, "hello"),
    ("/no", 404, ""),
    ("/tell", 200, "PATH_INFO="),
    ("/tell/a/b", 200, "PATH_INFO=/a/b\n"),
    ("/tellmore", 404, ""),
    ("/bar?op=read&path=/inside/file", 200, "<outside>"),
    ("/bar?op=create&path=/relative/new", 200, "create OK"),
    ("/bar/below", 404, ""),
    ("/entrypoint/hello", 200, "hello"),
    ("/entrypoint/goodbye", 200, "goodbye"),
    ("/args/a%20b?x=1&y", 200, "5\n[tool]\n[--run]\n[/args/a%20b]\n[x=1]\n[y]\n"),
    ("/args", 200, "3\n[tool]\n[--run]\n[/args]\n"),
    ("/plain?x=1", 200, "1\n[args.wasm]\n"),
    ("/plain?x+y", 200, "3\n[args.wasm]\n[x]\n[y]\n"),
    ("/asked", 200, "welcome"),
    ("/asked/other", 200, "welcome"),
    ("/asked/one", 200, "goodbye"),
    ("/asked/one/more", 200, "welcome"),
    ("/asked/two/more", 200, "goodbye"),
    ("/registry", 404, ""),
    ("/bundle", 404, ""),
]


@pytest.mark.parametrize(("target", "status", "text"), ANSWERS)
def test_it_answers_as_before(server: Server, target: str, status: int, text: str) -> None:
    answer = get(server.address, target)
    assert (answer.status, text in answer.text) == (status, True), answer.text


def test_the_report(made: Imported) -> None:
    """Every line, and no value that could be a secret."""
    found = {fate.text: (fate.verdict, "; ".join(fate.notes)) for _, fate in made.report}
    assert all(verdict for verdict, _ in found.values())
    assert found['default_host = "localhost:3000"'] == ("dropped", "WAGI does not know it")
    assert found["argv = ..."] == ("kept", "routes./args.argv")
    assert found['entrypoint = "goodbye"'] == ("kept", "routes./entrypoint/goodbye.entry_point")
    assert found["environment.GREETING = ..."] == ("kept", "routes./plain.env.GREETING")
    assert found['module = "oci:foo/bar:1.2.3"'][0] == "needs your decision"
    assert found['module = "bindle:example.com/foo/1.0.0"'][0] == "needs your decision"
    assert found["http_max_concurrency = 2"][0] == "dropped"
    assert "s3cret" not in made.report.text() + made.report.json()
    assert len(found) <= len(list(made.report))


def imported(tmp_path: Path, text: str, **modules: str) -> Imported:
    for name, source in {"a": several(), **modules}.items():
        (tmp_path / f"{name}.wat").write_text(source)
    (tmp_path / "modules.toml").write_text(text)
    made = importer("wagi").convert(tmp_path / "modules.toml", tmp_path)
    (tmp_path / "site.yaml").write_text(made.text)
    load_config(tmp_path / "site.yaml")
    return made


def entry(route: str, more: str = "", module: str = "a.wat") -> str:
    return f"[[module]]\nroute = '{route}'\nmodule = '{module}'\n{more}\n"


# modules.toml, routes, a line of the report that needs a decision or is dropped, words
CASES: dict[str, tuple[str, list[str], str]] = {
    "the first one that fits answers": (entry("/...") + entry("/a"), ["/"], "line 2 answers it first"),
    "the same one twice": (entry("/a") + entry("/a"), ["/a"], "answers it first"),
    "an exact one before all below it": (entry("/a") + entry("/a/..."), ["/a"], "has one route here"),
    "the health check": (entry("/healthz"), [], "answered /healthz itself"),
    "a slash at the end": (entry("/a/"), [], "ends with one"),
    "no slash": (entry("a"), [], "cannot be a path"),
    "dots that mean nothing": (entry("/a/...b/c"), ["/a/...b/c"], ""),
    "encoded": (entry("/a%20b"), ["/a b"], ""),
    "a path that cannot be one": (entry("/a?b"), [], "the gateway refuses it"),
    "hosts": (entry("/a", 'allowed_hosts = ["https://x"]'), ["/a"], "wasi-experimental-http"),
    "a directory that goes up": (entry("/a", 'volumes = {"/../x" = "/"}'), ["/a"], "is not a directory"),
    "no table": (entry("/a", 'volumes = "x"'), ["/a"], "not of the kind"),
    "a variable of the request": (entry("/a", 'environment = {HTTP_X = "1"}'), ["/a"], "by the request"),
    "a missing module": (entry("/a", module="none.wasm"), ["/a"], "not on this machine"),
    "NUL in a name": (entry("/a", module="file:/a%00b.wasm"), [], "no file has"),
    "a very long name": (entry("/a", module="x" * 1000), ["/a"], "not on this machine"),
    "line ends": (entry("/a").replace("'/a'", '"/a\\nroutes:"'), [], "control character"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "routes", "words"), CASES.values(), ids=CASES)
def test_the_site(tmp_path: Path, text: str, routes: list[str], words: str) -> None:
    made = imported(tmp_path, text)
    assert list(yaml.safe_load(made.text)["routes"]) == routes
    notes = "; ".join(note for _, fate in made.report for note in fate.notes if fate.verdict != "kept")
    assert words in notes
    assert all(fate.verdict for _, fate in made.report)


# what _routes prints, or is
ROUTES: dict[str, tuple[str, list[str], str]] = {
    "three words": (several("/a b c\n"), ["/a"], "a line that is no route"),
    "nothing": (several("\n"), ["/a"], "printed 0 routes"),
    "very many": (several("/x hello\n" * 600), ["/a"], "printed 600 routes"),
    "a trap": (several().replace("ASKED", "")[:-1] + '(func (export "_routes") unreachable))', ["/a"], "ended early"),
    "a loop": (several()[:-1] + '(func (export "_routes") (loop $l (br $l))))', ["/a"], "ended early"),
    "parameters": (several()[:-1] + '(func (export "_routes") (param i32)))', ["/a"], ""),
    "broken": ("(module (nonsense))", ["/a"], "cannot be asked"),
    "a slash more": (several("//x/... hello\n"), ["/a/x", "/a"], ""),
}


@pytest.mark.parametrize(("module", "routes", "words"), ROUTES.values(), ids=ROUTES)
def test_a_module_that_says_its_routes(tmp_path: Path, module: str, routes: list[str], words: str) -> None:
    made = imported(tmp_path, entry("/a/..."), a=module)
    assert list(yaml.safe_load(made.text)["routes"]) == routes
    assert words in "; ".join(note for _, fate in made.report for note in fate.notes)


MISTAKES = {
    "no TOML": ("[[module]\n", "modules.toml:1:"),
    "no module": ("a = 1", "has no [[module]]"),
    "one table": ("[module]\nroute = '/'", "has no [[module]]"),
    "no route": ("\n[[module]]\nmodule = 'x'", "modules.toml:2:1: module: needs a text 'route'"),
    "a number": ("[[module]]\nroute = 1\nmodule = 'x'", "needs a text 'route'"),
    "nested": ("a = " + "[" * 5000, "modules.toml"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(tmp_path, text)
    assert message in str(caught.value)


def test_lines_of_every_form(tmp_path: Path) -> None:
    """Each key is at its line, whatever the values before it look like."""
    text = (
        "# [[module]]\n[[module]]\nroute = '/a' # 'b'\n\"module\" = 'a.wat'\n"
        'argv = """\na # [[x]]\n= ""\n"""\nvolumes = {"/x = #" = "/y"}\n'
        "allowed_hosts = [ # ]\n  'http://a', # [\n  'b',\n]\nmodule_x = '''\n\\'''\n"
        "[module.environment]\nA = 's3cret'\n'B'='x'\r\n[[ module ]]\nroute='/b'\nmodule='a.wat'\n"
    )
    made = imported(tmp_path, text)
    lines = {place.line: fate.text.split(" ")[0].split("=")[0] for place, fate in made.report}
    assert lines == {
        2: "[[module]]", 3: "route", 4: '"module"', 5: "argv", 9: "volumes", 10: "allowed_hosts", 14: "module_x",
        16: "[module.environment]", 17: "A", 18: "'B'", 19: "[[", 20: "route", 21: "module",
    }  # fmt: skip
    assert [fate.verdict for place, fate in made.report if place.line in (17, 18, 20)] == ["kept"] * 3


def test_a_guest_that_says_its_routes_is_served(tmp_path: Path) -> None:
    made = imported(tmp_path, entry("/a/..."), a=several("/x hello\n"))
    client = Client(create_app(tmp_path / "site.yaml"))
    assert client.get("/a/x").text == "hello\n"
    assert "entry_point: hello" in made.text
