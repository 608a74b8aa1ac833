"""Where paths lead that somebody has configured, looked at again and again: links such as `current`
are changed to switch releases.

A path may lead through folders of people who are not the administrator. What they put there must
not decide which directory of the host a guest gets. So a link that was not there before is followed
only where nobody but the administrator could have put it there, or where it leads to what belongs
to its own owner, who could have put that in its place anyway.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.files.trails import walked_along
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped, reason

log = package_log("files")

_LINK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Link(NamedTuple):
    """A symbolic link: the path of the link itself, in which there is no other, what it says, and
    whose it is."""

    place: str
    target: str
    owner: int


class Followed(NamedTuple):
    """Where a path leads, without links, and the links that it leads through."""

    real: Path
    links: frozenset[Link]


def followed(path: Path) -> Followed:
    """Where an absolute path leads, as far as it exists."""
    links: list[Link] = []

    def target(place: str) -> str | None:
        link = _link(place)
        if link is None:
            return None
        links.append(link)
        return link.target

    end = walked_along(path, target).end
    return Followed(Path(end), frozenset(links))


def _link(path: str) -> Link | None:
    """The link at a path. What is looked at and what is read are one link."""
    try:
        descriptor = os.open(path, _LINK)
    except OSError:
        return None
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISLNK(info.st_mode):
            return None
        return Link(path, os.readlink("", dir_fd=descriptor), info.st_uid)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def refusal(link: Link) -> str:
    """Why a link that was not there before must not decide where a path leads, "" where it may.

    It may where nobody but root and this user could have put it there. Links of others may lead to
    what belongs to their owner (as with Apache's SymLinksIfOwnerMatch). A link of root's or of this
    user's that others can move has no such claim: guests make links, too, as this user.
    """
    folder = os.path.dirname(link.place)
    try:
        if link.owner in _administrators():
            return _foreign(folder)
        owns = os.stat(os.path.join(folder, link.target)).st_uid == link.owner
    except OSError as error:
        return reason(error)
    return "" if owns else f"it is of user {link.owner}, who does not own what it leads to"


def _administrators() -> tuple[int, int]:
    return 0, os.geteuid()


def _foreign(folder: str) -> str:
    """Who else can put something into a folder, or another one in its place; "" for nobody."""
    for above in (folder, *map(str, Path(folder).parents)):
        info = os.lstat(above)
        if info.st_uid not in _administrators():
            return f"{escaped(above)} belongs to user {info.st_uid}, who could have put it there"
        # Where names belong to their owners, as in /tmp, it is enough that the name below does.
        kept = above != folder and info.st_mode & stat.S_ISVTX
        if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not kept:
            return f"others can write to {escaped(above)}, and could have put it there (chmod go-w)"
    return ""


class LinkedPaths:
    """Directories by their configured paths, with where these led when they were last accepted."""

    def __init__(self, real: Mapping[Path, Path]) -> None:
        self._real = real
        self._seen: dict[Path, tuple[int, int]] = {}
        # Links that lead elsewhere by now are none of those that were there.
        self._known = {path: found.links for path, real in real.items() if (found := followed(path)).real == real}

    def moved(self) -> dict[Path, Path]:
        """The paths that lead to another directory by now, each told once, with where they lead."""
        moved: dict[Path, Path] = {}
        refused: dict[Link, str] = {}
        for path, real in self._real.items():
            try:
                info = os.stat(path)
            except OSError:
                continue  # a link that is being replaced is not there for a moment
            seen = info.st_dev, info.st_ino
            if self._seen.get(path) == seen or not stat.S_ISDIR(info.st_mode):
                continue
            self._seen[path] = seen
            found = followed(path)
            if found.real == real:
                continue
            wrong = {link: why for link in found.links - self._known.get(path, frozenset()) if (why := refusal(link))}
            refused |= wrong
            if not wrong:
                moved[path] = found.real
        for link, why in refused.items():
            log.warning("the link %s is new and is not followed before a restart: %s", escaped(link.place), why)
        return moved
