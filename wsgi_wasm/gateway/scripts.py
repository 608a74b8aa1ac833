"""From path info to a file in a directory route, the way that ScriptAlias does it.

Everything that is not plainly a file of the tree is NotFound: a stranger learns nothing of
what lies there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.errors import NotFound
from wsgi_wasm.files.beneath import Outside, stat_beneath
from wsgi_wasm.messages import escaped, quote


class Script(NamedTuple):
    """A file found: where it is, its path below the directory (with a leading slash), and the path
    info after it. `without_slash` says that the path names the directory of this index, and does
    not end in a slash."""

    file: Path
    name: str
    path_info: str
    without_slash: bool = False

    @property
    def wsgi_name(self) -> str:
        """`name` as a WSGI string: bytes decoded as latin-1."""
        return os.fsencode(self.name).decode("latin-1")


def find_script(directory: Path, path_info: str, index: Sequence[str], suffixes: Collection[str]) -> Script:
    """The first segment of `path_info` that is a file is the script. Raises NotFound.

    `directory` must be a real path. `suffixes` are those that may be served. Segments were decoded
    once, by the server; dot files, empty segments, backslashes and symbolic links that leave the
    tree are not found.
    """
    segments = path_info.encode("latin-1").split(b"/")[1:]
    name, without_slash = "", path_info[-1:] != "/"
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
            raise NotFound(f"{escaped(name)} is neither a file nor a directory")
    for candidate in index:
        try:
            if stat.S_ISREG(_mode(directory, f"{name}/{candidate}")):
                found = _served(directory, f"{name}/{candidate}", "", suffixes)
                return found._replace(without_slash=without_slash)
        except NotFound:
            continue
    raise NotFound(f"there is no script {quote(path_info, 200)}")


def _segment(raw: bytes) -> str:
    if not raw or raw.startswith(b".") or b"\\" in raw or b"\0" in raw:
        raise NotFound("the path has a segment that is never served")
    return os.fsdecode(raw)


def _mode(directory: Path, name: str) -> int:
    try:
        info = os.lstat(f"{directory}{name}")
        if stat.S_ISLNK(info.st_mode):
            info = stat_beneath(directory, name[1:])
            if os.path.samestat(info, os.stat(directory)):
                raise NotFound(f"{escaped(name)} is a link to the directory itself, {escaped(directory)}")
    except Outside:
        raise NotFound(f"{escaped(name)} is a link that leaves {escaped(directory)}") from None
    except (OSError, ValueError):
        raise NotFound(f"no {escaped(name)} in {escaped(directory)}") from None
    return info.st_mode


def _served(directory: Path, name: str, path_info: str, suffixes: Collection[str]) -> Script:
    if Path(name).suffix not in suffixes:
        raise NotFound(f"{escaped(name)}: files with this suffix are not served")
    return Script(Path(f"{directory}{name}"), name, path_info)
