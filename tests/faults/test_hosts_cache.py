"""What may be wrong with the cache of compiled modules and with modules, while real servers use them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guests.build import guest
from servers.client import get
from servers.limits import own_mounts
from servers.packages import package_parent
from servers.process import wait_for
from wsgi_wasm.engine.code.cache import Cache

from .hosts import gunicorn, is_compiled, serves, site_of

FULL = "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
"""A disk on which nothing larger than this can be written: 20 KB, less than any compiled module."""


def missing(place: Path) -> str:
    return str(place / "not" / "there" / "yet")


def impossible(place: Path) -> str:
    return "/proc/nowhere/cache"


def a_file(place: Path) -> str:
    (place / "cache").write_text("")
    return str(place / "cache")


def loose(place: Path) -> str:
    (place / "cache").mkdir()
    (place / "cache").chmod(0o777)
    return str(place / "cache")


def a_link(place: Path) -> str:
    (place / "real").mkdir(mode=0o700)
    (place / "cache").symlink_to("real")
    return str(place / "cache")


def a_loop(place: Path) -> str:
    (place / "cache").symlink_to("cache")
    return str(place / "cache")


@pytest.mark.parametrize(
    ("make", "said"),
    [(missing, ""), (impossible, "nowhere"), (a_file, "cache"), (loose, "chmod"), (a_link, ""), (a_loop, "cache")],
)
def test_a_cache_directory_that_is_no_good(make: Callable[[Path], str], said: str, tmp_path: Path) -> None:
    """H1: modules are compiled for the process, and one line names the directory."""
    site_of(tmp_path)
    directory = make(tmp_path)
    with gunicorn(tmp_path, env={"WSGI_WASM_CACHE": directory}) as server:
        serves(server)
        lines = [line for line in server.log().splitlines() if "compiles modules for itself" in line]
        assert len(lines) == (1 if said else 0), server.log()
        assert all(said in line for line in lines)


MOUNTS = {
    "read-only": 'mount -t tmpfs -o mode=700 tmpfs "$0"; mount -o remount,ro "$0"',
    "noexec": 'mount -t tmpfs -o noexec,mode=700 tmpfs "$0"',
    "full": 'mount -t tmpfs -o size=8k,mode=700 tmpfs "$0"',
}


@pytest.mark.parametrize("kind", MOUNTS)
def test_a_cache_on_a_file_system_that_is_no_good(kind: str, tmp_path: Path) -> None:
    """H1; where nothing can be mounted, a limit on the size of files stands in for the full one."""
    site_of(tmp_path)
    (tmp_path / "cache").mkdir(mode=0o700)
    prefix = own_mounts(MOUNTS[kind], tmp_path / "cache")
    with gunicorn(tmp_path, prefix=prefix, fault="" if prefix else FULL) as server:
        serves(server)
        for _ in range(5):
            assert get(server.address, "/hello").status == 200
        assert "Traceback" not in server.log()
        assert "changed while it was compiled" not in server.log()


def two_sites(place: Path) -> tuple[Path, Path]:
    """A compiled site of two modules, and the artefacts of `hello` and of `silent`."""
    site_of(place, "silent")
    compile_site(place)
    by_module = {Path(json.loads(note.read_text())["module"]).stem: note for note in (place / "cache").glob("*.json")}
    hello, silent = (by_module[name].with_suffix(".cwasm") for name in ("hello", "silent"))
    return hello, silent


def compile_site(place: Path) -> None:
    subprocess.run(compiling(place), env=environment(), check=True, capture_output=True)


def compiling(place: Path) -> list[str]:
    cache = str(place / "cache")
    return [sys.executable, "-P", "-m", "wsgi_wasm", "compile", "--cache", cache, str(place / "site.yaml")]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(package_parent())}


def put(file: Path, data: bytes) -> None:
    aside = file.with_suffix(".aside")
    aside.write_bytes(data)
    aside.chmod(file.stat().st_mode)
    aside.replace(file)


def flipped(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def swap_with_its_note(hello: Path, silent: Path) -> None:
    """Whole by its digest, and another module."""
    put(hello, silent.read_bytes())
    put(hello.with_suffix(".json"), silent.with_suffix(".json").read_bytes())


def of_another_version(hello: Path, silent: Path) -> None:
    """Named and noted as one of this version, and nothing that this version takes."""
    from hashlib import sha256

    code = hello.read_bytes()
    other = code.replace(b"50.0.1", b"49.0.0") if b"50.0.1" in code else b"\x7fELF" + code[8:]
    put(hello, other)
    note = json.loads(hello.with_suffix(".json").read_text())
    put(hello.with_suffix(".json"), json.dumps(note | {"sha256": sha256(other).hexdigest()}).encode())


DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    "truncated": lambda hello, _: put(hello, hello.read_bytes()[:1000]),
    "flipped": lambda hello, _: put(hello, flipped(hello.read_bytes())),
    "empty": lambda hello, _: put(hello, b""),
    "zeros": lambda hello, _: put(hello, bytes(hello.stat().st_size)),
    "swapped": lambda hello, silent: put(hello, silent.read_bytes()),
    "swapped-with-its-note": swap_with_its_note,
    "of-another-version": of_another_version,
    "note-damaged": lambda hello, _: put(hello.with_suffix(".json"), b"{]"),
}


def test_damaged_artefacts_are_made_again(tmp_path: Path) -> None:
    """H2: found by each new worker, made again aside, never run."""
    hello, silent = two_sites(tmp_path)
    with gunicorn(tmp_path) as server:
        serves(server)
        for name, damage in DAMAGES.items():
            damage(hello, silent)
            server.reload()
            serves(server)
            assert get(server.address, "/hello").text == "hello\n", name
            assert Cache(tmp_path / "cache").find(hello) is not None, name


def test_a_cache_that_is_emptied_while_it_is_used(tmp_path: Path) -> None:
    """H3: what is mapped stays; the rest is compiled again."""
    two_sites(tmp_path)
    with gunicorn(tmp_path) as server:
        serves(server)
        shutil.rmtree(tmp_path / "cache")
        before = server.pids()
        for _ in range(10):
            assert get(server.address, "/hello").status == 200
        is_compiled(server, "/silent")
        assert get(server.address, "/silent").status == 502
        assert server.pids() == before


TERM = "(i32.mul (i32.add " * 40 + "(local.get 0)" + " (i32.const 3)) (i32.const 5))" * 40
SLOW = (
    f'(module (memory (export "memory") 1) (func (export "_start")) {f"(func (param i32) (result i32) {TERM})" * 3000})'
)
"""A module that takes a while to compile."""


def test_the_next_one_compiles_when_the_first_is_killed(tmp_path: Path) -> None:
    """H4: processes wait for the one that compiles; when that dies, the kernel frees its lock."""
    (tmp_path / "slow.wat").write_text(SLOW)
    (tmp_path / "site.yaml").write_text("routes: {/slow: {module: slow.wat}}\n")
    (tmp_path / "cache").mkdir(mode=0o700)
    first = subprocess.Popen(compiling(tmp_path), env=environment(), start_new_session=True)
    wait_for("the lock", lambda: bool(list((tmp_path / "cache").glob("*.lock"))) or first.poll() is not None)
    others = [subprocess.Popen(compiling(tmp_path), env=environment()) for _ in range(3)]
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert [other.wait(120) for other in others] == [0, 0, 0]
    assert len(list((tmp_path / "cache").glob("*.cwasm"))) == 1
    assert not list((tmp_path / "cache").glob(".making-*"))


def answering(text: str) -> bytes:
    """`hello` with another answer of the same size."""
    return guest("hello").read_bytes().replace(b"hello\\n", text.encode() + b"\\n")


def test_modules_that_change_while_they_are_served(tmp_path: Path) -> None:
    """H5: in place, by rename, with the old size and time, half written, gone."""
    site_of(tmp_path)
    module = tmp_path / "hello.wat"
    assert answering("salve") != module.read_bytes(), "the guest's text is as expected"

    def says(text: str) -> bool:
        answer = get(server.address, "/hello")
        assert answer.status == 200
        return answer.text == f"{text}\n"

    with gunicorn(tmp_path) as server:
        serves(server)
        module.write_bytes(answering("salve"))
        wait_for("the new text", lambda: says("salve"))
        kept = module.stat()
        fresh = tmp_path / "fresh"
        fresh.write_bytes(answering("hallo"))
        os.utime(fresh, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        fresh.replace(module)
        wait_for("the text of a file with the old time", lambda: says("hallo"))
        module.write_bytes(answering("halbe")[:-50])
        wait_for("the mistake in the log", lambda: says("hallo") and "the last good one stays in use" in server.log())
        module.unlink()
        wait_for("the loss in the log", lambda: says("hallo") and "No such file" in server.log())
        module.write_bytes(answering("holla"))
        wait_for("the last text", lambda: says("holla"))


def test_modules_that_are_no_files(tmp_path: Path) -> None:
    """H5: a pipe, a device and a directory in a module's place are named, and keep no thread."""
    site_of(tmp_path, "silent", "env", "echo", keys={"concurrency": 1})
    os.mkfifo(tmp_path / "pipe")
    for name, target in {"silent": "pipe", "env": "/dev/zero", "echo": "."}.items():
        module = tmp_path / guest(name).name
        module.unlink()
        module.symlink_to(target)
    with gunicorn(tmp_path, threads=2) as server:
        serves(server)
        for name in ("silent", "env", "echo") * 2:
            assert get(server.address, f"/{name}").status == 503
            assert guest(name).name in server.log()
        serves(server)
