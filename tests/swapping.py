"""Names that change places while they are used."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TENANT = 54321
"""A user who is neither root nor the server's."""


def put_link(path: Path, target: Path) -> Path:
    """A link as a tenant puts it there, as far as this user can give files away."""
    path.symlink_to(target)
    if os.geteuid() == 0:
        os.lchown(path, TENANT, TENANT)
    return path


@contextmanager
def swapping(path: Path, other: Path) -> Iterator[None]:
    """A thread that lets what is at `path` and `other` change places and back, as fast as it can."""
    stop, aside = threading.Event(), path.with_name("aside")

    def swaps() -> None:
        while not stop.is_set():
            for source, goal in ((path, aside), (other, path), (path, other), (aside, path)):
                source.rename(goal)

    thread = threading.Thread(target=swaps)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
