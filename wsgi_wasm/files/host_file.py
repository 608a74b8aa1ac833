"""Files that are looked at, opened and opened again, and that somebody may swap for another in
between."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.files.beneath import open_beneath, open_real, stat_beneath

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not keep us waiting
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file by its path, and whose choice it is.

    Without more it is the administrator's, and links in it are followed as they are. With a `root`,
    a path without links that the path begins with, it is of somebody who may write there, and no
    link out of it is followed. With `by_owner` too or alone, a link at the end must belong to
    the owner of the file that it leads to, as with Apache's SymLinksIfOwnerMatch.
    """

    path: Path
    root: Path | None = None
    by_owner: bool = False

    def open(self) -> int:
        """A descriptor of the regular file, to read. Raises OSError."""
        if self.by_owner:
            descriptor = self._open_by_owner()
        elif self.root is not None:
            descriptor = open_beneath(self.root, self._name(self.root), _READ)
        else:
            descriptor = os.open(self.path, _READ)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "Is not a regular file", str(self.path))
        return descriptor

    def stat(self) -> os.stat_result:
        """The status of what `open` would open. Raises OSError."""
        if self.by_owner:
            descriptor = self.open()
            try:
                return os.fstat(descriptor)
            finally:
                os.close(descriptor)
        return self.path.stat() if self.root is None else stat_beneath(self.root, self._name(self.root))

    def _name(self, root: Path) -> str:
        return str(self.path.relative_to(root))

    def _open_by_owner(self) -> int:
        folder = os.open(self.path.parent, _FOLDER) if self.root is None else open_real(self.path.parent, _FOLDER)
        try:
            named = os.open(self.path.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                info = os.fstat(named)
                if not stat.S_ISLNK(info.st_mode):
                    return os.open(self.path.name, _READ | os.O_NOFOLLOW, dir_fd=folder)
                # Of this very link, whatever stands in its place by now.
                found = os.open(os.readlink("", dir_fd=named), _READ, dir_fd=folder)
            finally:
                os.close(named)
        finally:
            os.close(folder)
        if os.fstat(found).st_uid != info.st_uid:
            os.close(found)
            raise OSError(errno.EACCES, "Is a link to a file of another owner", str(self.path))
        return found
