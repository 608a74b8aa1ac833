"""Changes of several files that are all made, or none of them, whatever ends the process.

What was there before is kept beside the files, in a directory that says what to restore. It is
complete before the first change, and gone when the last one is settled. Whoever comes next and
finds one undoes what it is about. Old files are kept by another link to them and put back by a
rename, so that they are the same files as before.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from wsgi_wasm.apache.places import ApacheError
from wsgi_wasm.files.locks import locked_directory
from wsgi_wasm.files.replace import MAKING, replace
from wsgi_wasm.messages import escaped

_LIST = "list.json"
_PATIENCE = 30.0  # seconds to wait for another command

Content = bytes | str | Path | None
"""What a change puts in place: a file's content, a link's, another file (which is moved), or
nothing."""


class Undo:
    """The journal of changes of one name, in `directory`."""

    def __init__(self, directory: Path, name: str) -> None:
        self._complete = directory / f".{name}.undo"
        self._partial = directory / f".{name}{MAKING}undo"

    def is_left(self) -> bool:
        """Whether a command was interrupted."""
        return self._complete.is_dir()

    def begin(self, paths: Sequence[Path]) -> None:
        """Keep what is at these paths. Raises OSError."""
        try:
            self._partial.mkdir(mode=0o700)
            entries = []
            for number, path in enumerate(paths):
                kept = os.path.lexists(path)
                if kept:
                    _keep(path, self._partial / str(number))
                entries.append([os.fsdecode(path), kept])
            _write(self._partial / _LIST, json.dumps(entries).encode())
            os.rename(self._partial, self._complete)
        except OSError:
            self.sweep()
            raise
        _sync(self._complete.parent)

    def roll_back(self) -> None:
        """Put everything back. May be called again after it was interrupted. Raises OSError,
        ApacheError."""
        for number, (text, kept) in enumerate(self._entries()):
            path, old = Path(text), self._complete / str(number)
            if not kept:
                path.unlink(missing_ok=True)
            elif os.path.lexists(old):
                _back(old, path)
        self.settle()

    def _entries(self) -> list[tuple[str, bool]]:
        try:
            return [(str(path), bool(kept)) for path, kept in json.loads((self._complete / _LIST).read_bytes())]
        except (FileNotFoundError, TypeError, ValueError):
            raise ApacheError(
                f"{escaped(self._complete)}, what an interrupted command has left, is damaged: put back by hand what "
                "is in it, and remove it"
            ) from None

    def settle(self) -> None:
        """Forget what was there before. Raises OSError."""
        os.rename(self._complete, self._partial)
        self.sweep()

    def sweep(self) -> None:
        """Remove what is left of a journal that was never complete, or is settled."""
        shutil.rmtree(self._partial, ignore_errors=True)


def make(changes: Mapping[Path, Content]) -> None:
    """Make changes, in their order, each by a rename. Raises OSError."""
    for path, content in changes.items():
        if content is None:
            path.unlink(missing_ok=True)
        elif isinstance(content, bytes):
            replace(path, content, 0o644)
        elif isinstance(content, Path):
            os.rename(content, path)
        else:
            _link(path, content)


def sweep(directory: Path) -> None:
    """Remove what interrupted commands have left of files that were never in place."""
    for path in directory.glob(f"{MAKING}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _link(path: Path, target: str) -> None:
    making = path.with_name(f"{MAKING}{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        making.unlink()
    os.symlink(target, making)
    os.rename(making, path)


def _keep(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        shutil.copy2(path, kept, follow_symlinks=False)


def _back(old: Path, path: Path) -> None:
    # Two names of one file: a rename would do nothing, and leave both.
    if os.path.lexists(path) and os.path.samestat(os.lstat(old), os.lstat(path)):
        return
    try:
        os.rename(old, path)
    except OSError:
        making = path.with_name(f"{MAKING}{os.getpid()}")
        shutil.copy2(old, making, follow_symlinks=False)
        os.rename(making, path)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Within the block, no other command changes files of the directory. Raises OSError, and
    ApacheError after some time."""
    deadline = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(locked_directory(directory))
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ApacheError(f"another command works in {escaped(directory)}: try again later") from None
                time.sleep(0.05)
        yield
