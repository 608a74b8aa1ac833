"""What an ELF executable says of itself: the libraries and functions that it is linked with, the
sources that it was made of, and texts in it.

Read from the tables that the linker wrote (System V ABI, chapters 4 and 5), at most `MOST` bytes of
each, whatever sizes and offsets the file claims. A stripped program keeps its dynamic symbols,
without which it could not be loaded.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

MOST = 1 << 20  # bytes of one table
_MOST_SECTIONS = 1000
_SYMTAB, _DYNAMIC, _DYNSYM = 2, 6, 11  # sh_type
_INTERP, _NEEDED, _FILE = 3, 1, 4  # p_type, d_tag, the type of a symbol that names a source
_TEXT = re.compile(rb"[\x20-\x7e]{4,1024}")


@dataclass(slots=True)
class Elf:
    """`functions` are those that the program takes from libraries, or has in it where it is
    `static`; `defined` are all that it names, nothing where it was stripped. `texts` are strings of
    its constant data."""

    functions: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    libraries: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    static: bool = True
    shared_object: bool = False


class _ElfSection(NamedTuple):
    name: int
    kind: int
    offset: int
    size: int
    link: int


class _File:
    """The numbers of one file, in its own order and width."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size = descriptor, size
        ident = self.read(0, 16)
        if len(ident) < 16 or ident[:4] != b"\x7fELF" or ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise ValueError("no ELF file")
        self.wide = ident[4] == 2
        self.order = "<" if ident[5] == 1 else ">"

    def read(self, offset: int, size: int) -> bytes:
        """At most `MOST` bytes; fewer where the file has no more."""
        if not 0 <= offset < self._size:
            return b""
        return os.pread(self._descriptor, min(size, MOST, self._size - offset), offset)

    def entries(self, layout: str, data: bytes) -> Iterator[tuple[int, ...]]:
        entry = struct.Struct(self.order + layout)
        return entry.iter_unpack(data[: len(data) // entry.size * entry.size])


def read_elf(descriptor: int) -> Elf:
    """What the open file says. Raises ValueError where it is no ELF file, OSError."""
    file = _File(descriptor, os.fstat(descriptor).st_size)
    header = next(file.entries("HHIQQQIHHHHHH" if file.wide else "HHIIIIIHHHHHH", file.read(16, 48)), None)
    if header is None:
        raise ValueError("an ELF file that is cut off")
    found = Elf(shared_object=header[0] == 3)
    _segments(file, found, offset=header[4], count=header[9])
    sections = _sections(file, offset=header[5], count=header[11])
    names = _strings(file, sections, header[12])
    for section in sections:
        if section.kind == _DYNAMIC:
            found.libraries += _needed(file, section, _strings(file, sections, section.link))
        elif section.kind in (_DYNSYM, _SYMTAB):
            _symbols(file, section, _strings(file, sections, section.link), found)
        elif _name(names, section.name) in (".rodata", ".rdata"):
            found.texts |= {text.decode("ascii") for text in _TEXT.findall(file.read(section.offset, section.size))}
    found.static = found.static and not found.libraries
    if found.static:
        found.functions |= found.defined
    return found


def _segments(file: _File, found: Elf, *, offset: int, count: int) -> None:
    layout = "IIQQQQQQ" if file.wide else "IIIIIIII"
    data = file.read(offset, min(count, _MOST_SECTIONS) * struct.calcsize("<" + layout))
    if any(entry[0] == _INTERP for entry in file.entries(layout, data)):
        found.shared_object = found.static = False


def _sections(file: _File, *, offset: int, count: int) -> list[_ElfSection]:
    layout = "IIQQQQIIQQ" if file.wide else "IIIIIIIIII"
    data = file.read(offset, min(count, _MOST_SECTIONS) * struct.calcsize("<" + layout))
    return [_ElfSection(one[0], one[1], one[4], one[5], one[6]) for one in file.entries(layout, data)]


def _strings(file: _File, sections: list[_ElfSection], index: int) -> bytes:
    return file.read(sections[index].offset, sections[index].size) if index < len(sections) else b""


def _needed(file: _File, section: _ElfSection, names: bytes) -> Iterator[str]:
    for tag, value in file.entries("QQ" if file.wide else "II", file.read(section.offset, section.size)):
        if tag == _NEEDED:
            yield _name(names, value)


def _symbols(file: _File, section: _ElfSection, names: bytes, found: Elf) -> None:
    layout = "IBBHQQ" if file.wide else "IIIBBH"
    for entry in file.entries(layout, file.read(section.offset, section.size)):
        info = entry[1] if file.wide else entry[3]
        name = _name(names, entry[0]).partition("@")[0]
        if name and info & 15 == _FILE:
            found.sources.append(name)
        elif name:
            (found.functions if section.kind == _DYNSYM else found.defined).add(name)


def _name(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset, offset + 1024)
    return names[offset : offset + 1024 if end < 0 else end].decode("utf-8", "replace")
