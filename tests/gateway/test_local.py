"""What a site's author may set in a file beside programs: less than the route, and never more."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import EnvironBuilder, run_wsgi_app

from conftest import NEEDS_ROOT, SiteMaker
from guests.build import guest
from wsgi_wasm import Gateway
from wsgi_wasm.config import load_config
from wsgi_wasm.config.local import LocalSettings, read_local
from wsgi_wasm.config.model import LOCAL_KEYS
from wsgi_wasm.errors import ConfigError

ROUTE = {
    "directory": "cgi-bin",
    "local": list(LOCAL_KEYS),
    "args": ["--safe"],
    "env": {"MODE": "live"},
    "methods": ["GET", "POST"],
    "dirs": {"/data": "data", "/out": {"path": "out", "writable": True}},
    "timeout": "10s",
    "memory": "64MiB",
    "concurrency": 4,
}


def read(tmp_path: Path, text: str | bytes, **route: Any) -> LocalSettings:
    site = tmp_path / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": {"/cgi": {**ROUTE, **route}}}))
    config = load_config(site, {"SECRET": "s3cret"})
    data = text if isinstance(text, bytes) else text.encode()
    return read_local(data, tmp_path / "cgi-bin" / "wsgi_wasm.yaml", config.routes[0])


def test_what_is_narrowed(tmp_path: Path) -> None:
    made = read(
        tmp_path,
        """
        args: [--fast]
        env: {LEVEL: 3}
        methods: [GET]
        dirs: {/mine: ../data/mine, /log: {path: ../out/log, writable: true}, /ro: ../out}
        timeout: 2s
        memory: 1MiB
        concurrency: 2
        """,
    )
    route = made.route
    assert route.args == ("--safe", "--fast")
    assert route.env == {"LEVEL": "3", "MODE": "live"}
    assert route.methods == ("GET", "HEAD")
    assert (route.limits.timeout, route.limits.memory) == (2.0, 1 << 20)
    assert (route.limits.concurrency, made.concurrency) == (4, 2), "two counts"
    assert route.limits.cpu == 10.0
    dirs = {d.guest: (d.folder.path, d.folder.root, d.writable) for d in route.dirs}
    assert dirs == {
        "/mine": (tmp_path / "data" / "mine", tmp_path / "data", False),
        "/log": (tmp_path / "out" / "log", tmp_path / "out", True),
        "/ro": (tmp_path / "out", tmp_path / "out", False),
    }
    assert made.keys == ("args", "env", "methods", "dirs", "timeout", "memory", "concurrency")


REFUSED = {
    "timeout: 11s": "1:1: timeout: is more than the 10s of the route",
    "memory: 65MiB": "1:1: memory: is more than the 64MiB of the route",
    "concurrency: 5": "1:1: concurrency: is more than the 4 of the route",
    "max_body: 11MiB": "1:1: max_body: is more than the 10MiB of the route",
    "methods: null": "",
    "methods: [GET, PUT]": "1:1: methods: has more than the route allows: PUT",
    "env: {MODE: test}": "1:7: env.MODE: is set by the route, and cannot be replaced",
    "env: {HTTP_HOST: x}": "1:7: env.HTTP_HOST: is set by the request, never by the configuration",
    'env: {A: "${SECRET}"}': "1:10: env.A: environment variable SECRET is not set",
    "dirs: {/etc: /etc}": "1:8: dirs./etc: is in no directory that the route gives",
    "dirs: {/d: ../data/../../x}": "1:8: dirs./d: is in no directory that the route gives",
    "dirs: {/d: {path: ../data, writable: true}}": "1:8: dirs./d: is in no directory that the route can write to",
    "interpreters: {}": "1:1: key 'interpreters' is the administrator's alone",
    "local: [memory]": "1:1: key 'local' is the administrator's alone",
    "isolate: false": "1:1: key 'isolate' is the administrator's alone",
    "timeuot: 1s": "1:1: unknown key 'timeuot'; did you mean 'timeout'?",
    "timeout: 5": "1:10: timeout: '5' has no unit; write '5s' for seconds, or one of ms, m, h",
    "timeout: 1s\ntimeout: 2s": "2:1: duplicate key 'timeout', first on line 1",
    "[a]": "1:1: expected a mapping of route keys, found a list",
    "": "1:1: the file is empty",
    "# nothing": "1:1: the file is empty",
    "a: [": "2:1: not YAML: did not find expected node content",
    "args: [" + "[" * 50: "1:26: nested more than 20 deep",
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)): (
        "values, including those that aliases repeat"
    ),
    "args: !!python/object/apply:os.system [x]": "tags such as '!!python/object/apply:os.system' are not supported",
    "env: {A: \udcff}": "not UTF-8",
    "args: [" + "x, " * 30_000 + "]": "larger than 16KiB",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=lambda value: repr(value)[:40])
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    if not message:
        assert read(tmp_path, data).route.methods == ("GET", "HEAD", "POST")
        return
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, data)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "cgi-bin" / "wsgi_wasm.yaml"))
    assert "s3cret" not in str(caught.value)


def test_keys_that_the_administrator_keeps(tmp_path: Path) -> None:
    for local, words in ((["args", "env"], "only args and env"), ([], "no key")):
        with pytest.raises(ConfigError, match=f"key 'timeout' is not in 'local' of the route, which has {words}"):
            read(tmp_path, "timeout: 1s", local=local)


# Over HTTP -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def docroot(tmp_path: Path) -> Path:
    """cgi/ and cgi/sub/ with the guests `args` and `env`, and an interpreter's script."""
    for folder in ("cgi", "cgi/sub", "data"):
        (tmp_path / folder).mkdir()
        for name in ("args", "env", "echo", "heap"):
            shutil.copyfile(guest(name), tmp_path / folder / f"{name}.wasm")
    (tmp_path / "cgi" / "sub" / "x.script").touch()
    return tmp_path / "cgi"


