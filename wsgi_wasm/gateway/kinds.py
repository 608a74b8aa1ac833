"""Which files of a directory are programs, and what runs them: by `programs` of the route.

What a file is, is told by its name and its first bytes, and kept until its stamp changes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.binary.reader import MAGIC, PREAMBLE
from wsgi_wasm.cgi.shebang import LONGEST_LINE, interpreter_name
from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.engine.code.source import is_settled
from wsgi_wasm.errors import Forbidden, NotFound
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.obstacles import obstacle
from wsgi_wasm.files.stamp import stamp_of
from wsgi_wasm.messages import escaped, listed, reason

_READ = max(LONGEST_LINE, len(PREAMBLE)) + 3  # with a byte order mark before it
_KEPT = 4096  # files

_WORDS = {"suffix": "its suffix", "magic": "its first bytes", "shebang": "its #! line"}


class ProgramKind(NamedTuple):
    """A program: `by` is what told that, out of `config.PROGRAMS`, and `interpreter` the key of the
    interpreter that runs it, "" for a module. `start` is how the file begins."""

    by: str
    interpreter: str
    start: bytes = b""

    @property
    def is_component(self) -> bool:
        """Whether it is a component, as its version says."""
        return self.start == PREAMBLE


class ProgramFile(NamedTuple):
    """A program's file, and what it is."""

    file: HostFile
    kind: ProgramKind


class _LookedAt(NamedTuple):
    stamp: tuple[int, ...]
    found: ProgramFile | NotFound


class ProgramKinds:
    """The rules of one route. `interpreters` are their keys. With `others_read`, scripts are read
    by somebody else than this process."""

    def __init__(
        self, programs: Sequence[str], interpreters: Collection[str], executable: bool, others_read: bool = False
    ) -> None:
        self._programs = tuple(programs)
        self._interpreters = frozenset(interpreters)
        self._executable = executable
        self._others_read = others_read
        self._known: dict[str, _LookedAt] = {}

    def of(self, path: str, root: Path | None, info: os.stat_result) -> ProgramFile:
        """What a regular file of this status is. `root` is as for `HostFile`; without one, the
        front server has chosen the file.

        Raises NotFound where it is no program, with the reason, which is for the log; Forbidden
        where this process may not read it.
        """
        if self._executable and not info.st_mode & 0o111:
            raise NotFound(f"{escaped(path)}: has no execute bit, and the route has `executable: true`")
        known = self._known.get(path)
        stamp = stamp_of(info)
        if known is None or known.stamp != stamp:
            known = self._look(HostFile(Path(path), root, by_owner=root is None), info, stamp)
        found = known.found
        if isinstance(found, NotFound):
            raise NotFound(str(found))
        if found.kind.interpreter == ".py" and found.kind.by == "suffix":
            _refuse_module(found.file, info)
        return found

    def _look(self, file: HostFile, info: os.stat_result, stamp: tuple[int, ...]) -> _LookedAt:
        kind = None
        if self._programs != ("suffix",) or self._told("suffix", file.path, b""):
            start = self._start(file)
            kind = next((kind for way in self._programs if (kind := self._told(way, file.path, start))), None)
        if kind is None:
            ways = listed(_WORDS[way] for way in self._programs)
            known = _LookedAt(stamp, NotFound(f"{escaped(file.path)}: is not a program by {ways}"))
        else:
            known = _LookedAt(stamp, ProgramFile(file, kind))
        # A file that has just changed may change again and look the same.
        if is_settled(info):
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[str(file.path)] = known
        return known

    def _told(self, way: str, path: Path, start: bytes) -> ProgramKind | None:
        begins = start[: len(PREAMBLE)]
        if way == "magic":
            return ProgramKind(way, "", begins) if start.startswith(MAGIC) else None
        told = path.suffix.lower() if way == "suffix" else interpreter_name(start)
        if told in self._interpreters:
            return ProgramKind(way, told, begins)
        return ProgramKind(way, "", begins) if way == "suffix" and told in MODULE_SUFFIXES else None

    def _start(self, file: HostFile) -> bytes:
        try:
            descriptor = file.open()
        except PermissionError:
            if self._others_read and file.path.suffix.lower() in self._interpreters:
                return b""
            raise Forbidden(f"{escaped(file.path)}: {obstacle(file.path)}") from None
        except OSError as error:
            raise NotFound(f"{escaped(file.path)}: {reason(error)}") from None
        try:
            return os.pread(descriptor, _READ, 0)
        except OSError as error:
            raise NotFound(f"{escaped(file.path)}: {reason(error)}") from None
        finally:
            os.close(descriptor)


def _refuse_module(file: HostFile, info: os.stat_result) -> None:
    """Raises NotFound for a part of a Python package. One with the execute bit is a program all the
    same, and so is what lies in the directory of programs itself.
    """
    if info.st_mode & 0o111:
        return
    path = file.path
    if path.name.lower() == "__init__.py":
        raise NotFound(f"{escaped(path)}: is a part of a Python package, and has no execute bit")
    if path.parent != file.root and stat.S_ISREG(_mode(path.with_name("__init__.py"))):
        raise NotFound(f"{escaped(path)}: is a part of a Python package (__init__.py is beside it), not a program")


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0
