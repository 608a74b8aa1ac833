"""Module files and their compiled form: found, replaced while serving, broken, cached, never trusted blindly."""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from conftest import NEEDS_ROOT, SiteMaker
from guests.bomb import bomb
from guests.build import component, guest
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.compiler import compile_in_child
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.errors import CacheError
from wsgi_wasm.files.locations import default_directory

NO_FEATURES: frozenset[str] = frozenset()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("WSGI_WASM_CACHE", str(directory))
    return directory


def text_module(text: str) -> str:
    """A module in text form that answers `text`."""
    answer = f"Content-Type: text/plain\\n\\n{text}"
    size = len(answer.replace("\\n", "\n"))
    return f"""(module
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\\10\\00\\00\\00\\{size:02x}\\00\\00\\00") (data (i32.const 16) "{answer}")
      (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def eventually(client: Client, expected: str, path: str = "/x") -> None:
    """Module files are looked at once a second, and compiled aside."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if client.get(path).text == expected:
            return
        time.sleep(0.05)
    pytest.fail(f"never {expected!r}; the last answer: {client.get(path).text!r}")


def test_a_module_that_is_replaced(make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    module = tmp_path / "x.wat"
    module.write_text(text_module("one"))
    client = make_client({"/x": {"module": str(module)}})
    assert client.get("/x").text == "one"
    module.write_text(text_module("two"))
    eventually(client, "two")
    # by rename, as a careful installer does
    (tmp_path / "next").write_text(text_module("three"))
    os.rename(tmp_path / "next", module)
    eventually(client, "three")
    # broken, or half written: the last good one goes on serving
    module.write_text(text_module("four")[:-40])
    wait_for_log(caplog, client, "the last good one stays in use")
    assert client.get("/x").text == "three"
    module.unlink()
    wait_for_log(caplog, client, "No such file")
    assert client.get("/x").text == "three"
    module.write_text(text_module("five"))
    eventually(client, "five")


def wait_for_log(caplog: pytest.LogCaptureFixture, client: Client, text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in caplog.text and time.monotonic() < deadline:
        client.get("/x")
        time.sleep(0.05)
    assert text in caplog.text


def test_a_module_that_comes_late(make_client: SiteMaker, tmp_path: Path) -> None:
    module = tmp_path / "late.wat"
    client = make_client({"/x": {"module": str(module)}, "/hello": {"module": "hello"}})
    missing = client.get("/x")
    assert missing.status_code == 503
    assert int(missing.headers["Retry-After"]) > 0
    assert client.get("/hello").status_code == 200, "only its own route is down"
    module.write_text(text_module("late"))
    eventually(client, "late")


def no_module(kind: str) -> bytes:
    """A file that is none: of the text, the bytes or a damaged guest."""
    return NO_MODULES[kind] if kind in NO_MODULES else DAMAGED[kind](guest("env").read_bytes())


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda module: module[:500],
    "bad-code": lambda module: module[:4000] + b"\0" * 200 + module[4200:],
}
NO_MODULES = {
    "empty": b"",
    "text": b"#!/bin/sh\necho no\n",
    "component": b"\0asm\x0d\0\x01\0",
    "future": b"\0asm\x02\0\0\0",
    "long-number": b"\0asm\x01\0\0\0\x01" + b"\xff" * 30,
    "many-types": b"\0asm\x01\0\0\0\x01\x05\xff\xff\xff\xff\x0f",
}


@pytest.mark.parametrize("kind", [*NO_MODULES, *DAMAGED])
def test_what_is_no_module_is_503(
    make_client: SiteMaker, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    module = tmp_path / "bad.wasm"
    module.write_bytes(no_module(kind))
    client = make_client({"/x": {"module": str(module), "queue_timeout": "2m"}})
    for _ in range(3):
        answer = client.get("/x")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert str(module) in caplog.text, "the log names the file"
    said = [one for one in caplog.records if one.name == "wsgi_wasm.engine" and one.levelno == logging.ERROR]
    assert len(said) == 1, "a broken module is compiled once, not for every request"


def test_the_cache_is_used_by_the_next_process(make_client: SiteMaker, cache: Path, tmp_path: Path) -> None:
    client = make_client({"/x": {"module": "hello"}})
    assert client.get("/x").status_code == 200
    assert len(list(cache.glob("*.cwasm"))) == 1
    before = {path: path.stat().st_ino for path in cache.iterdir() if path.suffix != ".lock"}
    again = make_client({"/x": {"module": "hello"}})
    assert again.get("/x").status_code == 200
    assert {path: path.stat().st_ino for path in cache.iterdir() if path.suffix != ".lock"} == before


def put(artefact: Path, data: bytes) -> None:
    """In its place by rename: this process has mapped the old one, and must not lose what lies behind it."""
    aside = artefact.with_suffix(".aside")
    aside.write_bytes(data)
    aside.chmod(artefact.stat().st_mode)
    aside.replace(artefact)


def truncate(artefact: Path, note: Path) -> None:
    put(artefact, artefact.read_bytes()[:100])


def flip(artefact: Path, note: Path) -> None:
    data = bytearray(artefact.read_bytes())
    data[len(data) // 2] ^= 1
    put(artefact, bytes(data))


def empty(artefact: Path, note: Path) -> None:
    put(artefact, b"")


def no_note(artefact: Path, note: Path) -> None:
    note.unlink()


def bad_note(artefact: Path, note: Path) -> None:
    note.write_text("{]")


def other_facts(artefact: Path, note: Path) -> None:
    known = json.loads(note.read_text())
    note.write_text(json.dumps(known | {"facts": {"imports": 3}}))


def foreign_code(artefact: Path, note: Path) -> None:
    """Whole by its digest, and yet nothing that Wasmtime takes."""
    import hashlib

    put(artefact, b"\x7fELF" + b"x" * 1000)
    known = json.loads(note.read_text())
    note.write_text(json.dumps(known | {"sha256": hashlib.sha256(artefact.read_bytes()).hexdigest()}))


@pytest.mark.in_process
@pytest.mark.parametrize("damage", [truncate, flip, empty, no_note, bad_note, other_facts, foreign_code])
def test_a_damaged_artefact_is_made_again(
    make_client: SiteMaker, cache: Path, damage: Callable[[Path, Path], None]
) -> None:
    assert make_client({"/x": {"module": "hello"}}).get("/x").status_code == 200
    (artefact,) = cache.glob("*.cwasm")
    damage(artefact, artefact.with_suffix(".json"))
    assert make_client({"/x": {"module": "hello"}}).get("/x").status_code == 200
    assert Cache(cache).find(artefact) is not None


def test_what_is_used_says_so(make_client: SiteMaker, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is loaded, and by a process that goes on using it: `cache prune` looks at nothing else."""
    monkeypatch.setattr("wsgi_wasm.engine.module.RECHECK", 0.0)
    make_client({"/x": {"module": "hello"}}).get("/x")
    notes = [*cache.glob("*.json"), *cache.glob("*.source")]
    assert len(notes) == 2

    def aged(days: float) -> list[float]:
        then = time.time() - days * 86400
        for note in notes:
            os.utime(note, (then, then))
        return [note.stat().st_mtime for note in notes]

    def days_ago() -> list[int]:
        return [round((time.time() - note.stat().st_mtime) / 86400) for note in notes]

    recently = aged(0.5)
    client = make_client({"/x": {"module": "hello"}})
    client.get("/x")
    assert [note.stat().st_mtime for note in notes] == recently, "once a day is enough"
    aged(20)
    make_client({"/x": {"module": "hello"}}).get("/x")
    assert days_ago() == [0, 0]
    monkeypatch.setattr("wsgi_wasm.engine.module.DAY", 0.0)
    client = make_client({"/x": {"module": "hello"}})
    client.get("/x")
    client.get("/x")
    aged(20)
    client.get("/x")
    assert days_ago() == [0, 0]


def test_a_loose_cache_directory_is_refused_by_name(
    make_client: SiteMaker, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    client = make_client({"/x": {"module": "hello"}})
    assert client.get("/x").status_code == 200, "modules are compiled for this process alone"
    assert str(cache) in caplog.text
    assert not list(cache.iterdir())


@NEEDS_ROOT
def test_a_foreign_artefact_is_not_run(make_client: SiteMaker, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert make_client({"/x": {"module": "hello"}}).get("/x").status_code == 200
    (artefact,) = cache.glob("*.cwasm")
    os.chown(artefact, 4242, 4242)
    before = artefact.stat()
    assert make_client({"/x": {"module": "hello"}}).get("/x").status_code == 200, "compiled for this process alone"
    assert "belongs to user 4242" in caplog.text
    assert artefact.stat().st_mtime_ns == before.st_mtime_ns


@NEEDS_ROOT
def test_what_root_compiles_serves_another_user(cache: Path, tmp_path: Path) -> None:
    """`wsgi-wasm compile` by an administrator, and then a server that runs as www-data."""
    module = tmp_path / "hello.wat"
    module.write_bytes(guest("hello").read_bytes())
    compile_in_child(ModuleSource(module), NO_FEATURES, cache)
    for path in (cache, *(path for path in cache.iterdir() if path.suffix != ".lock")):
        mode = path.stat().st_mode
        assert mode & 0o044 == 0o044, path
        assert not mode & 0o022, path


def test_a_cache_that_cannot_be_made(make_client: SiteMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGI_WASM_CACHE", "/proc/nowhere/cache")
    assert make_client({"/x": {"module": "hello"}}).get("/x").status_code == 200


def test_cache_checks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="file"):
        Cache(tmp_path / "file")
    link = tmp_path / "link.cwasm"
    link.symlink_to(tmp_path / "file")
    (tmp_path / "link.json").write_text("{}")
    tmp_path.chmod(0o700)
    with pytest.raises(CacheError, match="not a regular file"):
        Cache(tmp_path).find(link)


DIRECTORIES = [
    ({"WSGI_WASM_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, Path("/conf"), "/a"),
    ({"XDG_CACHE_HOME": "/b"}, Path("/conf"), "/conf"),
    ({"XDG_CACHE_HOME": "/b"}, None, "/b/wsgi-wasm"),
    ({"HOME": "/tmp"}, None, "/tmp/.cache/wsgi-wasm"),
    ({"HOME": "/nonexistent"}, None, "/var/cache/wsgi-wasm"),
    ({}, None, "/var/cache/wsgi-wasm"),
]


@pytest.mark.parametrize(("environ", "configured", "expected"), DIRECTORIES)
def test_where_the_cache_is(environ: dict[str, str], configured: Path | None, expected: str) -> None:
    assert default_directory(configured, environ) == Path(expected)


COMPILES = """
import sys
from pathlib import Path
from wsgi_wasm.engine.code import compiler
from wsgi_wasm.engine.code.budget import COMMAND
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.source import ModuleSource

start = compiler.start_compiler

def said(*arguments):
    print("starts", flush=True)
    return start(*arguments)

compiler.start_compiler = said
source = ModuleSource(Path(sys.argv[1]))
compiler.compile_once(source, frozenset(), Cache(Path(sys.argv[2])), lambda seconds: None, COMMAND)
"""


def compiling(module: Path, cache: Path) -> subprocess.Popen[str]:
    """A process that compiles a module into a cache, and says so."""
    command = [sys.executable, "-P", "-c", COMPILES, str(module), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_one_compilation_for_many_processes(cache: Path, tmp_path: Path) -> None:
    """Processes that start with an empty cache: one compiles, the others take what it made."""
    cache.mkdir(mode=0o700)
    children = [compiling(guest("hello"), cache) for _ in range(8)]
    assert "".join(child.communicate(timeout=120)[0] for child in children) == "starts\n"
    assert [child.returncode for child in children] == [0] * 8
    (artefact,) = cache.glob("*.cwasm")
    assert not list(cache.glob(".making-*"))
    assert Cache(cache).find(artefact) is not None


def test_the_next_one_compiles_if_a_process_is_killed(cache: Path, tmp_path: Path) -> None:
    cache.mkdir(mode=0o700)
    module = tmp_path / "bomb.wasm"
    module.write_bytes(bomb())
    children = [compiling(module, cache) for _ in range(3)]
    streams = [child.stdout for child in children if child.stdout is not None]
    try:
        for _ in range(3):
            (ready, *others), _, _ = select.select(streams, [], [], 60)
            assert not others, "one at a time"
            assert ready.readline() == "starts\n"
            children[streams.index(ready)].kill()
            children.pop(streams.index(ready)).wait()
            streams.remove(ready)
            ready.close()
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert not list(cache.glob("*.failed")), "nothing is known of a module whose compiler was killed with its parent"


def test_the_configuration_is_read_anew(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`reload: true`: a good file replaces the routes, a broken one leaves the old ones serving."""
    client = make_client({"/x": {"module": "hello"}}, reload=True)
    assert client.get("/x").status_code == 200
    site = tmp_path / "site.yaml"
    good = site.read_text()
    site.write_text("routes: {/y: {modul: x}}")
    with caplog.at_level(logging.INFO):
        wait_for_log(caplog, client, "did you mean 'module'")
        assert client.get("/x").status_code == 200
        site.write_text(good.replace("/x", "/y"))
        wait_for_log(caplog, client, "was reloaded")
    assert client.get("/y").status_code == 200
    assert client.get("/x").status_code == 404


FORKED = """
import os, sys
from werkzeug.test import Client
from wsgi_wasm import create_app

client, (before, after) = Client(create_app(sys.argv[1])), sys.argv[2:]
assert client.get(before).status_code == 200
if os.fork() == 0:
    print(*(client.get(path).status_code for path in after.split()), flush=True)
    os._exit(0)
os.wait()
print(client.get(before).status_code)
"""


@pytest.mark.in_process
@pytest.mark.parametrize(
    ("before", "after", "statuses"),
    [
        ("/x", "/x /loop /component/two", "200 504 200"),  # the second needs the child's own ticker
        ("/component/two", "/x /loop /component/two", "503 503 503"),
        ("/component/hello", "/component/sleep", "503"),
    ],
)
def test_a_fork_makes_its_own_engine(
    make_client: SiteMaker, tmp_path: Path, before: str, after: str, statuses: str
) -> None:
    """As under gunicorn --preload, and worse: the parent has served already. Once components or guests with
    directories have run there, Wasmtime would wait in the child for threads that only the parent has."""
    routes = {
        "/x": {"module": "hello"},
        "/loop": {"module": "loop", "timeout": "100ms"},
        "/component": {"module": str(component("http")), "timeout": "5s"},
    }
    client = make_client(routes)  # which compiles them
    for path in ("/x", "/loop", "/component/hello"):
        assert client.get(path).status_code in (200, 504)
    done = subprocess.run(
        [sys.executable, "-c", FORKED, tmp_path / "site.yaml", before, after],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout.split("\n"), done.returncode) == ([statuses, "200", ""], 0)
    assert ("do not answer requests before the fork" in done.stderr) == ("503" in statuses)