Ask = Callable[..., Any]


@pytest.fixture(params=["directory", "dropped in"])
def ask(request: pytest.FixtureRequest, make_app: Callable[..., Gateway], docroot: Path, tmp_path: Path) -> Ask:
    """Status and text of an answer, whichever way the file is found."""
    settings: dict[str, Any] = {"local": list(LOCAL_KEYS), "args": ["--safe"], "queue_timeout": "60s"}
    route = {**settings, "directory": str(docroot), "interpreters": {".script": str(guest("args"))}}
    gateway = make_app({"/cgi": route}, handler=settings)

    def asked(name: str, **builder: Any) -> Any:
        environ = EnvironBuilder(path=f"/cgi/{name}", **builder).get_environ()
        if request.param == "directory":
            body, status, _ = run_wsgi_app(gateway, environ)
        else:
            environ.update(SCRIPT_NAME=f"/cgi/{name}", PATH_INFO="")
            body, status, _ = run_wsgi_app(
                lambda environ, start: gateway.handle_script(environ, start, docroot / name), environ
            )
        return int(status.split()[0]), b"".join(body).decode()

    return asked


def put(folder: Path, text: str, mode: int = 0o644) -> Path:
    path = folder / "wsgi_wasm.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_beside_the_program_alone(ask: Ask, docroot: Path) -> None:
    assert "[--safe]" in ask("sub/args.wasm")[1]
    put(docroot / "sub", "args: [--fast]\nenv: {LEVEL: 3}\n")
    assert ask("sub/args.wasm")[1].splitlines()[-2:] == ["[--safe]", "[--fast]"]
    assert "LEVEL=3\n" in ask("sub/env.wasm")[1]
    assert "LEVEL=3\n" not in ask("env.wasm")[1]
    put(docroot / "sub", "env: {LEVEL: 4}\n")
    assert "LEVEL=4\n" in ask("sub/env.wasm")[1]
    put(docroot / "sub", "methods: [POST]\nmax_body: 3B\n")
    assert ask("sub/env.wasm")[0] == 405
    assert ask("sub/env.wasm", method="POST", data=b"123")[0] == 200
    assert ask("sub/env.wasm", method="POST", data=b"1234")[0] == 413
    (docroot / "sub" / "wsgi_wasm.yaml").unlink()
    assert ask("sub/env.wasm", method="POST", data=b"1234")[0] == 200


