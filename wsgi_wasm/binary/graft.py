"""Adds functions to a core module that somebody else has compiled.

New imports come before a module's own functions in their index space, so every call is numbered
anew. For modules that are known by their digest: what is malformed here is a mistake of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsgi_wasm.binary.reader import CORE_PREAMBLE, Reader
from wsgi_wasm.binary.writer import text, type_index, unsigned
from wsgi_wasm.errors import ModuleError

TYPES, IMPORTS, FUNCTIONS, TABLES, EXPORTS, ELEMENTS, CODE = 1, 2, 3, 4, 7, 9, 10
FUNCTION = 0  # as imports and exports have it
I32 = 0x7F

# Instructions (core specification 5.4) up to the next one that names a function or is of another
# form: without an operand, with one number, with two, constants.
_LEB = rb"[\x80-\xff]*[\x00-\x7f]"
_PLAIN = re.compile(
    rb"(?:[\x00\x01\x05\x0b\x0f\x1a\x1b\x45-\xc4]"
    rb"|[\x02-\x04\x0c\x0d\x20-\x26\x3f-\x42\xd0]" + _LEB + rb"|[\x11\x28-\x3e]" + _LEB + _LEB + rb"|\x43.{4}|\x44.{8}"
    rb"|\xfc(?:[\x00-\x07]|[\x09\x0b\x0d\x0f-\x11]" + _LEB + rb"|[\x08\x0a\x0c\x0e]" + _LEB + _LEB + rb"))*",
    re.DOTALL,
)
_CALL, _BR_TABLE, _REF_FUNC = 0x10, 0x0E, 0xD2


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's type: how many numbers of 32 bits it takes and gives."""

    parameters: int
    results: int

    def encoded(self) -> bytes:
        """As the type section has it."""
        return b"\x60" + _vector([bytes([I32])] * self.parameters) + _vector([bytes([I32])] * self.results)


Body = Sequence[bytes | int | str]
"""Instructions: bytes; a call by the number that the function had; a call by name, of an export, an
import or another new function."""


@dataclass(frozen=True, slots=True)
class NewFunction:
    """A function to add: `locals` are numbers of 32 bits besides the parameters."""

    signature: Signature
    body: Body
    locals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Graft:
    """What becomes of a module: `imports` are added, by the function's name and its module's;
    `functions` by a name of their own. `instead` gives, for an import's name, the new function that
    is called in its place, and the import goes. `table` lists new functions that follow what the
    table has, `exports` are all that the module has afterwards, by the names of functions."""

    imports: Mapping[tuple[str, str], Signature]
    functions: Mapping[str, NewFunction]
    instead: Mapping[str, str]
    table: Sequence[str]
    exports: Mapping[str, str]


def graft(source: bytes, added: Graft) -> bytes:
    """The module with what is added. Raises ModuleError."""
    if source[: len(CORE_PREAMBLE)] != CORE_PREAMBLE:
        raise ModuleError("is not a core module")
    return _Grafting(source, added).made()


