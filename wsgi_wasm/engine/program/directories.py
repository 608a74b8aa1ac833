"""What a guest's directories hold: `fd_readdir`.

Wasmtime reads a whole directory in every call, and hands each name in it to another thread: one
call for a hundred thousand files takes seconds, in which nothing can stop it. Here a directory is
opened once more, beneath the one that the route grants, and read as the guest asks for it. So this
keeps note of where each descriptor leads.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from ctypes import memmove, string_at
from typing import NamedTuple

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.program import preview1
from wsgi_wasm.engine.program.forwarding import Arguments
from wsgi_wasm.engine.program.listing import DIRECTORY, Listing, inode
from wsgi_wasm.engine.program.run import ProgramRun
from wsgi_wasm.files.beneath import Folder, open_beneath

_ERRNO = {
    errno.EACCES: preview1.ACCES, errno.EMFILE: preview1.MFILE, errno.ENAMETOOLONG: preview1.NAMETOOLONG,
    errno.ENFILE: preview1.NFILE, errno.ENOENT: preview1.NOENT, errno.ENOTDIR: preview1.NOTDIR,
}  # fmt: skip

_U32 = 0xFFFFFFFF
_MOST = 16  # directories that one guest reads at a time without beginning anew
_STEP = 500  # names between two looks at the clock

# dirent: u64 cookie of the next one, u64 inode, u32 length of the name, u8 type; then the name
_HEAD = struct.Struct("<QQIB3x")

FIRST_PREOPEN = 3
"""The descriptor of the first directory that a guest is granted."""


def places(run: ProgramRun) -> dict[int, tuple[Folder, str]]:
    """Where the guest's descriptors lead: a directory that the route grants, and a path in it."""
    if run.places is None:
        preopens = run.slot.preopens
        run.places = {FIRST_PREOPEN + i: (one.folder, ".") for i, one in enumerate(preopens)}
    return run.places


class ListedPlace(NamedTuple):
    """A directory to be read: as in `places`, and what lies in it besides (inode, type, name).
    Without a folder there is nothing else, and `inode` is its own."""

    folder: Folder | None
    path: str
    more: tuple[tuple[int, int, bytes], ...] = ()
    inode: int = 0


def entry_of(folder: Folder, path: str) -> tuple[int, int]:
    """Inode and type of what lies in a directory that the route grants, as they are listed. Raises
    OSError."""
    descriptor = open_beneath(folder.real(), path, os.O_PATH)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return inode(status.st_dev, status.st_ino), DIRECTORY if stat.S_ISDIR(status.st_mode) else 0


def names(run: ProgramRun) -> dict[int, bytes]:
    """Paths in the guest of the directories that it is granted, by its descriptors."""
    if run.names is None:
        run.names = {FIRST_PREOPEN + i: one.guest for i, one in enumerate(run.slot.preopens)}
    return run.names


def opened(run: ProgramRun, args: Arguments) -> None:
    """Note where a descriptor leads that `path_open` has made."""
    known = places(run)
    place = known.get(args[0] & _U32)
    if place is not None:
        path = string_at(run.base + (args[4] & _U32), args[6] & _U32).decode("utf-8", "replace")
        known[c.UINT32.from_address(run.base + (args[16] & _U32)).value] = place[0], f"{place[1]}/{path}"


def closed(run: ProgramRun, descriptor: int) -> None:
    """It leads nowhere any more."""
    places(run).pop(descriptor, None)
    names(run).pop(descriptor, None)
    if run.locks is not None:
        run.files -= run.locks.closed(descriptor)
    listing = run.listings.pop(descriptor, None)
    if listing is not None:
        listing.close()


def renumbered(run: ProgramRun, source: int, target: int) -> None:
    """`target` is closed, and is what `source` was."""
    closed(run, target)
    if run.locks is not None:
        run.locks.renumbered(source, target)
    place, name = places(run).get(source), names(run).get(source)
    closed(run, source)
    if place is not None:
        places(run)[target] = place
    if name is not None:
        names(run)[target] = name


def read_directory(run: ProgramRun, caller: int, args: Arguments, place: ListedPlace | None) -> int:
    """`fd_readdir`; None for the place that the descriptor leads to."""
    base = run.memory(caller)
    descriptor, at, room, cookie, used_at = args[0] & _U32, args[2] & _U32, args[4] & _U32, args[6], args[8] & _U32
    run.check(at, room)
    run.check(used_at, 4)
    if place is None:
        known = places(run).get(descriptor)
        if known is None:
            return preview1.BADF
        place = ListedPlace(*known)
    try:
        used = _fill(run, _listing(run, descriptor, place, cookie), base + at, room)
    except OSError as error:
        return _ERRNO.get(error.errno or 0, preview1.IO)
    c.UINT32.from_address(base + used_at).value = used
    return preview1.SUCCESS


def _listing(run: ProgramRun, descriptor: int, place: ListedPlace, cookie: int) -> Listing:
    """The directory, with the name of this number as the first one ahead."""
    listing = run.listings.pop(descriptor, None)
    if listing is not None and (cookie < listing.cookie or cookie == 0):
        listing.close()
        listing = None
    if listing is None:
        if not run.may_open():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        listing = Listing(_opened(place), place.inode, place.more)
    run.listings[descriptor] = listing
    if len(run.listings) > _MOST:
        run.listings.pop(next(iter(run.listings))).close()
    while listing.cookie < cookie:
        before = listing.cookie
        listing.skip(min(_STEP, cookie - before))
        if listing.cookie == before:
            break  # there are fewer
        run.look()
    return listing


def _opened(place: ListedPlace) -> int | None:
    if place.folder is None:
        return None
    return open_beneath(place.folder.real(), place.path, os.O_RDONLY | os.O_DIRECTORY)


def _fill(run: ProgramRun, listing: Listing, address: int, room: int) -> int:
    """Write names until there is no more room, of the last one what fits; bytes written."""
    used = nth = 0
    while used < room:
        found = listing.peek(nth)
        if found is None:
            break
        inode, kind, name = found
        nth += 1
        record = _HEAD.pack(listing.cookie + nth, inode, len(name), kind) + name
        size = min(len(record), room - used)
        memmove(address + used, record, size)
        used += size
        if nth == _STEP:
            # The last one may not have fitted, and is asked for again.
            listing.skip(nth - 1)
            nth = 1
            run.look()
    return used
