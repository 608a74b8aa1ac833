"""From path info to a file in a directory route, the way that ScriptAlias does it.

Everything that is not plainly a file of the tree is NotFound: a stranger learns nothing of
what lies there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.errors import Forbidden, NotFound
from wsgi_wasm.files.beneath import Outside, stat_beneath
from wsgi_wasm.files.obstacles import obstacle
from wsgi_wasm.gateway.kinds import ProgramFile, ProgramKinds
from wsgi_wasm.messages import escaped, quote


class Script(NamedTuple):
    """A program found: what and where it is, its path below the directory (with a leading slash),
    the path info after it, and whose it is. `without_slash` says that the path names the directory
    of this index, and does not end in a slash."""

    program: ProgramFile
    name: str
    path_info: str
    owner: int
    without_slash: bool = False

    @property
    def wsgi_name(self) -> str:
        """`name` as a WSGI string: bytes decoded as latin-1."""
        return os.fsencode(self.name).decode("latin-1")


def find_script(directory: Path, path_info: str, index: Sequence[str], kinds: ProgramKinds) -> Script:
    """The first segment of `path_info` that is a file is the script. Raises NotFound, Forbidden.

    `directory` must be a real path. `kinds` says which files are programs. Segments were decoded
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
        info = _status(directory, name)
        if stat.S_ISREG(info.st_mode):
            rest = b"".join(b"/" + segment for segment in segments[position + 1 :])
            found = kinds.of(f"{directory}{name}", directory, info)
            return Script(found, name, rest.decode("latin-1"), info.st_uid)
        if not stat.S_ISDIR(info.st_mode):
            raise NotFound(f"{escaped(name)} is neither a file nor a directory")
    for candidate in index:
        try:
            info = _status(directory, f"{name}/{candidate}")
            if stat.S_ISREG(info.st_mode):
                found = kinds.of(f"{directory}{name}/{candidate}", directory, info)
                return Script(found, f"{name}/{candidate}", "", info.st_uid, without_slash)
        except NotFound:
            continue
    raise NotFound(f"there is no script {quote(path_info, 200)}")


def _segment(raw: bytes) -> str:
    if not raw or raw.startswith(b".") or b"\\" in raw or b"\0" in raw:
        raise NotFound("the path has a segment that is never served")
    return os.fsdecode(raw)


def _status(directory: Path, name: str) -> os.stat_result:
    try:
        info = os.lstat(f"{directory}{name}")
        if stat.S_ISLNK(info.st_mode):
            info = stat_beneath(directory, name[1:])
            if os.path.samestat(info, os.stat(directory)):
                raise NotFound(f"{escaped(name)} is a link to the directory itself, {escaped(directory)}")
    except Outside:
        raise NotFound(f"{escaped(name)} is a link that leaves {escaped(directory)}") from None
    except PermissionError:
        blocked = Path(f"{directory}{name}")
        raise Forbidden(f"{escaped(name)} in {escaped(directory)}: {obstacle(blocked)}") from None
    except (OSError, ValueError):
        raise NotFound(f"no {escaped(name)} in {escaped(directory)}") from None
    return info
