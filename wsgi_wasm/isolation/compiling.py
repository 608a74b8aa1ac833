"""Compilers for a process that can start none itself: the spawner forks them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from collections.abc import Sequence
from typing import Self

from wsgi_wasm.engine.code.child import Usage, usage_in
from wsgi_wasm.errors import Unavailable
from wsgi_wasm.isolation.rendezvous import Meeting

_PIECE = 1 << 16
_LAST_WORDS = 5.0  # seconds between the end of its output and its own


class RemoteCompiler:
    """As `engine.code.child.CompilerProcess`. Raises OSError where the spawner starts none."""

    def __init__(self, meeting: Meeting, arguments: Sequence[str]) -> None:
        self.returncode: int | None = None
        self._output = {0: b"", 1: b""}
        reading, self._lifeline = os.pipe()
        outputs = [os.pipe() for _ in range(2)]
        self._open = {read: nth for nth, (read, _) in enumerate(outputs)}
        try:
            given = [reading, *(write for _, write in outputs)]
            self._connection, words, found = meeting.begin({"compile": list(arguments)}, given)
        except Unavailable as error:
            self._close(self._lifeline, *self._open)
            raise OSError(str(error)) from None
        finally:
            self._close(reading, *(write for _, write in outputs))
        self._usage = found
        if "pid" not in words:
            self.__exit__()
            raise OSError(str(words.get("error", "the spawner starts no compiler")))

    def communicate(self, timeout: float) -> tuple[bytes, bytes] | None:
        """As `CompilerProcess.communicate`."""
        until = time.monotonic() + timeout
        while self._open:
            ready, _, _ = select.select(list(self._open), (), (), max(0.0, until - time.monotonic()))
            if not ready:
                return None
            for descriptor in ready:
                data = os.read(descriptor, _PIECE)
                self._output[self._open[descriptor]] += data
                if not data:
                    del self._open[descriptor]
                    os.close(descriptor)
        self._connection.settimeout(_LAST_WORDS)
        with contextlib.suppress(OSError, ValueError, KeyError):
            self.returncode = int(json.loads(self._connection.recv(_PIECE))["status"])
        return self._output[0], self._output[1]

    def usage(self) -> Usage | None:
        """As `CompilerProcess.usage`: from the process's own files, which the spawner has
        opened."""
        try:
            statm, stat = (os.pread(descriptor, 4096, 0) for descriptor in self._usage)
        except (OSError, ValueError):
            return None
        return usage_in(statm, stat)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # The spawner ends what has lost its connection.
        self._connection.close()
        self._close(self._lifeline, *self._open, *self._usage)

    @staticmethod
    def _close(*descriptors: int) -> None:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
