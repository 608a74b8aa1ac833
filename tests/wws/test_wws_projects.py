"""Project folders of Wasm Workers Server: which worker a path names, and what its sidecar gives it."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from guests.build import guest
from hostapi.backends import Server
from python.cases import interpreter
from servers.packages import package_parent
from wsgi_wasm import create_app
from wsgi_wasm.config.granted import KeyValueStore
from wsgi_wasm.hostapi.keyvalue_store import connect
from wsgi_wasm.wws.layout import Layout
from wsgi_wasm.wws.sidecar import Sidecar, SidecarError, read_sidecar

FILES = [
    "index.wasm",
    "about.wasm",
    "api/index.wasm",
    "api/v2/ping.wasm",
    "api/[id].wasm",
    "api/[id]/fixed.wasm",
    "api/[id]/[other].wasm",
    "[lang]/about.wasm",
    "docs/[...page].wasm",
    "docs/[...page]/index.py",
    "docs/deep/[...rest].wasm",
    "docs/intro.wasm",
    "_libs/helper.wasm",
    "api/_private.wasm",
    "public/app.wasm",
    "deep/public/app.wasm",
    ".wws/runtimes/a.wasm",
    "caf\xe9.wasm",
    "with.dots.wasm",
    "[not a name].wasm",
]
PATHS: dict[str, tuple[str, dict[str, str]] | None] = {
    "/": ("index.wasm", {}),
    "": ("index.wasm", {}),
    "/index": None,
    "/about": ("about.wasm", {}),
    "/about/": ("about.wasm", {}),
    "/about.wasm": None,
    "/en/about": ("[lang]/about.wasm", {"lang": "en"}),
    "/api": ("api/index.wasm", {}),
    "/api/v2/ping": ("api/v2/ping.wasm", {}),
    "/api/7": ("api/[id].wasm", {"id": "7"}),
    "/api/a b\xe9": ("api/[id].wasm", {"id": "a b\xe9"}),
    "/api/7/fixed": ("api/[id]/fixed.wasm", {"id": "7"}),
    "/api/7/8": ("api/[id]/[other].wasm", {"id": "7", "other": "8"}),
    "/api/7/8/9": None,
    "/api//fixed": None,
    "/api//": ("api/index.wasm", {}),
    "/docs//": None,
    "/docs//a": None,
    "/docs": None,
    "/docs/intro": ("docs/intro.wasm", {}),
    "/docs/a": ("docs/[...page].wasm", {"page": "a"}),
    "/docs/a/b/c": ("docs/[...page].wasm", {"page": "a/b/c"}),
    "/docs/deep": ("docs/[...page].wasm", {"page": "deep"}),
    "/docs/deep/x/y": ("docs/deep/[...rest].wasm", {"rest": "x/y"}),
    "/_libs/helper": None,
    "/api/_private": ("api/[id].wasm", {"id": "_private"}),
    "/public/app": None,
    "/deep/public/app": None,
    "/caf\xe9": ("caf\xe9.wasm", {}),
    "/with.dots": ("with.dots.wasm", {}),
    "/[not a name]": ("[not a name].wasm", {}),
    "/[lang]/about": ("[lang]/about.wasm", {"lang": "[lang]"}),
}


@pytest.mark.parametrize("path", PATHS)
def test_paths(path: str) -> None:
    for files in (FILES, FILES[::-1]):
        assert Layout(files).find(path) == PATHS[path]


SIDECARS: dict[str, tuple[str, Sidecar | str]] = {
    "all": (
        'name = "x"\nversion = "1"\n[vars]\nA = "b"\nTOKEN = "$SECRET"\nPRICE = "$5 off"\n'
        '[[folders]]\nfrom = "./_assets"\nto = "/mnt"\n[[folders]]\nfrom = "../x"\nto = "y"\n'
        '[data.kv]\nnamespace = "shop"\n[features.http_requests]\nallowed_hosts = ["a"]\n',
        Sidecar(
            {"A": "b", "TOKEN": "s3", "PRICE": "$5 off"},
            (("./_assets", "/mnt"), ("../x", "/y")),
            "shop",
            ("features.http_requests",),
        ),
    ),
    "least": ('version = "1"', Sidecar()),
    "number": ("version = 1", Sidecar()),
    "byte-order-mark": ('\ufeffversion = "1"', Sidecar()),
    "no-version": ('name = "x"', "no version"),
    "empty": ("", "no version"),
    "no-toml": ("version =", "Invalid value"),
    "not-utf-8": ("version = '\udcff'", "not UTF-8 at byte 11"),
    "unset": ('version = "1"\nvars.A = "$NOT_SET"', "NOT_SET is not set"),
    "vars-a-list": ('version = "1"\nvars = []', "vars is not a table"),
    "a-number": ('version = "1"\nvars.A = 1', "vars.A is not a text"),
    "a-nul": ('version = "1"\nvars.A = "\\u0000"', "vars.A is not a text"),
    "folders-a-table": ('version = "1"\n[folders]\nfrom = "a"', "folders is not a list"),
    "folders-of-texts": ('version = "1"\nfolders = ["a"]', "folders is not a list"),
    "a-folder-without-to": ('version = "1"\n[[folders]]\nfrom = "a"', "folders[0].to is not a text"),
    "kv-a-text": ('version = "1"\ndata.kv = "a"', "kv is not a table"),
    "namespace-a-number": ('version = "1"\ndata.kv.namespace = 1', "data.kv.namespace is not a text"),
}


@pytest.mark.parametrize("name", SIDECARS)
def test_sidecars(name: str) -> None:
    text, expected = SIDECARS[name]
    data = text.encode("utf-8", "surrogateescape")
    if isinstance(expected, Sidecar):
        assert read_sidecar(data, {"SECRET": "s3"}) == expected
        return
    with pytest.raises(SidecarError) as caught:
        read_sidecar(data, {})
    assert expected in str(caught.value)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("index.wasm", "user/[id].wasm", "files/[...path].wasm", "_hidden.wasm", "public/x.wasm"):
        put(folder / name)
    return folder


def put(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(guest("worker"), file)


def asked(client: Client, path: str, **options: Any) -> dict[str, Any]:
    """What the worker was given."""
    answer = client.open(path, **options)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = json.loads(answer.data)
    return told


def test_a_project(project: Path, make_client: Callable[..., Client]) -> None:
    client = make_client({"/app": {"directory": str(project), "interface": "wws"}})
    told = asked(
        client, "/app/user/J%C3%BCrgen?a=1", method="POST", data="body", headers={"X-Thing": "a", "Accept": "b"}
    )
    assert told["url"] == "http://localhost/app/user/J%C3%BCrgen?a=1"
    assert (told["method"], told["body"], told["kv"]) == ("POST", "body", {})
    assert told["params"] == {"id": "J\xfcrgen"}
    assert told["headers"].items() >= {"x-thing": "a", "accept": "b", "content-length": "4"}.items()
    assert told["headers"]["host"] == "localhost"
    assert "base64" not in told
    assert asked(client, "/app/files/a/b/c")["params"] == {"path": "a/b/c"}
    for path in ("/app", "/app/", "/app/user/1/"):
        assert client.get(path).status_code == 200
    for path in ("/app/_hidden", "/app/public/x", "/app/nothing", "/app/user", "/app/index.wasm", "/app/%ff/x"):
        assert client.get(path).status_code == 404


def test_what_a_worker_is_not_told(project: Path, make_client: Callable[..., Client]) -> None:
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    told = asked(client, "/", headers={"Authorization": "Bearer x", "Proxy": "http://evil", "Connection": "close"})
    assert told["headers"].keys().isdisjoint({"authorization", "proxy", "connection"})


def test_bodies_and_fields_that_are_not_text(project: Path, make_client: Callable[..., Client]) -> None:
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    told = asked(client, "/", method="POST", data=b"\xff\x00", headers={"X-Name": "caf\xe9"})
    assert (told["body"], told["base64"]) == ("/wA=", True)
    assert told["headers"]["x-name"] == "caf\xe9"
    assert (
        asked(client, "/", method="POST", data='\x00\x1f"\\\u2028\U0001f600')["body"] == '\x00\x1f"\\\u2028\U0001f600'
    )


def test_a_sidecar(project: Path, make_client: Callable[..., Client]) -> None:
    (project / "env.py").write_text(
        "import os, json\n" + PRINTS.format("dict(os.environ), os.listdir('/mnt')"), "utf-8"
    )
    (project / "_assets").mkdir()
    (project / "_assets" / "a.txt").touch()
    (project / "link").symlink_to("/etc")
    (project / "env.toml").write_text(
        'version = "1"\n[vars]\nCOLOUR = "blue"\n[[folders]]\nfrom = "./_assets"\nto = "/mnt"\n', encoding="utf-8"
    )
    interpreter()
    route = {"directory": str(project), "interface": "wws", "interpreters": {".py": "python"}, "env": {"A": "1"}}
    client = make_client({"/": {**route, "queue_timeout": "60s"}})
    assert json.loads(client.get("/env").data) == [{"COLOUR": "blue", "A": "1"}, ["a.txt"]]
    (project / "env.toml").write_text('version = "1"\nvars.B = "$A"\nfolders = [{from=".", to="mnt"}]', "utf-8")
    variables, names = json.loads(client.get("/env").data)
    assert variables == {"A": "1", "B": "1"}
    assert "env.toml" in names
    for refused in (
        'vars.HTTP_X = "1"',
        'vars.B = "$PATH"',
        'folders = [{from="..", to="/mnt"}]',
        'folders = [{from="/etc", to="/mnt"}]',
        'folders = [{from="link", to="/mnt"}]',
    ):
        (project / "env.toml").write_text(f'version = "1"\n{refused}\n', encoding="utf-8")
        assert client.get("/env").status_code == 503, refused
    assert client.get("/").status_code == 200


OUTSIDE = {
    "above": ("../../secret", "is outside"),
    "absolute": ("{secret}", "is outside"),
    "by a link": ("../linked", "is outside"),
    "above, and named alike": ("../../project-2", "is outside"),
    "missing": ("./nothing", "is not a directory"),
    "a file": ("./[id].wasm", "is not a directory"),
    "of the project": ("../_assets", ""),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_sidecar_gives_what_is_in_the_project(
    case: str, project: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    source, message = OUTSIDE[case]
    for folder in (project.parent / "secret", project.parent / "project-2", project / "_assets"):
        folder.mkdir()
    (project / "linked").symlink_to(project.parent / "secret")
    source = source.format(secret=project.parent / "secret")
    (project / "user" / "[id].toml").write_text(
        f'version = "1"\n[[folders]]\nfrom = "{source}"\nto = "/mnt"\n', encoding="utf-8"
    )
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    assert client.get("/user/1").status_code == (503 if message else 200)
    assert message in caplog.text
    assert client.get("/").status_code == 200


PRINTS = "print(json.dumps({{'data': json.dumps([{}]), 'headers': {{}}, 'status': 200, 'kv': {{}}}}))\n"


def test_a_worker_in_python(project: Path, make_client: Callable[..., Client]) -> None:
    interpreter()
    script = "import sys, json\nrequest = json.load(sys.stdin)\n"
    (project / "hello" / "[name]").mkdir(parents=True)
    (project / "hello" / "[name]" / "index.py").write_text(script + PRINTS.format("request['params']"), "utf-8")
    route = {"directory": str(project), "interface": "wws", "interpreters": {".py": "python"}}
    client = make_client({"/": {**route, "queue_timeout": "60s"}})
    assert json.loads(client.get("/hello/Ada").data) == [{"name": "Ada"}]


def test_the_first_worker_of_the_docs(tmp_path: Path) -> None:
    """docs/wws.md, word for word."""
    interpreter()
    page = (Path(__file__).resolve().parents[2] / "docs" / "wws.md").read_text("utf-8")
    site, worker = (page.partition(f"```{language}\n")[2].partition("```")[0] for language in ("yaml", "python"))
    (tmp_path / "site.yaml").write_text(site, encoding="utf-8")
    (tmp_path / "project" / "visits").mkdir(parents=True)
    (tmp_path / "project" / "visits" / "[name].py").write_text(worker, encoding="utf-8")
    client = Client(create_app(tmp_path / "site.yaml"))
    asked_for = re.findall(r"curl -s http://127.0.0.1:8000(\S+)\n(.*\n)", page)
    assert len(asked_for) == 2
    for path, answer in asked_for:
        assert client.get(path).text == answer


def test_the_project_changes(
    project: Path, make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgi_wasm.wws.workers.RECHECK", 0.0)
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    assert client.get("/new/thing").status_code == 404
    put(project / "new" / "thing.wasm")
    assert client.get("/new/thing").status_code == 200
    (project / "new" / "thing.wasm").unlink()
    assert client.get("/new/thing").status_code == 404


def test_links_that_leave_the_project(project: Path, tmp_path: Path, make_client: Callable[..., Client]) -> None:
    put(tmp_path / "outside.wasm")
    (project / "linked.wasm").symlink_to(tmp_path / "outside.wasm")
    (project / "own.wasm").symlink_to("index.wasm")
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    assert client.get("/linked").status_code == 404
    assert client.get("/own").status_code == 200


def test_sidecars_that_are_links(
    project: Path, tmp_path: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    for folder in (project, tmp_path):
        (folder / "shared").write_text('version = "1"\nvars.A = "1"\n', encoding="utf-8")
    for name, target in {"inside": "shared", "outside": "../shared", "absolute": str(tmp_path / "shared")}.items():
        put(project / f"{name}.wasm")
        (project / f"{name}.toml").symlink_to(target)
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    assert [client.get(path).status_code for path in ("/inside", "/outside", "/absolute")] == [200, 503, 503]
    assert f"outside.toml is a link that leaves {project}: put a file there" in caplog.text


def test_what_is_no_file_is_no_worker(project: Path, make_client: Callable[..., Client]) -> None:
    os.mkfifo(project / "pipe.wasm")
    (project / "dangling.wasm").symlink_to("nothing.wasm")
    (project / "folder.wasm").mkdir()
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    assert {client.get(path).status_code for path in ("/pipe", "/dangling", "/folder")} == {404}
    assert client.get("/").status_code == 200


def test_a_project_that_is_missing_has_no_workers(tmp_path: Path, make_client: Callable[..., Client]) -> None:
    assert make_client({"/": {"directory": str(tmp_path / "none"), "interface": "wws"}}).get("/").status_code == 404


def test_a_path_forges_no_line_of_the_log(
    project: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client({"/": {"directory": str(project), "interface": "wws"}})
    with caplog.at_level(logging.DEBUG, "wsgi_wasm"):
        assert client.get("/none%0AFORGED%1B%5B31m").status_code == 404
    assert "no worker for '/none\\nFORGED\\x1b[31m'" in caplog.text


def test_check_reads_sidecars(project: Path, tmp_path: Path) -> None:
    (project / "index.toml").write_text('version = "1"\n[features.http_requests]\n', encoding="utf-8")
    (project / "user" / "[id].toml").write_text("vars = 1", encoding="utf-8")
    put(tmp_path / "single.wasm")
    (tmp_path / "single.toml").write_text('version = "1"\nvars.A = "$NOT_THERE"', encoding="utf-8")
    routes = "routes: {/: {directory: project, interface: wws}, /one: {module: single.wasm, interface: wws}}"
    (tmp_path / "site.yaml").write_text(routes, encoding="utf-8")
    command = [sys.executable, "-m", "wsgi_wasm", "check", "site.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(package_parent())}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "features.http_requests is not supported" in done.stdout
    assert "[id].toml: no version" in done.stdout
    assert "single.toml: vars.A: NOT_THERE is not set" in done.stdout
    assert "_hidden" not in done.stdout


# --- keys and values ---


@pytest.fixture
def keeping(project: Path, tmp_path: Path, make_client: Callable[..., Client]) -> Client:
    """`/a` and `/b` keep the namespace `shop`, `/` the namespace `default`, which is another."""
    for name in ("a", "b"):
        put(project / f"{name}.wasm")
        (project / f"{name}.toml").write_text('version = "1"\ndata.kv.namespace = "shop"\n', encoding="utf-8")
    route = {"directory": str(project), "interface": "wws", "key_value": ["default", "shop"]}
    stores = {"shop": {"path": str(tmp_path / "shop.db")}}
    return make_client({"/": route}, state_dir=str(tmp_path / "state"), key_value=stores)


def test_pairs_are_kept(keeping: Client) -> None:
    assert asked(keeping, "/a")["kv"] == {}
    asked(keeping, "/a?set=one")
    assert asked(keeping, "/b")["kv"] == {"one": "3"}
    asked(keeping, "/b?set=three")
    assert asked(keeping, "/a")["kv"] == {"one": "3", "three": "5"}
    assert asked(keeping, "/")["kv"] == {}
    asked(keeping, "/a?drop")
    assert asked(keeping, "/b")["kv"] == {}


def test_pairs_are_kept_in_redis(
    project: Path, redis_server: Server, tmp_path: Path, make_client: Callable[..., Client]
) -> None:
    url = f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/7"
    route = {"directory": str(project), "interface": "wws", "key_value": ["default"]}
    client = make_client({"/": route}, key_value={"default": {"redis": url, "prefix": f"{tmp_path}:"}})
    for name in ("one", "three"):
        asked(client, f"/?set={name}")
    assert asked(client, "/")["kv"] == {"one": "3", "three": "5"}
    asked(client, "/?drop")
    assert asked(client, "/")["kv"] == {}


def test_requests_at_the_same_time_keep_each_others_pairs(keeping: Client) -> None:
    from concurrent.futures import ThreadPoolExecutor

    asked(keeping, "/a")
    with ThreadPoolExecutor(4) as threads:
        paths = ["/a?set=slow1", "/a?set=slow22", "/b?set=quick", "/b?set=other"]
        list(threads.map(lambda path: asked(keeping, path), paths))
    assert asked(keeping, "/a")["kv"] == {"slow1": "5", "slow22": "6", "quick": "5", "other": "5"}


def test_a_namespace_that_is_not_granted(
    project: Path, tmp_path: Path, make_client: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client({"/": {"directory": str(project), "interface": "wws"}}, state_dir=str(tmp_path / "state"))
    with caplog.at_level(logging.WARNING, "wsgi_wasm"):
        asked(client, "/?set=a")
    assert "the kv of 'default' is not stored: grant it in `key_value`" in caplog.text
    assert asked(client, "/")["kv"] == {}


def test_a_refused_answer_keeps_nothing(keeping: Client, project: Path) -> None:
    (project / "bad.wat").write_text(BAD, encoding="utf-8")
    assert keeping.get("/bad").status_code == 502
    assert asked(keeping, "/")["kv"] == {}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(f"key{number}", b"") for number in range(10_001)], "has more than 10000 keys"),
        ([(f"key{number}", bytes(300_000)) for number in range(4)], "is larger than 1 MiB"),
    ],
    ids=["keys", "bytes"],
)
def test_a_namespace_that_others_have_filled(
    pairs: list[tuple[str, bytes]],
    message: str,
    keeping: Client,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = connect(KeyValueStore(name="shop", path=tmp_path / "shop.db", redis=None, prefix="", max_size=1 << 24))
    store.change(pairs)
    store.close()
    assert keeping.get("/a").status_code == 500
    assert message in caplog.text
    assert keeping.get("/").status_code == 200


# prints an answer with a pair and a status that is none
BAD = r"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\34\00\00\00")
  (data (i32.const 16) "{\"data\":\"\",\"headers\":{},\"status\":1,\"kv\":{\"a\":\"bcdef\"}}")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""