def test_a_mistake_takes_down_what_is_beside_it(ask: Ask, docroot: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = put(docroot / "sub", "args: []\ntimeout: 1h\n")
    for _ in range(2):
        assert ask("sub/env.wasm")[0] == 500
    assert f"{path}:2:1: timeout: is more than the 25s of the route" in caplog.text
    assert ask("env.wasm")[0] == 200
    put(docroot / "sub", "timeout: 1s\n")
    assert ask("sub/env.wasm")[0] == 200


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_write_to(ask: Ask, docroot: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    put(docroot, "timeout: 1s\n", mode)
    assert ask("env.wasm")[0] == 500
    assert "can be written by its group or by others (chmod go-w)" in caplog.text


def test_no_regular_file(ask: Ask, docroot: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = docroot / "wsgi_wasm.yaml"
    (tmp_path / "elsewhere.yaml").write_text("timeout: 1s\n")
    for kind in ("elsewhere.yaml", "nothing", "pipe"):
        if kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(tmp_path / kind)
        assert ask("env.wasm")[0] == 500
        assert f"{path} is not a regular file" in caplog.text
        caplog.clear()
        path.unlink()
    path.mkdir()
    assert ask("env.wasm")[0] == 500


def test_a_file_of_a_hundred_megabytes(ask: Ask, docroot: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(docroot, "")
    os.truncate(docroot / "wsgi_wasm.yaml", 100 << 20)
    assert ask("env.wasm")[0] == 500
    assert "larger than 16KiB" in caplog.text


@NEEDS_ROOT
def test_whose_it_is(ask: Ask, docroot: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = put(docroot, "env: {LEVEL: 3}\n")
    os.chown(path, 54321, 54321)
    assert ask("env.wasm")[0] == 500
    assert f"{path} belongs to user 54321, not to root or to user 0, who owns the program" in caplog.text
    os.chown(docroot / "env.wasm", 54321, 54321)
    assert "LEVEL=3\n" in ask("env.wasm")[1]
    assert ask("args.wasm")[0] == 500
    os.chown(path, 0, 0)
    assert "LEVEL=3\n" in ask("env.wasm")[1]


def test_it_is_read_once(ask: Ask, docroot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []

    def noted(data: bytes, *more: Any) -> LocalSettings:
        read.append(data)
        return read_local(data, *more)

    monkeypatch.setattr("wsgi_wasm.gateway.local_files.read_local", noted)
    monkeypatch.setattr("wsgi_wasm.gateway.local_files.is_settled", lambda info: True)
    put(docroot, "timeout: 1s\n")
    put(docroot / "sub", "timeuot: 1s\n")
    for _ in range(3):
        assert ask("env.wasm")[0] == 200
        assert ask("sub/env.wasm")[0] == 500
    assert len(read) == 2


def test_scripts(make_client: SiteMaker, docroot: Path) -> None:
    """What is added to arguments follows those of the interpreter."""
    interpreter = {"module": str(guest("args")), "args": ["-x", "{script}"], "env": {"A": "1"}}
    route = {"directory": str(docroot), "interpreters": {".script": interpreter}, "local": ["args", "env"]}
    put(docroot / "sub", "args: [--fast]\nenv: {A: 2}\n")
    client = make_client({"/cgi": route})
    assert client.get("/cgi/sub/x.script").text.splitlines()[-3:] == ["[-x]", "[/sub/x.script]", "[--fast]"]
    assert client.get("/cgi/sub/wsgi_wasm.yaml").status_code == 404


def test_without_local_it_is_not_looked_at(make_client: SiteMaker, docroot: Path) -> None:
    put(docroot, "nonsense: [")
    assert make_client({"/cgi": {"directory": str(docroot)}}).get("/cgi/env.wasm").status_code == 200


def test_concurrency_counts_the_programs_beside_it(make_client: SiteMaker, docroot: Path) -> None:
    shutil.copyfile(guest("sleep"), docroot / "sub" / "sleep.wasm")
    put(docroot / "sub", "concurrency: 1\nqueue_timeout: 0s\n")
    client = make_client({"/cgi": {"directory": str(docroot), "local": ["concurrency", "queue_timeout"]}})
    client.get("/cgi/sub/sleep.wasm?seconds=0")
    assert client.get("/cgi/sub/env.wasm").status_code == 200

    def sleep() -> None:
        while client.get("/cgi/sub/sleep.wasm?seconds=3").status_code == 503:
            pass  # the other program was running at that moment

    busy = threading.Thread(target=sleep)
    busy.start()
    try:
        statuses = set()
        while busy.is_alive() and 503 not in statuses:
            statuses.add(client.get("/cgi/sub/env.wasm").status_code)
            assert client.get("/cgi/env.wasm").status_code == 200
        assert 503 in statuses
    finally:
        busy.join()
    assert client.get("/cgi/sub/env.wasm").status_code == 200
