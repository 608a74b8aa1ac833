"""Connections that outlive a request: how many, and for how long."""

from __future__ import annotations

import time
from functools import partial

import pytest

from servers.process import wait_for
from wsgi_wasm.hostapi import pool as pools
from wsgi_wasm.hostapi.pool import ConnectionPool

Pool = ConnectionPool["Connection"]


class Connection:
    """One that says whether it is open."""

    def __init__(self) -> None:
        self.open = True

    def close(self) -> None:
        assert self.open
        self.open = False

    def is_stale(self) -> bool:
        return False


def given_back(pool: Pool, count: int) -> list[Connection]:
    """So many, which were all in use at the same time."""
    taken = [pool.take(Connection) for _ in range(count)]
    for one in taken:
        pool.give_back(one)
    return taken


def test_a_few_stay_open() -> None:
    pool = Pool()
    assert [one.open for one in given_back(pool, 10)] == [True] * 8 + [False] * 2


def test_the_least_wanted_are_closed_first() -> None:
    pool = Pool()
    early = given_back(pool, 3)
    between = time.monotonic()
    late = pool.take(Connection)
    assert late is early[2]
    pool.give_back(late)
    assert pool.close_idle(between)
    assert [one.open for one in early] == [False, False, True]
    assert not pool.close_idle(time.monotonic())
    assert not late.open
    assert pool.take(Connection) is not late


def test_nobody_needs_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread closes them, also after it has slept for want of work."""
    monkeypatch.setattr(pools, "IDLE", 0.0)
    monkeypatch.setattr(pools, "_LOOK_EVERY", 0.01)
    monkeypatch.setattr(pools, "_closer", pools.IdleCloser())
    pool = Pool()

    def closed(kept: list[Connection]) -> bool:
        return not any(one.open for one in kept)

    for _ in range(2):
        wait_for("idle connections to be closed", partial(closed, given_back(pool, 3)))
        wait_for("the thread to sleep", lambda: pools._closer._thread.asleep)


def test_in_use_is_not_idle() -> None:
    pool = Pool()
    one, _ = pool.take(Connection), given_back(pool, 1)
    pool.close_idle(time.monotonic())
    assert one.open
