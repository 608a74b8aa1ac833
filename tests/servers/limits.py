"""What runs out: limits of running processes, which play a full disk and used up descriptors without root, and real
file systems where those can be mounted."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@contextmanager
def full_disk(size: int = 8192) -> Iterator[None]:
    """As far as files of more than `size` bytes are concerned: no other way needs neither root nor a disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # Python takes half of a .pyc file for a whole one
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


SET_LIMIT = """
import resource, sys
pid, which, most = map(int, sys.argv[1:])
soft, hard = resource.prlimit(pid, which)
resource.prlimit(pid, which, (most, hard))
print(soft)
"""


def set_limit(pid: int, which: int, most: int) -> int:
    """Set the limit of a process, and give the one that it had. By a process of its user, as nobody else may."""
    owner = Path(f"/proc/{pid}").stat()
    other = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() != owner.st_uid else {}
    words = ["/usr/bin/env", "python3", "-c", SET_LIMIT, str(pid), str(which), str(most)]
    return int(subprocess.run(words, check=True, capture_output=True, **other).stdout)  # type: ignore[call-overload]


@contextmanager
def limited(pid: int, which: int, most: int) -> Iterator[None]:
    """A process with a lower limit, which those that it starts have, too."""
    before = set_limit(pid, which, most)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            set_limit(pid, which, before)


def starts(prefix: Sequence[str]) -> bool:
    """Whether a command can be started by this one here."""
    try:
        return subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def own_mounts(script: str, place: Path | str = "-") -> list[str]:
    """What starts a command with mounts of its own, which `script` makes in the shell; `$0` is `place`. Nothing where
    that cannot be done here."""
    return [*_mounting(), "sh", "-ec", f'{script}; exec "$@"', str(place)] if _mounting() else []


@cache
def _mounting() -> Sequence[str]:
    """Root needs no namespace of users for its mounts, and in a changed root there is none to be had."""
    for prefix in (("unshare", "--user", "--map-root-user", "--mount"), ("unshare", "--mount")):
        if starts([*prefix, "sh", "-ec", 'mount -t tmpfs tmpfs /mnt; exec "$@"', "-"]):
            return prefix
    return ()
