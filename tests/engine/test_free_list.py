"""Taking and giving back, by more threads than there are things."""

from __future__ import annotations

import threading
import time

import pytest

from wsgi_wasm.engine.free_list import FreeList


def test_the_last_given_back_comes_first() -> None:
    free = FreeList([1, 2, 3])
    taken = [free.take(0) for _ in range(3)]
    free.give(taken[1])
    free.give(taken[0])
    assert free.take(0) == taken[0]


def test_an_empty_one_is_waited_for_no_longer_than_said() -> None:
    free: FreeList[int] = FreeList([])
    for timeout in (0, -1, 0.05):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            free.take(timeout)
        assert time.monotonic() - started >= timeout


def test_who_waits_gets_what_is_given_back() -> None:
    free: FreeList[str] = FreeList([])
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(free.take(20))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for item in "abcde":
        free.give(item)
    for thread in threads:
        thread.join(20)
    assert sorted(got) == list("abcde")


def test_none_is_lost_and_none_is_held_twice() -> None:
    things = [[0] for _ in range(3)]
    free = FreeList(things)
    wrong: list[int] = []

    def work() -> None:
        for _ in range(500):
            thing = free.take(20)
            thing[0] += 1
            if thing[0] != 1:
                wrong.append(thing[0])
            time.sleep(0)
            thing[0] -= 1
            free.give(thing)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert sorted(map(id, (free.take(0) for _ in things))) == sorted(map(id, things))
