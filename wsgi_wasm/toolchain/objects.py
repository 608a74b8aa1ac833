"""What an object file that the compiler wrote defines and needs, read from its symbol table; and
what of a module need not be kept.

Follows Linking.md of WebAssembly's tool conventions. A leaf beside the readers of `binary`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.binary.reader import CORE_PREAMBLE, Reader
from wsgi_wasm.errors import ModuleError

_CUSTOM, _TYPES, _IMPORTS, _FUNCTIONS = 0, 1, 2, 3
_FUNCTION, _DATA, _GLOBAL, _SECTION, _TAG, _TABLE = range(6)  # kinds of symbols
_SYMBOL_TABLE = 8
_UNDEFINED, _EXPLICIT_NAME = 0x10, 0x40
_VALUES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64"}

Signature = tuple[tuple[str, ...], tuple[str, ...]]
"""Parameters and results."""


@dataclass(slots=True)
class Symbols:
    """Functions that an object defines, with their signatures, and the names of all that it uses
    and does not define."""

    functions: dict[str, Signature] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Spaces:
    """Signatures by type; by function, the imported ones first; names of what is imported."""

    types: list[Signature] = field(default_factory=list)
    functions: list[Signature] = field(default_factory=list)
    imported: dict[int, list[str]] = field(default_factory=dict)


def symbols(path: Path) -> Symbols | None:
    """The symbols of an object; None for what is none, such as an archive or LLVM's bitcode. Raises
    OSError."""
    data = path.read_bytes()
    if not data.startswith(CORE_PREAMBLE):
        return None
    found, spaces = Symbols(), _Spaces()
    try:
        reader = Reader(data, len(CORE_PREAMBLE), len(data))
        while reader.position < reader.end:
            number, size = reader.byte(), reader.number()
            section = Reader(data, reader.position, reader.position + size)
            reader.take(size)
            _read(number, section, spaces, found)
    except (ModuleError, IndexError, KeyError):
        return None
    return found


def without_debugging(module: bytes) -> bytes:
    """A module without what a debugger reads, but with the names of its functions, which a trap's
    line in the log has. The linker could only drop both."""
    kept = bytearray(module[: len(CORE_PREAMBLE)])
    reader = Reader(module, len(CORE_PREAMBLE), len(module))
    while reader.position < reader.end:
        begin = reader.position
        number, size = reader.byte(), reader.number()
        section = Reader(module, reader.position, reader.position + size)
        reader.take(size)
        if number != _CUSTOM or section.name() == "name":
            kept += module[begin : reader.position]
    return bytes(kept)


def _read(number: int, section: Reader, spaces: _Spaces, found: Symbols) -> None:
    if number == _TYPES:
        for _ in range(section.count()):
            section.byte()  # the form: a function
            spaces.types.append((_values(section), _values(section)))
    elif number == _IMPORTS:
        for _ in range(section.count()):
            _import(section, spaces)
    elif number == _FUNCTIONS:
        spaces.functions += [spaces.types[section.number()] for _ in range(section.count())]
    elif number == _CUSTOM and section.name() == "linking":
        section.number()  # the version
        while section.position < section.end:
            kind, size = section.byte(), section.number()
            part = Reader(section.source, section.position, section.position + size)
            section.take(size)
            if kind == _SYMBOL_TABLE:
                for _ in range(part.count()):
                    _symbol(part, spaces, found)


def _values(reader: Reader) -> tuple[str, ...]:
    return tuple(_VALUES.get(reader.byte(), "other") for _ in range(reader.count()))


def _import(reader: Reader, spaces: _Spaces) -> None:
    reader.name()
    name, kind = reader.name(), reader.byte()
    spaces.imported.setdefault(kind, []).append(name)
    if kind == 0:  # a function
        spaces.functions.append(spaces.types[reader.number()])
    elif kind == 1:  # a table
        reader.byte()
        _limits(reader)
    elif kind == 2:  # a memory
        _limits(reader)
    else:  # a global, or a tag
        reader.byte()
        reader.number()


def _limits(reader: Reader) -> None:
    for _ in range(1 + (reader.byte() & 1)):
        reader.wide_number()


def _symbol(reader: Reader, spaces: _Spaces, found: Symbols) -> None:
    kind, flags = reader.byte(), reader.number()
    undefined = bool(flags & _UNDEFINED)
    if kind == _SECTION:
        reader.number()
        return
    if kind == _DATA:
        name = reader.name()
        if not undefined:
            reader.number(), reader.number(), reader.number()
    else:
        index = reader.number()
        if undefined and not flags & _EXPLICIT_NAME:
            imported = {_FUNCTION: 0, _TABLE: 1, _GLOBAL: 3, _TAG: 4}[kind]
            name = spaces.imported[imported][index]
        else:
            name = reader.name()
        if kind == _FUNCTION and not undefined:
            found.functions[name] = spaces.functions[index]
    if undefined:
        found.needed.add(name)
