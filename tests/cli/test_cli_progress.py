"""Many modules: several at a time, with progress on a terminal and an end by Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import threading
from functools import partial
from pathlib import Path

import pytest

from guests.bomb import bomb
from servers.proc import every_pid, living, parent
from servers.process import wait_for
from wsgi_wasm.cli.parallel import Task, in_parallel

from .conftest import Command
from .programs import PLAIN, printing
from .terminals import CTRL_C, session

LINE = re.compile(rb"\r\x1b\[K(\[[^\r\n]*)")


def programs(folder: Path, count: int, *, hard: bool = False) -> None:
    folder.mkdir()
    for number in range(count):
        if hard:
            (folder / f"{number:02}.wasm").write_bytes(bomb(variables=2000 + number))
        else:
            (folder / f"{number:02}.wat").write_text(printing(f"{PLAIN}{number} of {folder}"))


def test_several_at_a_time_and_in_order() -> None:
    """Each of two waits for the other, which one after the other would do for ever."""
    both = threading.Barrier(2, timeout=500)

    def work(number: int) -> int:
        if number < 2:
            both.wait()
        return number

    assert list(in_parallel("doing", [Task(str(n), partial(work, n)) for n in range(20)])) == list(range(20))
    assert list(in_parallel("doing", [])) == []


def test_what_one_raises_comes_in_its_turn() -> None:
    tasks = [Task("1", lambda: 1), Task("2", lambda: int("no number")), Task("3", lambda: 3)]
    results = in_parallel("doing", tasks)
    assert next(results) == 1
    with pytest.raises(ValueError, match="no number"):
        next(results)
    assert list(results) == []


def test_where_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert list(in_parallel("doing", [Task("a", lambda: "a"), Task("b", lambda: "b")])) == ["a", "b"]


@pytest.mark.parametrize("columns", [100, 40, 1])
@pytest.mark.parametrize("command", ["check", "compile"])
def test_a_bar_on_a_terminal(command: str, columns: int, tmp_path: Path) -> None:
    programs(tmp_path / "programs", 12)
    with session(tmp_path, command, "programs", columns=columns, cache=tmp_path / "cache") as terminal:
        assert terminal.end() == 0
    lines = LINE.findall(terminal.shown)
    assert lines
    assert all(len(line) < max(columns, 20) for line in lines), "what is longer could not be written over"
    size = min(30, max(columns, 20) // 3)
    assert all(re.match(rb"\[#*\.*\] ", line) and line.index(b"]") == size + 1 for line in lines)
    # What is left at the end is the result alone.
    after = terminal.shown.rpartition(b"\r\x1b[K")[2]
    assert b"compiling" not in after


def test_no_bar_elsewhere(wsgi_wasm: Command, tmp_path: Path) -> None:
    programs(tmp_path / "programs", 3)
    for command in ("check", "compile"):
        done = wsgi_wasm(command, "programs", cache=tmp_path / command)
        assert (done.status, "\x1b" in done.err + done.text, "#" in done.err) == (0, False, False)


def test_every_program_of_a_directory_is_examined(wsgi_wasm: Command, tmp_path: Path) -> None:
    programs(tmp_path / "programs", 55)
    (tmp_path / "programs" / "54.wat").write_text("(module")
    done = wsgi_wasm("check", "programs", "--json", cache=tmp_path / "cache")
    route = json.loads(done.out)["routes"][0]
    assert done.status == 1
    assert [error.partition(":")[0] for error in route["errors"]] == ["54.wat"]
    assert (len(route["scripts"]), route["more_scripts"]) == (50, True)


@pytest.mark.parametrize("command", ["check", "compile", "serve"])
def test_ctrl_c_ends_compilers_too(command: str, tmp_path: Path) -> None:
    programs(tmp_path / "programs", 6, hard=True)
    cache = tmp_path / "cache"
    bind = ["--bind", "127.0.0.1:0"] if command == "serve" else []
    with session(tmp_path, command, "programs", *bind, columns=200, cache=cache) as terminal:
        # Two compilers at least, past their start.
        terminal.read_until(lambda shown: re.search(rb"01\.wasm [1-9][0-9]* s", shown) is not None)
        compilers: list[int] = []

        def several() -> bool:
            compilers[:] = [pid for pid in every_pid() if _is_child(pid, terminal.process.pid)]
            return len(compilers) >= 2

        wait_for("two compilers", several)
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert b"Traceback" not in terminal.shown
    for pid in compilers:
        while living(pid):
            os.sched_yield()
    assert not list(cache.glob("*.failed")), "the modules are not broken"


def _is_child(pid: int, of: int) -> bool:
    try:
        return parent(pid) == of
    except ProcessLookupError:
        return False
