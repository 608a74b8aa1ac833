"""A guest's standard error as log lines: bounded, and with nothing in them that a
terminal would obey."""

from __future__ import annotations

from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import printable

log = package_log("guest")

_MAX_LINE = 4096  # bytes; a longer line becomes several


class ErrorLog:
    """Standard error of one run; `label` is its route and program. After `limit` bytes one line
    says that the rest is dropped."""

    __slots__ = ("_identity", "_label", "_partial", "left")

    def __init__(self, label: str, identity: str, limit: int) -> None:
        self._label = label
        self._identity = identity
        self.left = limit  # bytes that are still logged
        self._partial = b""

    @property
    def label(self) -> str:
        """For other log lines about the run: route, program and request id."""
        return f"{self._label} [{self._identity}]"

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
            log.warning("%s [%s] standard error exceeds max_stderr; the rest is dropped", self._label, self._identity)

    def close(self) -> None:
        """Log a last line that has no end."""
        if self._partial:
            self._log(self._partial)
            self._partial = b""

    def _log(self, line: bytes) -> None:
        text = printable(line.rstrip(b"\r").decode("utf-8", "backslashreplace"), tabs=True)
        log.warning("%s [%s] %s", self._label, self._identity, text)
