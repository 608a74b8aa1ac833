"""SQLite files that several processes write at a time: how one is made, opened and bounded."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.files.beneath import open_real

_BUSY = 5.0  # seconds that a statement waits for another writer, unless the run ends before
_SLICE = 0.05  # seconds of that between two looks at the clock
_STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock; some 100 us

_OCCUPIED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

T = TypeVar("T")


class SqliteConnection:
    """A connection that no statement holds up for longer than the run that uses it may last."""

    def __init__(self, path: Path, max_size: int, host: HostState | None = None, cached_statements: int = 32) -> None:
        """Makes the file where there is none, readable by this user alone. `path` has no links;
        `host` is of the run that waits for it. Raises sqlite3.Error, OSError, Stop."""
        _make(path)
        self._path = path
        self._opened = _identity(path)
        self.host_state = host
        # A connection serves one thread at a time, though not always the same one.
        self.raw = sqlite3.connect(
            path, timeout=_SLICE, isolation_level=None, check_same_thread=False, cached_statements=cached_statements
        )
        try:
            # SQLite refuses this at once while others open the same new file.
            self.patiently(lambda: self.raw.execute("PRAGMA journal_mode = WAL").fetchall(), at_once=True)
            # SQLite opens by path, and follows what links there are by then.
            if self.is_stale():
                raise OSError(errno.ESTALE, "another file was put in its place while it was opened", str(path))
            # In WAL mode a crash of the machine may undo the last commits, and damages nothing.
            self.raw.execute("PRAGMA synchronous = NORMAL")
            (page_size,) = self.raw.execute("PRAGMA page_size").fetchone()
            self.raw.execute(f"PRAGMA max_page_count = {max(1, max_size // page_size)}")
            self.raw.set_progress_handler(self._interrupt, _STEPS)
        except BaseException:
            self.raw.close()
            raise

    def serve(self, host: HostState | None) -> None:
        """From now on statements end when this run must end; None between runs."""
        self.host_state = host

    def patiently(self, work: Callable[[], T], at_once: bool = False) -> T:
        """Do what may have to wait for other writers, for some seconds at most and until the run's
        end. Raises sqlite3.Error, Stop.

        Where SQLite itself sees that waiting would be in vain it refuses at once, and so does this,
        unless `at_once`.
        """
        until = 0.0
        while True:
            began = time.monotonic()
            try:
                return work()
            except sqlite3.OperationalError as error:
                until = until or began + _BUSY
                now = time.monotonic()
                has_waited = at_once or now - began >= 0.8 * _SLICE
                if error.sqlite_errorcode not in _OCCUPIED or not has_waited or now > until:
                    raise
            if self.host_state is not None:
                self.host_state.look()
            if at_once:
                time.sleep(0.01)

    def _interrupt(self) -> bool:
        return self.host_state is not None and self.host_state.is_over()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with the file locked for writing from the beginning: what is
        read stays true."""
        self.patiently(lambda: self.raw.execute("BEGIN IMMEDIATE"))
        try:
            yield
            self.raw.execute("COMMIT")
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Roll back what is open, if anything."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")

    def is_stale(self) -> bool:
        """Whether the file has been taken away, or another put in its place."""
        try:
            return _identity(self._path) != self._opened
        except OSError:
            return True

    def close(self) -> None:
        self.raw.set_progress_handler(None, 0)
        self.raw.close()


def _identity(path: Path) -> tuple[int, int]:
    # Closing this kind of descriptor drops no locks.
    descriptor = open_real(path, os.O_PATH)
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    # The directory may hold other guests' data: it is nobody else's to look into.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never opened where it is there: closing a descriptor of it would drop the locks that this
    # process's other connections hold (fcntl(2), and sqlite.org/howtocorrupt.html 2.2).
    folder = open_real(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with suppress(FileExistsError):
            os.close(os.open(path.name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder))
    finally:
        os.close(folder)
