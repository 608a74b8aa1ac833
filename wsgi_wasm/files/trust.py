"""Whose a file must be for this process to believe it: root's or its own user's, and nobody else
may write to it.

That is asked of what the server itself keeps: native code that it runs, the last configuration that
was good, copies of files that components read.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from pathlib import Path

from wsgi_wasm.errors import UntrustedFile
from wsgi_wasm.messages import escaped


def check_owner(path: Path, info: os.stat_result) -> None:
    """Raises UntrustedFile if anybody but root and this user can change the file or directory;
    `info` is its status."""
    command = escaped(shlex.quote(str(path)))
    if info.st_uid not in (0, os.geteuid()):
        user = os.geteuid()
        # A file may hold anything, and is made anew. What lies in a directory is checked, too.
        mend = f"chown {user} {command}" if stat.S_ISDIR(info.st_mode) else f"rm {command}"
        raise UntrustedFile(
            f"{escaped(path)} belongs to user {info.st_uid}, not to root or to user {user}: not used ({mend})"
        )
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UntrustedFile(
            f"{escaped(path)} can be written by its group or by others: not used (chmod go-w {command})"
        )


def check_file(path: Path) -> os.stat_result:
    """The status of a regular file that can be trusted, if its directory can. Raises UntrustedFile,
    OSError."""
    return _checked_file(path, path.lstat())


def check_in_place(path: Path) -> None:
    """Raises UntrustedFile if others can change a file or put another in its place; OSError."""
    check_owner(path.parent, path.parent.stat())
    check_file(path)


def read_file(path: Path) -> bytes:
    """The content of a small file that can be trusted, if its directory can. Raises UntrustedFile,
    OSError."""
    try:
        # What is looked at and what is read are one file; a pipe must not keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _irregular(path) from None
        raise
    try:
        _checked_file(path, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _checked_file(path: Path, info: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(info.st_mode):
        raise _irregular(path)
    check_owner(path, info)
    return info


def _irregular(path: Path) -> UntrustedFile:
    command = escaped(shlex.quote(str(path)))
    return UntrustedFile(f"{escaped(path)} is not a regular file: not used (rm -r {command})")
