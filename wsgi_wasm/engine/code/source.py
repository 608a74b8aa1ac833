"""What a module is made of: its file, and for a composed component the files of its plugs."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from wsgi_wasm.binary.foreign import LOOKED_AT
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.stamp import identity
from wsgi_wasm.messages import escaped

MAX_MODULE = 512 << 20  # bytes
SETTLED = 1.0  # seconds, longer than the time between two ticks of a file system's clock

Compositions = Mapping[Path, Mapping[str, Path]]
"""Plugs by the file that they are plugged into, and by the import:
`compose` of the configuration."""


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module's file, and what is plugged into its imports, each of which may have plugs
    of its own."""

    path: Path
    plugs: tuple[tuple[str, ModuleSource], ...] = ()
    root: Path | None = None  # as of HostFile
    by_owner: bool = False

    @classmethod
    def of(cls, file: HostFile, compositions: Compositions) -> Self:
        """The source of a module. The compositions must not go round."""
        plugs = compositions.get(file.path, {})
        parts = tuple((name, cls.of(HostFile(plugged), compositions)) for name, plugged in plugs.items())
        return cls(file.path, parts, file.root, file.by_owner)

    @property
    def file(self) -> HostFile:
        """The module's own file."""
        return HostFile(self.path, self.root, self.by_owner)

    def files(self) -> Iterator[HostFile]:
        """All files."""
        yield self.file
        for _, source in self.plugs:
            yield from source.files()

    def identity(self) -> str:
        """Changes when one of the files does. Raises OSError."""
        return " ".join([identity(self.file.stat()), *(source.identity() for _, source in self.plugs)])

    def is_settled(self) -> bool:
        """Whether all files changed long enough ago that another change would
        show. Raises OSError."""
        return is_settled(self.file.stat()) and all(source.is_settled() for _, source in self.plugs)

    def digest(self, of_file: Callable[[HostFile], str]) -> str:
        """Of everything that the module is made of, from the digests of files."""
        own = of_file(self.file)
        if not self.plugs:
            return own
        parts = [own, *(part for name, source in self.plugs for part in (name, source.digest(of_file)))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def binary(self, read: Callable[[HostFile], bytes]) -> bytes:
        """The module in binary form, composed. `read` gives a file in binary
        form. Raises ModuleError."""
        own = read(self.file)
        if not self.plugs:
            return own
        # Only a process that compiles takes components apart.
        from wsgi_wasm.binary.plug import plug
        from wsgi_wasm.binary.reader import is_component

        plugs = {name: (source.path.name, source.binary(read)) for name, source in self.plugs}
        for name, data in ((self.path.name, own), *plugs.values()):
            if not is_component(data):
                raise ModuleError(f"cannot be composed: {escaped(name)} is not a component")
        return plug(own, plugs)

    def to_json(self) -> list[Any]:
        """All of it, for another process."""
        root = None if self.root is None else str(self.root)
        return [str(self.path), root, self.by_owner, [[name, source.to_json()] for name, source in self.plugs]]

    @classmethod
    def from_json(cls, value: list[Any]) -> Self:
        """The reverse."""
        path, root, by_owner, plugs = value
        parts = tuple((name, cls.from_json(inner)) for name, inner in plugs)
        return cls(Path(path), parts, None if root is None else Path(root), by_owner)


def is_settled(info: os.stat_result) -> bool:
    """Whether a file changed so long ago that one more change gives it another time."""
    return not 0 <= time.time() - info.st_ctime < SETTLED


def open_module(file: HostFile) -> io.BufferedReader:
    """A module's file, to be read. Raises OSError, also for what is no regular file and might keep
    us waiting; ModuleError for one that is too large."""
    descriptor = file.open()
    try:
        if os.fstat(descriptor).st_size > MAX_MODULE:
            raise ModuleError(f"is larger than {MAX_MODULE >> 20} MiB")
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def head_of(file: HostFile) -> bytes:
    """The beginning of a module's file. Raises as `open_module`."""
    with open_module(file) as opened:
        return opened.read(LOOKED_AT)


def digest_of(file: HostFile) -> str:
    """SHA-256 of a module's file. Raises as `open_module`."""
    with open_module(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_module(file: HostFile) -> bytes:
    """The content of a module's file. Raises as `open_module`."""
    with open_module(file) as opened:
        data = opened.read(MAX_MODULE + 1)
    if len(data) > MAX_MODULE:
        raise ModuleError(f"is larger than {MAX_MODULE >> 20} MiB")
    return data
