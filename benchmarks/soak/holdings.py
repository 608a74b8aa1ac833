"""What a process holds, by kind: descriptors by what they lead to, memory by what it is for."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ARENA = 64 << 20
"""glibc's arenas of threads begin at multiples of this (HEAP_MAX_SIZE, malloc/arena.c)."""

STACK = 8 << 20
"""A thread's stack, as `ulimit -s` has it; below it lies a page that cannot be touched."""

OTHER = "other anonymous memory"
_DIGITS = re.compile(r"[0-9a-f]{12,}|[0-9]+")
_MAPPING = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)")


@dataclass(frozen=True, slots=True)
class Holdings:
    """Numbers of descriptors, and bytes of memory that belong to no file or are this process's own copy."""

    descriptors: dict[str, int]
    memory: dict[str, int]


def holdings(pid: int, place: Path) -> Holdings:
    """Of a process; names of files are below `place` where they can be. Raises OSError where it has ended."""
    return Holdings(dict(_descriptors(pid, place)), dict(_memory(Path(f"/proc/{pid}/smaps").read_bytes())))


def kind(name: str, place: Path) -> str:
    """What `/proc/PID/fd` says of a descriptor, without what tells one of a kind from another."""
    name = name.removeprefix(f"{place}/").removesuffix(" (deleted)")
    if name.startswith(("socket:", "pipe:")):
        return name.partition(":")[0]
    return _DIGITS.sub("N", name)


def _descriptors(pid: int, place: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found[kind(os.readlink(entry.path), place)] += 1
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def _memory(smaps: bytes) -> Counter[str]:
    found: Counter[str] = Counter()
    before = ""  # what lies below, for stacks
    for first, fields in _blocks(smaps.splitlines()):
        match = _MAPPING.match(first)
        assert match is not None
        begin, end = int(match[1], 16), int(match[2], 16)
        rights, name = match[3].decode(), match[4].decode("utf-8", "replace")
        size = fields.get(b"Anonymous", 0)
        if size:
            found[_memory_kind(begin, end, name, before)] += size
        before = rights
    return found


def _blocks(lines: Iterable[bytes]) -> Iterator[tuple[bytes, dict[bytes, int]]]:
    """Each mapping's first line, with its numbers in bytes."""
    first, fields = b"", dict[bytes, int]()
    for line in lines:
        key, _, value = line.partition(b":")
        if value.endswith(b" kB"):
            fields[key] = int(value[:-3]) << 10
        elif _MAPPING.match(line):
            if first:
                yield first, fields
            first, fields = line, {}
    if first:
        yield first, fields


def _memory_kind(begin: int, end: int, name: str, below: str) -> str:
    if name:
        return _DIGITS.sub("N", name if name.startswith("[") else name.removesuffix(" (deleted)").rpartition("/")[2])
    if begin % ARENA == 0 and end - begin < ARENA:
        return "arenas of threads (malloc)"
    if end - begin == STACK and below == "---p":
        return "stacks of threads"
    return OTHER
