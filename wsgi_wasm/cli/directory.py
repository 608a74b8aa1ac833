"""What a directory route would serve: its programs and scripts, by the
rules of `wsgi_wasm.gateway.scripts`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from wsgi_wasm.files.beneath import is_file_beneath

SCAN_LIMIT = 10_000  # files looked at in one directory route


def scripts_below(directory: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files of these suffixes below `directory`, in order of their paths. Dot files,
    links that leave the tree and directories that are links are left out; what cannot
    be read is passed over."""
    root = Path(os.path.realpath(directory))
    seen = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if _plain(name))
        for name in sorted(filter(_plain, files)):
            seen += 1
            if seen > SCAN_LIMIT:
                return
            path = Path(folder, name)
            if path.suffix in suffixes and is_file_beneath(root, str(path.relative_to(root))):
                yield path


def _plain(name: str) -> bool:
    return not name.startswith(".") and "\\" not in name
