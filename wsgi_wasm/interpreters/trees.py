"""Directories that a site names for an interpreter: read, copied and told apart. Their owner may be
somebody else than who builds, so no link in them leads elsewhere."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.beneath import read_beneath
from wsgi_wasm.messages import escaped, reason

_NOT_OURS = ("__pycache__",)  # bytecode of another Python


def files_of(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a directory, by its name below it and in order, with its content. Raises
    OSError."""
    root = Path(os.path.realpath(root, strict=True))

    def failed(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(root, onerror=failed):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS)
        for name in folders:
            if os.path.islink(os.path.join(place, name)):
                raise OSError(errno.ELOOP, "is a link to a directory; copy it there instead", os.path.join(place, name))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(place, name), root)
            try:
                yield path, read_beneath(root, path)
            except OSError as error:
                raise OSError(error.errno, error.strerror, os.path.join(place, name)) from None


def copy_tree(source: Path, target: Path) -> None:
    """Copy the files of a directory. Raises BuildError."""
    try:
        target.mkdir()
        for name, data in files_of(source):
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise BuildError(f"{escaped(error.filename or source)}: {reason(error)}") from None


def digest_of(path: Path | None) -> str:
    """What tells the content of a file or a directory from another, "" for none. Raises OSError."""
    if path is None:
        return ""
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    digest = hashlib.sha256()
    for name, data in files_of(path):
        digest.update(os.fsencode(f"{name}\0{len(data)}\0"))
        digest.update(data)
    return digest.hexdigest()[:16]
