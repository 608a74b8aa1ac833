"""What a core module says of itself, read from its sections without compiling it.

Follows the binary format of the WebAssembly core specification, chapter 5. Only what the gateway
decides by is read; whether the module is valid is for Wasmtime to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from wsgi_wasm.binary import limits
from wsgi_wasm.binary.component_facts import ComponentFacts, component_from_json, component_to_json, of_kinds
from wsgi_wasm.binary.reader import CORE_PREAMBLE, MAGIC
from wsgi_wasm.binary.tables import read_tables
from wsgi_wasm.errors import ModuleError

PAGE = 65536
NULLARY = "() -> ()"
UNKNOWN = "unknown"
KINDS = {0: "function", 1: "table", 2: "memory", 3: "global", 4: "tag"}

_MAX_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the module and name it is asked for by, and its kind."""

    module: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class ModuleFacts:
    """Imports, exports by name and kind, the memory's limits in bytes, the signature of `_start`,
    the number of tables, and the most elements that one begins with.

    `entry_points` are the exported functions that take and return nothing, `untyped` those whose
    type cannot be read here (of the GC proposal; none once it is compiled), `has_start` says
    whether there is a start section. `features` are what it needs of the engine, as far as its
    sections tell: "exceptions".
    """

    imports: list[Import] = field(default_factory=list)
    exports: dict[str, str] = field(default_factory=dict)
    memory_minimum: int = 0
    memory_maximum: int | None = None
    memory_imported: bool = False
    start_signature: str | None = None
    entry_points: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)
    has_start: bool = False
    tables: int = 0
    table_largest: int = 0
    features: list[str] = field(default_factory=list)


Facts = ModuleFacts | ComponentFacts


def check_limits(facts: ModuleFacts) -> None:
    """Raises ModuleError for a module that no pool of the engine has room for."""
    limits.check_count(facts.tables, limits.MODULE_TABLES, "tables")
    limits.check_table_elements(facts.table_largest)
    limits.check_memory_size(facts.memory_minimum)


def to_json(facts: Facts) -> dict[str, Any]:
    """Facts as they lie in the cache beside the artefact."""
    return {"component": component_to_json(facts)} if isinstance(facts, ComponentFacts) else asdict(facts)


def from_json(value: Any) -> Facts:
    """The reverse. Raises TypeError, KeyError or ValueError for what `to_json` did not write."""
    known = dict(value)
    if "component" in known:
        return component_from_json(known["component"])
    known["imports"] = [of_kinds(Import(**item)) for item in known["imports"]]
    facts = of_kinds(ModuleFacts(**known))
    if not all(isinstance(kind, str) for kind in facts.exports.values()):
        raise TypeError("exports are not of their kind")
    if not all(isinstance(name, str) for name in (*facts.entry_points, *facts.untyped, *facts.features)):
        raise TypeError("entry points are not of their kind")
    return facts


class _SectionReader:
    """A cursor over one section; running off its end is an error of the module."""

    def __init__(self, source: bytes, position: int, end: int) -> None:
        self.source, self.position, self.end = source, position, end

    def byte(self) -> int:
        if self.position >= self.end:
            raise ModuleError("ends in the middle of a section")
        self.position += 1
        return self.source[self.position - 1]

    def number(self) -> int:
        """Unsigned LEB128 of up to 64 bits."""
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7
            if shift > 63:
                raise ModuleError("contains a number that is too long")

    wide_number = number

    def take(self, size: int) -> bytes:
        if size > self.end - self.position:
            raise ModuleError("ends in the middle of a section")
        self.position += size
        return self.source[self.position - size : self.position]

    def name(self) -> str:
        return self.take(self.number()).decode("utf-8", "backslashreplace")

    def count(self) -> int:
        count = self.number()
        if count > _MAX_ENTRIES:
            raise ModuleError(f"a section claims {count} entries")
        return count


@dataclass(slots=True)
class _Indexes:
    """Index spaces while they fill: signatures by type index, type index by function index, and
    function index by export."""

    signatures: list[str] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    exported: dict[str, int] = field(default_factory=dict)

    def signature(self, function: int) -> str:
        index = self.functions[function]
        return self.signatures[index] if index < len(self.signatures) else UNKNOWN


