"""What keeps a process from a file, in words that say what to change."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from pathlib import Path

from wsgi_wasm.messages import escaped


def obstacle(path: Path) -> str:
    """Why this process may not read a file: the file's own mode and owner, or those of the first
    directory on the way that it may not enter."""
    me = user_name(os.geteuid())
    for directory in reversed(path.parents):
        if not _may(directory, os.X_OK):
            return f"{escaped(directory)} may not be entered by user {me}: {_rights(directory)}"
    if not _may(path, os.R_OK):
        return f"may not be read by user {me}: {_rights(path)}"
    return "Permission denied, though its mode allows it (by `harden`, or by another rule of the system)"


def user_name(uid: int) -> str:
    """A user's name, or its number where it has none."""
    with contextlib.suppress(KeyError, OSError):
        return escaped(pwd.getpwuid(uid).pw_name, 60)
    return str(uid)


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)


def _rights(path: Path) -> str:
    try:
        info = path.stat()
    except OSError as error:
        return error.strerror or "it cannot be looked at"
    group = str(info.st_gid)
    with contextlib.suppress(KeyError, OSError):
        group = escaped(grp.getgrgid(info.st_gid).gr_name, 60)
    return f"mode {stat.S_IMODE(info.st_mode):04o}, owner {user_name(info.st_uid)}:{group}"
