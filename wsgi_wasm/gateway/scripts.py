"""From path info to a file in a directory route, the way that ScriptAlias does it.

Everything that is not plainly a file of the tree is NotFound: a stranger learns nothing of what lies there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.errors import NotFound


class Script(NamedTuple):
    """A file found: where it is, its path below the directory (with a leading slash), and the path info after it."""

    file: Path
    name: str
    path_info: str

    @property
    def wsgi_name(self) -> str:
        """`name` as a WSGI string: bytes decoded as latin-1."""
        return os.fsencode(self.name).decode("latin-1")


def find_script(directory: Path, path_info: str, index: Sequence[str], suffixes: Collection[str]) -> Script:
    """The first segment of `path_info` that is a file is the script. Raises NotFound.

    `directory` must be a real path. `suffixes` are those that may be served. Segments were decoded once, by the
    server; dot files, empty segments, backslashes and symbolic links that leave the tree are not found.
    """
    segments = path_info.encode("latin-1").split(b"/")[1:]
    name = ""
    for position, raw in enumerate(segments):
        last = position == len(segments) - 1
        if last and not raw:
            break
        name += "/" + _segment(raw)
        mode = _mode(directory, name)
        if stat.S_ISREG(mode):
            rest = b"".join(b"/" + segment for segment in segments[position + 1 :])
            return _served(directory, name, rest.decode("latin-1"), suffixes)
        if not stat.S_ISDIR(mode):
            raise NotFound(f"{name} is neither file nor directory")
    for candidate in index:
        try:
            if stat.S_ISREG(_mode(directory, f"{name}/{candidate}")):
                return _served(directory, f"{name}/{candidate}", "", suffixes)
        except NotFound:
            continue
    raise NotFound(f"no script {path_info!r}")


def _segment(raw: bytes) -> str:
    if not raw or raw.startswith(b".") or b"\\" in raw or b"\0" in raw:
        raise NotFound("a segment that is never served")
    return os.fsdecode(raw)


def _mode(directory: Path, name: str) -> int:
    path = f"{directory}{name}"
    try:
        info = os.lstat(path)
        if stat.S_ISLNK(info.st_mode):
            target = os.path.realpath(path, strict=True)
            if not target.startswith(f"{directory}/"):
                raise NotFound(f"{name} is a link that leaves {directory}")
            info = os.stat(target)
    except (OSError, ValueError):
        raise NotFound(f"no {name} in {directory}") from None
    return info.st_mode


def _served(directory: Path, name: str, path_info: str, suffixes: Collection[str]) -> Script:
    if Path(name).suffix not in suffixes:
        raise NotFound(f"{name}: files with this suffix are not served")
    return Script(Path(f"{directory}{name}"), name, path_info)
