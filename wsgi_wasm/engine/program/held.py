"""What one run holds of locks: descriptors of the host, each of a file that the guest has open too.

The kernel lets go of a lock with the last descriptor that shares it, and of these there is one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(slots=True)
class RecordLocks:
    """The record locks of one file: the host's descriptor, and those of the guest through which
    they were asked for."""

    own: int
    through: set[int] = field(default_factory=set)


class HeldLocks:
    """Locks of whole files (flock), by the guest's descriptor, and record locks (fcntl), by the
    file's inode as guests see it."""

    def __init__(self) -> None:
        self.whole: dict[int, int] = {}
        self.records: dict[int, RecordLocks] = {}

    def __len__(self) -> int:
        return len(self.whole) + len(self.records)

    def end_whole(self, descriptor: int) -> int:
        """Let go of the lock of a whole file; how many descriptors were closed."""
        own = self.whole.pop(descriptor, None)
        if own is None:
            return 0
        os.close(own)
        return 1

    def closed(self, descriptor: int) -> int:
        """The guest has closed a descriptor. As POSIX has it, that ends all record locks that it
        has on the file, so far as it has used this descriptor for them; how many of the host's
        were closed."""
        ended = [number for number, locks in self.records.items() if descriptor in locks.through]
        for number in ended:
            os.close(self.records.pop(number).own)
        return len(ended) + self.end_whole(descriptor)

    def renumbered(self, source: int, target: int) -> None:
        """What was `source` is `target`, which had been closed."""
        if source in self.whole:
            self.whole[target] = self.whole.pop(source)
        for locks in self.records.values():
            if source in locks.through:
                locks.through.remove(source)
                locks.through.add(target)

    def close(self) -> None:
        """The run has ended."""
        for own in (*self.whole.values(), *(locks.own for locks in self.records.values())):
            os.close(own)
        self.whole.clear()
        self.records.clear()