def read_facts(source: bytes) -> ModuleFacts:
    """Facts of a core module in binary form. Raises ModuleError for what is no core module."""
    _check_preamble(source)
    facts, indexes = ModuleFacts(), _Indexes()
    position, end = 8, len(source)
    while position < end:
        head = _SectionReader(source, position, end)
        identity, size = head.byte(), head.number()
        position = head.position + size
        if position > end:
            raise ModuleError("is truncated")
        reader = _SECTIONS.get(identity)
        if reader is not None:
            reader(_SectionReader(source, head.position, position), facts, indexes)
    for name, function in indexes.exported.items():
        if function < len(indexes.functions):
            _export_typed(facts, name, indexes.signature(function))
    return facts


def _export_typed(facts: ModuleFacts, name: str, signature: str) -> None:
    if name == "_start":
        facts.start_signature = signature
    if signature == NULLARY:
        facts.entry_points.append(name)
    elif signature == UNKNOWN:
        facts.untyped.append(name)


def with_types(facts: ModuleFacts, signatures: Mapping[str, str]) -> ModuleFacts:
    """The same, where the types that could not be read are these, by export."""
    typed = replace(facts, entry_points=list(facts.entry_points), untyped=[])
    for name in facts.untyped:
        _export_typed(typed, name, signatures[name])
    return typed


def _check_preamble(source: bytes) -> None:
    if len(source) == 0:
        raise ModuleError("is empty")
    if source[:4] != MAGIC:
        raise ModuleError("is not WebAssembly: it does not begin with the bytes 00 61 73 6d")
    if source[:8] != CORE_PREAMBLE:
        raise ModuleError(f"has an unknown binary version {source[4:8].hex()}")


def _types(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    for _ in range(reader.count()):
        form = reader.byte()
        if form != 0x60:
            # A form of the GC proposal: Wasmtime will name what is missing, and nothing here
            # depends on it.
            return
        parameters = _value_types(reader)
        results = _value_types(reader)
        indexes.signatures.append(f"({', '.join(parameters)}) -> ({', '.join(results)})")


_VALUE_TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref"}


def _value_types(reader: _SectionReader) -> list[str]:
    names = []
    for _ in range(reader.count()):
        code = reader.byte()
        if code in (0x63, 0x64):
            reader.number()
        names.append(_VALUE_TYPES.get(code, "ref"))
    return names


def _limits(reader: _SectionReader) -> tuple[int, int | None]:
    flags = reader.byte()
    minimum = reader.number()
    return minimum, reader.number() if flags & 1 else None


def _memory(reader: _SectionReader, facts: ModuleFacts) -> None:
    minimum, maximum = _limits(reader)
    facts.memory_minimum += minimum * PAGE
    facts.memory_maximum = None if maximum is None else maximum * PAGE


def _imports(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    for _ in range(reader.count()):
        module, name, kind = reader.name(), reader.name(), reader.byte()
        facts.imports.append(Import(module, name, KINDS.get(kind, "item")))
        if kind == 0:
            indexes.functions.append(reader.number())
        elif kind == 1:
            reader.byte()
            _limits(reader)
        elif kind == 2:
            facts.memory_imported = True
            _limits(reader)
        elif kind == 3:
            reader.byte()
            reader.byte()
        else:
            reader.byte()
            reader.number()


def _functions(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    indexes.functions.extend(reader.number() for _ in range(reader.count()))


def _memories(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    for _ in range(reader.count()):
        _memory(reader, facts)


def _tables(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    facts.tables, facts.table_largest = read_tables(reader)


def _exports(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    for _ in range(reader.count()):
        name, kind, index = reader.name(), reader.byte(), reader.number()
        facts.exports[name] = KINDS.get(kind, "item")
        if kind == 0:
            indexes.exported[name] = index


def _start(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    facts.has_start = True


def _tags(reader: _SectionReader, facts: ModuleFacts, indexes: _Indexes) -> None:
    facts.features = ["exceptions"]


_SECTIONS: dict[int, Callable[[_SectionReader, ModuleFacts, _Indexes], None]] = {
    1: _types,
    2: _imports,
    3: _functions,
    4: _tables,
    5: _memories,
    7: _exports,
    8: _start,
    13: _tags,
}
