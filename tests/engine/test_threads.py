"""Where a thread cannot be had: what that costs the guest that needs it, and that those after it run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.loading import INVOCATION, Limits, compiled, component, linker, load, program
from wsgi_wasm.engine.capi import core
from wsgi_wasm.engine.guest import Preopen
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS
from wsgi_wasm.engine.outcome import End
from wsgi_wasm.engine.program.pool import Engine, program_engine
from wsgi_wasm.engine.runtime import Ticker, runtime
from wsgi_wasm.engine.stuck_calls import ThreadWatch
from wsgi_wasm.errors import Unavailable
from wsgi_wasm.files.beneath import Folder

WATCH, TICKER = "wsgi_wasm-watch", "wsgi_wasm-ticker"


@contextmanager
def no_thread(name: str, error: Exception) -> Iterator[None]:
    """While none of this name can be started."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == name:
            raise error
        start(thread)

    with pytest.MonkeyPatch.context() as context:
        context.setattr(threading.Thread, "start", refuse)
        yield


@pytest.mark.parametrize("text", [program(), component()], ids=["program", "component"])
def test_a_slot_is_given_back_where_nobody_can_look_on(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a guest with directories, in a pool for one guest."""
    watch = ThreadWatch()
    monkeypatch.setattr("wsgi_wasm.engine.pooled_guest.watch", watch)
    preopens = (Preopen(b"/data", Folder.at(tmp_path), writable=False),)
    guest = load(compiled(text), linker(1)).guest(Limits(queue_timeout=0.0), preopens, lambda: NO_BINDINGS)
    with no_thread(WATCH, RuntimeError("can't start new thread")):
        assert guest.run(INVOCATION).end is End.RETURNED
    with no_thread(WATCH, MemoryError()):
        for _ in range(2):
            with pytest.raises(MemoryError):
                guest.run(INVOCATION)
    assert guest.run(INVOCATION).end is End.RETURNED
    assert not watch._running
    assert watch._polling._thread is not None


def test_the_clock_of_guests_is_tried_again() -> None:
    """Without it no limit would end a guest."""
    ticker = Ticker(list)
    with no_thread(TICKER, RuntimeError("can't start new thread")):
        for _ in range(2):
            with pytest.raises(Unavailable, match="no thread can be started for the clock of guests: can't start new"):
                ticker.wake()
    ticker.wake()
    assert ticker._thread is not None
    assert ticker._thread.is_alive()


def test_an_engine_that_is_being_freed_is_given_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads run while the C library frees one, and weak references to it are still good then. Whoever got it
    would load code for an engine that is gone, which ends the process."""
    features = frozenset({"relaxed_simd"})  # no other test's engine
    engine = program_engine(features, 0, 1)
    old = engine.pointer
    found: list[Engine] = []
    listed: list[int] = []
    delete = core.engine_delete

    def meanwhile(pointer: int) -> None:
        if pointer == old:
            found.append(program_engine(features, 0, 1))
            listed.extend(one.pointer for one in runtime().engines())
        delete(pointer)

    monkeypatch.setattr(core, "engine_delete", meanwhile)
    del engine
    assert len(found) == 1
    assert found[0].pointer not in (0, old)
    assert found[0].pointer in listed
    assert not {0, old} & set(listed)