class _Grafting:
    def __init__(self, source: bytes, added: Graft) -> None:
        self._added = added
        self._sections = dict(_sections(source))
        self._numbers: dict[int, int] = {}  # of functions, old to new
        self._named: dict[str, int] = {}  # old number of each import and export
        self._calls: dict[str, int] = {}  # new number of each new function

    def made(self) -> bytes:
        imports = self._imports()
        count, exports = self._functions(), self._section(EXPORTS)
        for _ in range(exports.count()):
            name, kind, number = exports.name(), exports.byte(), exports.number()
            if kind == FUNCTION:
                self._named[name] = number
        self._sections[IMPORTS] = imports
        types = self._section(TYPES).number()
        signatures = [*self._added.imports.values(), *(made.signature for made in self._added.functions.values())]
        self._append(TYPES, [signature.encoded() for signature in signatures])
        first = types + len(self._added.imports)
        self._append(FUNCTIONS, [unsigned(first + number) for number in range(len(self._added.functions))])
        for number, name in enumerate(self._added.functions):
            self._calls[name] = count + number
        for old, name in [(self._named[old], new) for old, new in self._added.instead.items()]:
            self._numbers[old] = self._calls[name]
        self._table()
        self._exports()
        self._code()
        found = b"".join(
            bytes([number]) + unsigned(len(data)) + data for number, data in self._sections.items() if number
        )
        return CORE_PREAMBLE + found

    def _section(self, number: int) -> Reader:
        data = self._sections[number]
        return Reader(data, 0, len(data))

    def _append(self, number: int, items: Sequence[bytes]) -> None:
        reader = self._section(number)
        count = reader.number()
        self._sections[number] = unsigned(count + len(items)) + reader.source[reader.position :] + b"".join(items)

    def _imports(self) -> bytes:
        reader = self._section(IMPORTS)
        kept: list[bytes] = []
        types = self._section(TYPES).number()
        for number in range(reader.count()):
            module, name, kind, signature = reader.name(), reader.name(), reader.byte(), reader.number()
            if kind != FUNCTION:
                raise ModuleError("imports more than functions")
            self._named[name] = number
            if name not in self._added.instead:
                self._numbers[number] = len(kept)
                kept.append(text(module) + text(name) + b"\0" + unsigned(signature))
        for number, (name, module) in enumerate(self._added.imports):
            self._calls[name] = len(kept)
            kept.append(text(module) + text(name) + b"\0" + unsigned(types + number))
        self._imported = len(kept)
        return _vector(kept)

    def _functions(self) -> int:
        """Numbers the module's own functions; gives how many there are, imports included."""
        defined = self._section(FUNCTIONS).number()
        before = len(self._numbers) + len(self._added.instead)
        for number in range(defined):
            self._numbers[before + number] = self._imported + number
        return self._imported + defined

    def _table(self) -> None:
        reader = self._section(TABLES)
        if reader.count() != 1 or reader.byte() != 0x70 or reader.byte() != 1:
            raise ModuleError("has another table than one of functions with a fixed size")
        size = reader.number()
        larger = unsigned(size + len(self._added.table))
        self._sections[TABLES] = b"\x01\x70\x01" + larger * 2
        reader, segments = self._section(ELEMENTS), []
        for _ in range(reader.count()):
            if reader.byte() != 0 or reader.byte() != 0x41:  # at a constant place of the only table
                raise ModuleError("has an unusual table")
            place, _ = reader.number(), reader.byte()
            segments.append((place, [self._numbers[reader.number()] for _ in range(reader.count())]))
        segments.append((size, [self._calls[name] for name in self._added.table]))
        places = ((b"\0\x41" + type_index(place) + b"\x0b", found) for place, found in segments)
        self._sections[ELEMENTS] = _vector([place + _vector([unsigned(n) for n in found]) for place, found in places])

    def _exports(self) -> None:
        exports = [text("memory") + b"\x02\0"]
        exports += [text(name) + b"\0" + unsigned(self._number(what)) for name, what in self._added.exports.items()]
        self._sections[EXPORTS] = _vector(exports)

    def _number(self, function: str | int) -> int:
        if isinstance(function, int):
            return self._numbers[function]
        return self._calls[function] if function in self._calls else self._numbers[self._named[function]]

    def _code(self) -> None:
        reader, bodies = self._section(CODE), []
        for _ in range(reader.number()):
            body = reader.take(reader.number())
            bodies.append(self._renumbered(body))
        for made in self._added.functions.values():
            locals_ = [unsigned(made.locals) + bytes([I32])] if made.locals else []
            bodies.append(_vector(locals_) + b"".join(map(self._instruction, made.body)) + b"\x0b")
        self._sections[CODE] = _vector([unsigned(len(body)) + body for body in bodies])

    def _instruction(self, part: bytes | int | str) -> bytes:
        return part if isinstance(part, bytes) else bytes([_CALL]) + unsigned(self._number(part))

    def _renumbered(self, body: bytes) -> bytes:
        reader = Reader(body, 0, len(body))
        for _ in range(reader.number()):
            reader.number(), reader.byte()
        parts: list[bytes] = []
        copied = 0
        while True:
            found = _PLAIN.match(body, reader.position)
            assert found is not None  # it may be empty
            reader.position = found.end()
            if reader.position == len(body):
                return b"".join([*parts, body[copied:]])
            opcode = reader.byte()
            if opcode in (_CALL, _REF_FUNC):
                parts.append(body[copied : reader.position])
                parts.append(unsigned(self._numbers[reader.number()]))
                copied = reader.position
            elif opcode == _BR_TABLE:
                for _ in range(reader.count() + 1):
                    reader.number()
            else:
                raise ModuleError(f"has the unknown instruction {opcode:#x}")


def _sections(source: bytes) -> list[tuple[int, bytes]]:
    reader, found = Reader(source, len(CORE_PREAMBLE), len(source)), []
    while reader.position < len(source):
        number = reader.byte()
        found.append((number, reader.take(reader.number())))
    return found


def _vector(items: Sequence[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)
