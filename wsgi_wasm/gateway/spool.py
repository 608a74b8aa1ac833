"""Where larger request bodies lie: unlinked files that are used again."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.errors import Unavailable
from wsgi_wasm.files.room import unwritable
from wsgi_wasm.messages import escaped, reason, size_text

SPOOL_SIZE = 1 << 20  # bytes; a larger body goes to an unlinked temporary file
KEPT = 8  # such files that a process keeps for later bodies
KEPT_SIZE = 16 << 20  # bytes of each


class Spool:
    """An unlinked file that bodies are written to, one after the other.

    A process keeps some: writing over pages that are there takes a fifth of what new ones take. One
    is cut to each body's length before a guest reads it, so nothing of an earlier body is left in
    it. It has no buffer of Python's, which could outlive that. What a disk refuses raises
    Unavailable.
    """

    def __init__(self) -> None:
        with _stored():
            self.file: io.FileIO = tempfile.TemporaryFile(prefix="wsgi-wasm-body-", buffering=0)  # noqa: SIM115
        self._process = os.getpid()

    def write(self, data: bytes | memoryview) -> None:
        """All of `data`, at the end of what has been written."""
        left = memoryview(data)
        with _stored():
            while left:
                left = left[self.file.write(left) :]

    def begin(self) -> bool:
        """Before a body. False in a child after a fork, where the file and its position are the
        parent's, and where the file is of no use any more."""
        if self._process == os.getpid():
            with contextlib.suppress(OSError, ValueError):
                self.file.seek(0)
                return True
        self.file.close()
        return False

    def whole(self) -> None:
        """The body is all there."""
        with _stored():
            self.file.truncate()
            self.file.seek(0)

    def close(self) -> None:
        """After the body: keep the file for the next one, if it is not one too many or too
        large to keep."""
        with contextlib.suppress(OSError, ValueError):
            if len(_spare) < KEPT:
                if self.file.seek(0, io.SEEK_END) > KEPT_SIZE:
                    self.file.truncate(0)
                _spare.append(self)
                return
        with contextlib.suppress(OSError):
            self.file.close()


# the last one that was used is the next, while its pages are in the processor's caches
_spare: list[Spool] = []


@contextlib.contextmanager
def _stored() -> Iterator[None]:
    """Raises Unavailable for a full disk, a file size limit of the process, no directory for
    temporary files, no descriptors left."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the body cannot be stored in {_where()}: {reason(error)}", retry_after=30) from error


def _where() -> str:
    try:
        return escaped(tempfile.gettempdir())
    except OSError:
        return "a temporary directory"


def spool_problem() -> str:
    """What is wrong with the place where larger bodies go, "" if all is well."""
    try:
        wrong = unwritable(Path(tempfile.gettempdir()))
    except OSError as error:
        wrong = reason(error)
    if not wrong:
        return ""
    return f"bodies of more than {size_text(SPOOL_SIZE)} get 503, as they cannot be stored in {_where()}: {wrong}"


def to_file(memory: io.BytesIO) -> Spool:
    try:
        spool = _spare.pop()
        if not spool.begin():
            spool = Spool()
    except IndexError:
        spool = Spool()
    try:
        # Not a view of the buffer, which could not be closed while anybody, a traceback for one,
        # still has it.
        spool.write(memory.getvalue())
    except BaseException:
        spool.close()
        raise
    return spool
