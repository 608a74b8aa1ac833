"""Files that `wsgi-wasm apache` has written: how it knows them again, and whether somebody has
changed them since."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

_MARK = "# wsgi-wasm apache wrote this file; SHA-256 of the lines below: "
_NOTE = "# Do not edit it: change the site, and run `wsgi-wasm apache enable` again. Made for:\n"
_MOST = 16 << 20  # bytes of a file that is read


class Ownership(Enum):
    """Whose a file is."""

    MISSING = "is missing"
    OURS = "is as it was written"
    EDITED = "was changed since it was written"
    FOREIGN = "was not written by `wsgi-wasm apache`"


class KnownFile(NamedTuple):
    """A file or link that is there; `made_for` is what `stamped` was told, None for others."""

    state: Ownership
    made_for: Mapping[str, Any] | None = None
    data: bytes = b""


def stamped(made_for: Mapping[str, Any], body: str) -> bytes:
    """The content of a file: `made_for` goes into a comment, as JSON."""
    below = f"{_NOTE}# {json.dumps(made_for)}\n\n{body}".encode("utf-8", "surrogateescape")
    return f"{_MARK}{hashlib.sha256(below).hexdigest()}\n".encode() + below


def look(path: Path) -> KnownFile:
    """What is at a path where a file is written. Raises OSError."""
    try:
        info = path.lstat()
    except FileNotFoundError:
        return KnownFile(Ownership.MISSING)
    if not stat.S_ISREG(info.st_mode):
        return KnownFile(Ownership.FOREIGN)
    if info.st_size > _MOST:
        raise OSError(errno.EFBIG, "is too large", os.fspath(path))
    data = path.read_bytes()
    first, _, below = data.partition(b"\n")
    if not first.startswith(_MARK.encode()):
        return KnownFile(Ownership.FOREIGN, data=data)
    same = first == f"{_MARK}{hashlib.sha256(below).hexdigest()}".encode()
    return KnownFile(Ownership.OURS if same else Ownership.EDITED, _made_for(below), data)


def look_at_link(path: Path, target: str) -> KnownFile:
    """The same for a link that leads to `target`."""
    if not os.path.lexists(path):
        return KnownFile(Ownership.MISSING)
    return KnownFile(Ownership.OURS if path.is_symlink() and os.readlink(path) == target else Ownership.FOREIGN)


def _made_for(below: bytes) -> Mapping[str, Any]:
    lines = below.splitlines()
    try:
        made_for = json.loads(lines[1].removeprefix(b"#"))
    except (IndexError, ValueError):
        return {}
    return made_for if isinstance(made_for, dict) else {}
