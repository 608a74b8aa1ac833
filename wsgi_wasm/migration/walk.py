"""The files of a directory that somebody else fills: each once, without following directories that
are links."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MOST_FILES = 1_000_000
_LEFT_OUT = frozenset({".git", ".svn", ".hg", "CVS", "__pycache__"})


@dataclass(slots=True)
class Walk:
    """The names of the files below `root`, in order. What was passed over is in `remarks`."""

    root: Path
    remarks: list[str] = field(default_factory=list)
    count: int = 0

    def files(self, progress: Callable[[int], None]) -> Iterator[str]:
        """Paths below the root. `progress` is called with the number of files so far."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            names, folders = self._entries(folder)
            waiting += reversed(folders)
            for name in names:
                self.count += 1
                progress(self.count)
                if self.count > MOST_FILES:
                    self.remarks.append(f"more than {MOST_FILES} files: the rest was not looked at")
                    return
                yield name

    def _entries(self, folder: str) -> tuple[list[str], list[str]]:
        names, folders = [], []
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    name = os.path.join(folder, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _LEFT_OUT:
                            folders.append(name)
                    elif entry.is_symlink() and os.path.isdir(entry.path):
                        self.remarks.append(f"{name}: a link to a directory, which was not followed")
                    else:
                        names.append(name)
        except OSError as error:
            self.remarks.append(f"{folder or '.'}: cannot be read: {error.strerror}")
        return sorted(names), sorted(folders)
