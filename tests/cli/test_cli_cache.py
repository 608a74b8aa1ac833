"""`wsgi-wasm cache`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wsgi_wasm.interpreters.python import INTERPRETER

from .conftest import Command
from .programs import PLAIN, printing

DAYS = 86400


def aged(path: Path, days: float) -> Path:
    then = time.time() - days * DAYS
    os.utime(path, (then, then))
    return path


def age_modules(cache: Path, name: str, days: float) -> None:
    """Say that the artefact of a module was last loaded so long ago."""
    (note,) = (note for note in cache.glob("*.json") if name in note.read_text())
    for path in (note, note.with_suffix(".cwasm"), note.with_suffix(".lock")):
        aged(path, days)


@pytest.fixture
def cache(wsgi_wasm: Command, site: Callable[[str], Path], tmp_path: Path) -> Path:
    """Two compiled modules, one of them not used for 40 days; interpreters, copies, leavings of processes that died."""
    cache = tmp_path / "cache"
    for name in ("old", "new"):
        (tmp_path / f"{name}.wat").write_text(printing(f"{PLAIN}{name}"))
    site("routes: {/old: {module: old.wat}, /new: {module: new.wat}}")
    assert wsgi_wasm("compile", "site.yaml", cache=cache).status == 0
    age_modules(cache, "old.wat", 40)
    (cache / "files" / ("0" * 32) / "deep").mkdir(parents=True)
    (cache / "files" / ("0" * 32) / "deep" / "page").write_text("x" * 2000)
    (cache / "files" / ".1111-unfinished").mkdir()
    for name in (".making-x", "python-0123456789abcdef.wasm", INTERPRETER.path(cache).name, "last-good-00.yaml"):
        (cache / name).write_text("x" * 3000)
    (cache / "f00.source").write_text("0" * 64)
    (cache / f"{'a' * 64}-{'b' * 16}.lock").write_text("")
    for path in [*cache.glob("*.wasm"), *cache.glob(".m*"), *cache.glob("[af]*"), *cache.glob("files/*")]:
        aged(path, 35)
    (cache / "unknown").write_text("somebody's")
    aged(cache / "unknown", 400)
    aged(cache / "last-good-00.yaml", 400)
    return cache


def names(cache: Path) -> set[str]:
    """Without digests of files and those of modules."""
    found = {path.relative_to(cache).as_posix() for path in cache.rglob("*")}
    return {name for name in found if len(name) < 60}


def test_what_is_there(wsgi_wasm: Command, cache: Path, tmp_path: Path) -> None:
    done = wsgi_wasm("cache", "list", "--cache", cache)
    lines = [line.split() for line in done.text.splitlines()]
    assert done.status == 0
    assert [line[0] for line in lines] == ["kind", "module", "python", "python", "files", "module"]
    assert lines[1][-1] == str(tmp_path / "old.wat")
    assert lines[5][-1] == str(tmp_path / "new.wat")
    assert [
        line
        for line in done.text.splitlines()
        if "this version's" in line and INTERPRETER.path(cache).name[:16] in line
    ]
    assert "KiB" in done.err


def test_what_is_not_used_any_more_goes(wsgi_wasm: Command, cache: Path) -> None:
    before = names(cache)
    dry = wsgi_wasm("cache", "prune", "--dry-run", "--cache", cache)
    assert names(cache) == before
    done = wsgi_wasm("cache", "prune", "--cache", cache)
    assert (done.status, done.text) == (0, dry.text)
    assert [line.split()[0] for line in done.text.splitlines()] == ["kind", "module", "python", "files"]
    assert done.err.replace("freed", "could be freed") == dry.err
    assert len([*cache.glob("*.cwasm")]) == len([*cache.glob("*.json")]) == len([*cache.glob("*.lock")]) == 1
    assert names(cache) - {path.name for path in cache.glob("*.source")} == {
        *("files", INTERPRETER.path(cache).name, "last-good-00.yaml", "unknown"),
    }
    assert not (cache / "f00.source").exists()
    assert wsgi_wasm("compile", "site.yaml", cache=cache).text.count("cached") == 1


def test_how_long_is_up_to_the_administrator(wsgi_wasm: Command, cache: Path) -> None:
    assert wsgi_wasm("cache", "prune", "--days", "100", "--cache", cache).text == ""
    assert "files" not in wsgi_wasm("cache", "prune", "--days", "37.5", "--cache", cache).text
    wsgi_wasm("cache", "prune", "--days", "0", "--cache", cache)
    assert not [*cache.glob("*.cwasm")]
    assert INTERPRETER.path(cache).exists()


def test_what_is_made_right_now_stays(wsgi_wasm: Command, cache: Path) -> None:
    import fcntl

    (lock,) = (one.with_suffix(".lock") for one in cache.glob("*.json") if "old.wat" in one.read_text())
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "module" not in wsgi_wasm("cache", "prune", "--cache", cache).text
    assert "module" in wsgi_wasm("cache", "prune", "--cache", cache).text


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["list", "--cache", "nowhere"], 1, "cache directory nowhere does not exist"),
        (["prune", "--days", "soon"], 2, "'soon' is not a number of days from 0 to 36500"),
        (["prune", "--days", "-1"], 2, "'-1' is not a number of days from 0 to 36500"),
        (["clear"], 2, "choose from"),
    ],
)
def test_usage(wsgi_wasm: Command, arguments: list[str], status: int, words: str) -> None:
    done = wsgi_wasm("cache", *arguments)
    assert done.status == status
    assert words in done.err


def test_a_cache_that_others_can_write_is_left_alone(wsgi_wasm: Command, cache: Path) -> None:
    cache.chmod(0o777)
    before = names(cache)
    done = wsgi_wasm("cache", "prune", "--cache", cache)
    assert (done.status, names(cache)) == (1, before)
    assert "can be written by its group or by others" in done.err
