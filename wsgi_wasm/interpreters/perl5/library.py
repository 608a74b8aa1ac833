"""The library of modules that lies in the interpreter, as the archive that library.c reads."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

_SUFFIXES = (".pm", ".pl", ".al", ".ix")
# Of Perl's own modules, those for other systems, for what a guest cannot do, and for tests and
# installation.
_LEFT_OUT = re.compile(
    r"(Amiga|Archive-Tar|CPAN|Config-Perl|DB_File|Devel-|ExtUtils|File-Fetch|GDBM|I18N-Collate|IPC-Cmd|IPC-SysV"
    r"|Module-CoreList|NDBM|Net-Ping|ODBM|PerlIO-mmap|Pod-(Checker|Functions|Html)|Term-|Test|Thread|Unicode-Collate"
    r"|VMS|Win32|XS-|autodie|perlfaq|threads)"
)
_NOT_MODULES = {"t", "lib", "hints", "private", "fallback", "bin", "corpus", "demo", "win32", "ucm"}
_END = re.compile(rb"(?m)^__END__[ \t\r]*$")


def core_modules(source: Path) -> Iterator[tuple[str, Path]]:
    """Perl's own modules: each file, with its name in a directory of @INC."""
    yield from _below(source / "lib", "")
    for group in ("cpan", "dist", "ext"):
        for directory in sorted((source / group).iterdir()):
            if directory.is_dir() and not _LEFT_OUT.match(directory.name):
                yield from _of_distribution(directory)


def _of_distribution(directory: Path) -> Iterator[tuple[str, Path]]:
    """Modules lie as they are installed below `lib`, or without the directories that the name of
    the distribution begins with."""
    yield from _below(directory / "lib", "")
    parents = directory.name.split("-")[:-1]
    place = "".join(f"{parent}/" for parent in parents)
    yield from ((place + file.name, file) for file in directory.glob("*.pm"))
    for beside in sorted(directory.iterdir()):
        if beside.is_dir() and beside.name not in _NOT_MODULES and not beside.name.endswith("-src"):
            if directory.name == "Encode":  # Encode/Byte/Byte.pm is Encode::Byte
                yield from ((f"Encode/{file.name}", file) for file in beside.glob("*.pm"))
            else:
                yield from _below(beside, f"{place}{beside.name}/")


def _below(directory: Path, place: str) -> Iterator[tuple[str, Path]]:
    for file in sorted(directory.rglob("*")):
        name = file.relative_to(directory).as_posix()
        generator = name.startswith(("unicore/Test", "unicore/mktables"))
        if file.is_file() and file.suffix in _SUFFIXES and not generator and not name.startswith("t/"):
            yield place + name, file


def text_of(file: Path) -> bytes:
    """What is kept of a file: all but the documentation at its end. Data that a module reads from
    there follows `__DATA__`."""
    data = file.read_bytes()
    end = _END.search(data) if b"\n=" in data else None
    return data[: end.end()] + b"\n" if end is not None else data


def archive(files: Mapping[str, bytes]) -> bytes:
    """The names are paths below /usr/share/perl, without it. See `struct entry` in library.c."""
    names = sorted(name.encode() for name in files)
    place = 4 + 12 * len(names)
    table, texts = [struct.pack("<I", len(names))], []
    for name in names:
        table.append(struct.pack("<I", place))
        texts.append(name + b"\0")
        place += len(name) + 1
    entries, places = [], dict[bytes, int]()  # of texts, as many time zones are one
    for name, at in zip(names, table[1:], strict=True):
        data = files[name.decode()]
        if data not in places:
            places[data] = place
            texts.append(data)
            place += len(data)
        entries.append(at + struct.pack("<II", places[data], len(data)))
    return b"".join([table[0], *entries, *texts])
