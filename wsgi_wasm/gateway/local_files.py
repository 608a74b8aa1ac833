"""Files beside programs (`config.local`): found, trusted, and kept until their stamp changes."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.config.local import MAX_BYTES, NAME, LocalSettings, read_local
from wsgi_wasm.config.model import Route
from wsgi_wasm.engine.code.source import is_settled
from wsgi_wasm.errors import ConfigError, RequestError, text_lines
from wsgi_wasm.files.beneath import open_real, real_beneath, resolved
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.stamp import stamp_of
from wsgi_wasm.gateway.admission import Admission, Admissions
from wsgi_wasm.messages import escaped, reason

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not keep us waiting
_KEPT = 4096  # folders


class Local(NamedTuple):
    """What is in force for the programs of a folder. `identity` is another after each change."""

    identity: int
    settings: LocalSettings
    admission: Admission | None


class _Read(NamedTuple):
    stamp: tuple[int, ...]  # empty for one that has just changed: it may change and look the same
    digest: bytes
    local: Local | str  # a mistake


class LocalFiles:
    """Those of one route."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._known: dict[Path, _Read] = {}
        self._made = 0
        self._admissions = Admissions()  # by folder: what runs counts also when the file changes

    def beside(self, program: HostFile, owner: int) -> Local | None:
        """The settings of the file beside a program that belongs to user `owner`, None where there
        is none. Raises RequestError where it has mistakes or cannot be trusted."""
        if not self._route.local:
            return None
        folder = program.path.parent
        try:
            info = os.lstat(f"{folder}/{NAME}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RequestError(f"{escaped(folder / NAME)}: {reason(error)}") from None
        check_author(folder / NAME, info, owner)
        known = self._known.get(folder)
        if known is None or known.stamp != stamp_of(info):
            known = self._read(program, owner)
        if isinstance(known.local, str):
            raise RequestError(known.local)
        return known.local

    def _read(self, program: HostFile, owner: int) -> _Read:
        folder = program.path.parent
        file = folder / NAME
        try:
            info, data = content(program, owner)
        except OSError as error:
            raise RequestError(f"{escaped(file)}: {reason(error)}") from None
        digest = hashlib.sha256(data).digest()
        known = self._known.get(folder)
        local = known.local if known is not None and known.digest == digest else self._made_of(data, file)
        if len(self._known) >= _KEPT:
            self._known.clear()
        read = self._known[folder] = _Read(stamp_of(info) if is_settled(info) else (), digest, local)
        return read

    def _made_of(self, data: bytes, file: Path) -> Local | str:
        try:
            settings = read_local(data, file, self._route)
        except ConfigError as error:
            return "; ".join(text_lines(error))
        self._made += 1
        return Local(self._made, settings, self._admissions.of(str(file.parent), settings.concurrency))


def check_author(file: Path, info: os.stat_result, owner: int) -> None:
    """Raises RequestError for a file that others than the program's owner and the administrator can
    have written."""
    if not stat.S_ISREG(info.st_mode):
        raise RequestError(f"{escaped(file)} is not a regular file: not used")
    if info.st_uid not in (0, os.geteuid(), owner):
        raise RequestError(
            f"{escaped(file)} belongs to user {info.st_uid}, not to root or to user {owner}, who owns the program"
        )
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise RequestError(f"{escaped(file)} can be written by its group or by others (chmod go-w)")


def content(program: HostFile, owner: int) -> tuple[os.stat_result, bytes]:
    """Status and content of the file beside a program, which is no link and is not elsewhere; never
    more than tells that it is too large. Raises OSError, RequestError."""
    folder, root = program.path.parent, program.root
    real = real_beneath(root, str(folder.relative_to(root))) if root is not None else resolved(folder)
    descriptor = open_real(real / NAME, _READ)
    try:
        info = os.fstat(descriptor)
        check_author(folder / NAME, info, owner)
        with open(descriptor, "rb", closefd=False) as file:
            return info, file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
