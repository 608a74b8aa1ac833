"""SQLite files that several processes write at a time: how one is made, opened and bounded."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wsgi_wasm.engine.hostcalls.host_api import HostState

_BUSY = 5.0  # seconds that a statement waits for another writer, unless the run ends before
_STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock; some 100 us


class SqliteConnection:
    """A connection that no statement holds up for longer than the run that uses it may last."""

    def __init__(self, path: Path, max_size: int, cached_statements: int = 32) -> None:
        """Makes the file where there is none, readable by this user alone.
        Raises sqlite3.Error, OSError."""
        _make(path)
        self._path = path
        self._opened = _identity(path)
        self._host_state: HostState | None = None
        self._busy = -1
        self.by_host = False  # while a statement of the host's own runs, among those of a guest
        # A connection serves one thread at a time, though not always the same one.
        self.raw = sqlite3.connect(
            path, timeout=_BUSY, isolation_level=None, check_same_thread=False, cached_statements=cached_statements
        )
        try:
            _with_patience(self.raw, "PRAGMA journal_mode = WAL")
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
        self._host_state = host
        if host is not None:
            self.wait_no_longer()

    def wait_no_longer(self) -> None:
        """Let statements wait for other writers until the run's end at most."""
        remaining = self._host_state.remaining() if self._host_state is not None else _BUSY
        busy = int(1000 * max(0.0, min(_BUSY, remaining)))
        if busy != self._busy:
            self._busy = busy
            self.by_host = True
            try:
                self.raw.execute(f"PRAGMA busy_timeout = {busy}")
            finally:
                self.by_host = False

    def _interrupt(self) -> bool:
        return self._host_state is not None and self._host_state.expired()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with the file locked for writing from the beginning: what is
        read stays true."""
        self.raw.execute("BEGIN IMMEDIATE")
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
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    # The directory may hold other guests' data: it is nobody else's to look into.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Never opened where it is there: closing a descriptor of it would drop the locks that this
    # process's other connections hold (fcntl(2), and sqlite.org/howtocorrupt.html 2.2).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _with_patience(connection: sqlite3.Connection, statement: str) -> None:
    """Run a statement that SQLite refuses at once, without waiting, while others open the
    same new file."""
    until = time.monotonic() + _BUSY
    while True:
        try:
            connection.execute(statement).fetchall()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or time.monotonic() > until:
                raise
        time.sleep(0.01)
