"""Directories of the server's own, which every process of a machine may share."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from wsgi_wasm.errors import UntrustedFile
from wsgi_wasm.files.replace import replace
from wsgi_wasm.files.room import unwritable
from wsgi_wasm.files.trust import check_owner, read_file
from wsgi_wasm.messages import escaped, reason


class TrustedDirectory:
    """A directory that only root and this user can write to, made where it is missing; `writable`
    says whether this process can. Raises UntrustedFile where it cannot be made or trusted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            directory.mkdir(mode=0o700 | _for_others(0o055), parents=True, exist_ok=True)
            info = directory.stat()
        except FileExistsError:
            raise UntrustedFile(f"{escaped(directory)} is not a directory") from None
        except OSError as error:
            raise UntrustedFile(f"directory {escaped(directory)}: {reason(error)}") from None
        check_owner(directory, info)
        self.writable = os.access(directory, os.W_OK)

    def unwritable(self) -> str:
        """Why nothing can be kept in it now, "" where something can."""
        return unwritable(self.directory)

    def read(self, path: Path) -> bytes:
        """A small file of the directory. Raises UntrustedFile where it is not ours, OSError where
        it is not there."""
        return read_file(path)

    def replace(self, path: Path, data: bytes) -> None:
        """Put a file of the directory in place, whole. Raises OSError."""
        replace(path, data, 0o600 | _for_others(0o044))

    def write(self, path: Path, data: bytes) -> None:
        """The same for what can be worked out again: failing to write it costs time and nothing
        else."""
        with contextlib.suppress(OSError):
            self.replace(path, data)


def _for_others(mode: int) -> int:
    """What root makes is for a server that runs as another user, which has to read it."""
    return mode if os.geteuid() == 0 else 0
