"""The directory in which mail waits, shared by all processes of a server and by its next start.

A message is a file that is there whole or not at all: written aside, flushed to the disk, renamed.
Who hands it on holds a lock on it, which the kernel frees when that process ends. Beside it lies,
after the first try, what has become of it so far; that file's time is when the next try is due.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.locks import locked_file
from wsgi_wasm.files.replace import MAKING
from wsgi_wasm.hostapi.mail.message import Envelope
from wsgi_wasm.messages import escaped

_SUFFIX, _TRIES = ".mail", ".tries"
_FAILED = "failed"  # the directory of what has not been taken
_PIECE = 1 << 18
MOST_WAITING = 10_000  # messages
_MINUTE = 60.0
_STALE = 3600.0  # seconds after which a file that was being written has been left behind


class Full(Exception):
    """No more messages are taken now; the text says why."""


@dataclass(slots=True)
class Tries:
    """What has become of a message: how often it was tried, who still waits for it, and whose
    server has refused it, with its words."""

    times: int
    recipients: list[str]
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Waiting:
    """A message that this process has for itself until it is closed."""

    name: str
    route: str
    sender: str
    made: float
    tries: Tries
    data: bytes


class MailSpool:
    """Raises UntrustedFile where the directory cannot be made, or others can write to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = TrustedDirectory(directory).directory

    def put(self, route: str, envelope: Envelope, data: bytes, look: Callable[[], None]) -> str:
        """Keep a message: once this returns, it is on the disk. The name that it has. Raises
        OSError, Full."""
        if sum(1 for _ in self._names()) >= MOST_WAITING:
            raise Full(f"{MOST_WAITING} messages wait in {escaped(self.directory)}")
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        head = {
            "route": route, "from": envelope.sender, "to": list(envelope.recipients), "made": time.time(),
        }  # fmt: skip
        making = self.directory / f"{MAKING}{name}"
        try:
            with open(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(json.dumps(head).encode() + b"\n")
                for begin in range(0, len(data), _PIECE):
                    file.write(data[begin : begin + _PIECE])
                    look()
                file.flush()
                os.fsync(file.fileno())
            os.rename(making, self.directory / f"{name}{_SUFFIX}")
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(making)
            raise
        self._flush_names(self.directory)
        return name

    def due(self) -> Iterator[str]:
        """The names of messages that are to be tried now, the oldest first."""
        now = time.time()
        for name in sorted(self._names()):
            try:
                moment = (self.directory / f"{name}{_TRIES}").stat().st_mtime
            except OSError:
                moment = 0.0
            if moment <= now:
                yield name

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not list(self._names())

    @contextlib.contextmanager
    def taken(self, name: str) -> Iterator[Waiting | None]:
        """A message for this process alone; None where another has it, or it has gone."""
        path = self.directory / f"{name}{_SUFFIX}"
        try:
            file = open(path, "rb")  # noqa: SIM115
        except FileNotFoundError:
            yield None
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            if os.fstat(file.fileno()).st_nlink == 0 or not path.exists():
                yield None
                return
            head = json.loads(file.readline())
            tries = self._tries(name) or Tries(0, list(head["to"]))
            yield Waiting(name, str(head["route"]), str(head["from"]), float(head["made"]), tries, file.read())

    def done(self, waiting: Waiting) -> Path | None:
        """Nobody waits for the message any more: it goes, or where somebody's server has refused
        it, it is kept with the reasons; where that is. Raises OSError."""
        path, kept = self.directory / f"{waiting.name}{_SUFFIX}", None
        if waiting.tries.refused:
            failed = self.directory / _FAILED
            failed.mkdir(mode=0o700, exist_ok=True)
            kept = failed / path.name
            self._write(failed / f"{waiting.name}.txt", "".join(
                f"{address}: {why}\n" for address, why in waiting.tries.refused.items()
            ).encode())  # fmt: skip
            os.rename(path, kept)
            self._flush_names(failed)
        else:
            os.unlink(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.directory / f"{waiting.name}{_TRIES}")
        self._flush_names(self.directory)
        return kept

    def later(self, waiting: Waiting, seconds: float) -> None:
        """It is tried again after so long. Raises OSError."""
        tries = waiting.tries
        path = self.directory / f"{waiting.name}{_TRIES}"
        words = {"times": tries.times, "to": tries.recipients, "refused": tries.refused}
        self._write(path, json.dumps(words).encode(), time.time() + seconds)

    def admit(self, route: str, most: int) -> None:
        """Count a message of a route, over all processes. Raises Full where there were `most` in
        the last minute; OSError."""
        safe = route.encode().hex()[:120]
        with locked_file(self.directory / f".rate-{safe}.lock"):
            path = self.directory / f".rate-{safe}"
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                data = b""
            now = time.time()
            times = [one for (one,) in struct.iter_unpack("<d", data[: len(data) // 8 * 8]) if 0 <= now - one < _MINUTE]
            if len(times) >= most:
                raise Full(f"{most} messages in the last minute (per_minute)")
            path.write_bytes(struct.pack(f"<{len(times) + 1}d", *times, now))

    def sweep(self) -> None:
        """Remove what was being written when its process ended, and tries of messages that have
        gone."""
        with os.scandir(self.directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # it has gone by now
                    old = entry.name.startswith(MAKING) and time.time() - entry.stat().st_mtime > _STALE
                    mail = self.directory / f"{entry.name.removesuffix(_TRIES)}{_SUFFIX}"
                    if old or (entry.name.endswith(_TRIES) and not mail.exists()):
                        os.unlink(entry.path)

    def _names(self) -> Iterator[str]:
        with os.scandir(self.directory) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                    yield entry.name.removesuffix(_SUFFIX)

    def _tries(self, name: str) -> Tries | None:
        try:
            words = json.loads((self.directory / f"{name}{_TRIES}").read_bytes())
            return Tries(int(words["times"]), [str(one) for one in words["to"]], dict(words["refused"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, path: Path, data: bytes, moment: float | None = None) -> None:
        making = self.directory / f"{MAKING}{path.name}"
        with open(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if moment is not None:
            os.utime(making, (moment, moment))
        os.rename(making, path)

    def _flush_names(self, directory: Path) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
