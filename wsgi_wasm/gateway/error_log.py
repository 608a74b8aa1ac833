"""A guest's standard error as log lines: bounded, and with nothing in them that a
terminal would obey."""

from __future__ import annotations

from typing import Protocol

from wsgi_wasm.logs import ABOUT, package_log
from wsgi_wasm.messages import printable

log = package_log("guest")

_MAX_LINE = 4096  # bytes; a longer line becomes several


class OfRoute(Protocol):
    """What is said of a program: `label` is its route and its own name."""

    route: str
    name: str
    label: str


class ErrorLog:
    """Standard error of one run of `program`. After `limit` bytes one line says that the rest is
    dropped."""

    __slots__ = ("_identity", "_partial", "_program", "left")

    def __init__(self, program: OfRoute, identity: str, limit: int) -> None:
        self._program = program
        self._identity = identity
        self.left = limit  # bytes that are still logged
        self._partial = b""

    @property
    def label(self) -> str:
        """For other log lines about the run: route, program and request id."""
        return f"{self._program.label} [{self._identity}]"

    def write(self, data: bytes) -> None:
        """Log the lines that are whole."""
        if self.left <= 0:
            return
        self.left -= len(data)
        if self.left <= 0:
            data = data[: len(data) + self.left]
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._log(line)
        while len(self._partial) > _MAX_LINE:
            self._log(self._partial[:_MAX_LINE])
            self._partial = self._partial[_MAX_LINE:]
        if self.left <= 0:
            self.close()
            self._say("standard error exceeds max_stderr; the rest is dropped")

    def close(self) -> None:
        """Log a last line that has no end."""
        if self._partial:
            self._log(self._partial)
            self._partial = b""

    def _log(self, line: bytes) -> None:
        self._say(printable(line.rstrip(b"\r").decode("utf-8", "backslashreplace"), tabs=True))

    def _say(self, text: str) -> None:
        program = self._program
        about = {"route": program.route, "program": program.name, "request_id": self._identity}
        log.warning("%s [%s] %s", program.label, self._identity, text, extra={ABOUT: about})
