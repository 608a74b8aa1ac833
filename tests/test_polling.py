"""Threads that look again and again, and begin only when there is something to look at."""

from __future__ import annotations

import threading

import pytest

from wsgi_wasm.errors import Unavailable
from wsgi_wasm.polling import PollingThread


def test_looks_while_there_is_work_and_sleeps_after_it() -> None:
    work: dict[str, None] = {}
    looked, emptied = threading.Event(), threading.Event()

    def look() -> None:
        (looked if work else emptied).set()

    thread = PollingThread("wsgi_wasm-test", 0.01, work, look)
    assert thread.asleep
    for _ in range(2):
        work["one"] = None
        thread.wake()
        assert looked.wait(60)
        work.clear()
        emptied.clear()
        assert emptied.wait(60)
        while not thread.asleep:
            emptied.clear()
            emptied.wait(1)
        looked.clear()


def test_tries_again_where_there_was_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    thread = PollingThread("wsgi_wasm-test", 0.01, ["one"], looked.set)

    def fails(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fails)
        for _ in range(2):
            with pytest.raises(
                Unavailable, match="no thread can be started for a clock of limits: can't start new thread"
            ):
                thread.wake()
    assert thread.asleep
    thread.wake()
    assert looked.wait(60)
