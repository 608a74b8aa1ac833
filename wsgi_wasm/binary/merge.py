"""Copies the imports of several components into one, where each name is imported once.

An interface that two of them import is imported with all that either takes from it: toolchains
leave out what a component does not use, so their ideas of the same interface differ. Parts of the
same name are taken to be the same, which Wasmtime checks.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsgi_wasm.binary.component_imports import ImportCopy, PendingImport
from wsgi_wasm.binary.component_types import TypeCopier, extern_name
from wsgi_wasm.binary.reader import INSTANCE_SORT, TYPE_SORT, Reader
from wsgi_wasm.binary.writer import Item, Writer, unsigned
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.messages import escaped

_INSTANCE_TYPE = 0x42
_TYPE, _ALIAS, _EXPORT = 1, 2, 4  # declarations in an instance type


def merge_imports(
    readings: Sequence[ImportCopy], writer: Writer, left_out: Sequence[frozenset[str]]
) -> dict[str, Item]:
    """Copy all imports, except those that `left_out` names for each reading; what stands for
    each, by name.

    Raises ModuleError where two components import a name as different things, or names in
    orders that contradict.
    """
    made: dict[str, Item] = {}
    waiting = {reading: _next(reading, None, out) for reading, out in zip(readings, left_out, strict=True)}
    outs = dict(zip(readings, left_out, strict=True))
    ahead = {reading: [name for name in reading.names if name not in outs[reading]] for reading in readings}
    while any(waiting.values()):
        name = _first_agreed(waiting, ahead)
        there = {
            reading: pending for reading, pending in waiting.items() if pending is not None and pending.name == name
        }
        made[name] = _import(there, writer)
        for reading in there:
            ahead[reading].remove(name)
            waiting[reading] = _next(reading, made[name], outs[reading])
            # What the reading itself has left out is not ahead any more.
            reached = waiting[reading]
            ahead[reading] = ahead[reading][ahead[reading].index(reached.name) :] if reached is not None else []
    return made


def _next(reading: ImportCopy, item: Item | None, out: frozenset[str]) -> PendingImport | None:
    pending = reading.next(item)
    while pending is not None and pending.name in out:
        pending = reading.next(None)
    return pending


def _first_agreed(waiting: dict[ImportCopy, PendingImport | None], ahead: dict[ImportCopy, list[str]]) -> str:
    """A name at which each component waits that imports it at all."""
    for pending in waiting.values():
        if pending is not None and all(
            pending.name not in ahead[reading] or (other is not None and other.name == pending.name)
            for reading, other in waiting.items()
        ):
            return pending.name
    names = sorted({pending.name for pending in waiting.values() if pending is not None})
    raise ModuleError(f"imports the same interfaces in conflicting orders: {', '.join(names)}")


def _import(there: dict[ImportCopy, PendingImport], writer: Writer) -> Item:
    first, *others = there.values()
    for other in others:
        if other.sort != first.sort:
            raise ModuleError(f"imports {escaped(first.name)} as two different kinds of item")
    description = first.description
    if others and first.sort == INSTANCE_SORT:
        merged = writer.add_type(_merged(there))
        description = bytes([INSTANCE_SORT]) + unsigned(merged.index)
    return writer.add_import(first.form, description, first.sort)


def _merged(there: dict[ImportCopy, PendingImport]) -> bytes:
    """The instance type that has what each of these has."""
    declarations: list[bytes] = []
    exported: dict[str, int | None] = {}  # name to the type's index, None for what is no type
    types = 0
    for reading, pending in there.items():
        if pending.type_at is None:
            raise ModuleError(f"imports {escaped(pending.name)} by a type that it does not define itself")
        source = Reader(reading.source, pending.type_at, len(reading.source))
        if source.byte() != _INSTANCE_TYPE:
            raise ModuleError(f"imports {escaped(pending.name)} with something other than an instance type")
        local: list[int] = []  # from the type's own indexes to those of the merged one
        with reading.copier.inside(local) as copier:
            for _ in range(source.count()):
                kept, name, is_type = _declaration(copier, source, pending.name)
                if name is not None and name in exported:
                    known = exported[name]
                    if is_type != (known is not None):
                        raise ModuleError(
                            f"imports {escaped(pending.name)} once with a type {escaped(name)} and once with no type"
                        )
                    if known is not None:
                        local.append(known)
                    continue
                declarations.append(kept)
                if name is not None:
                    exported[name] = types if is_type else None
                if is_type:
                    local.append(types)
                    types += 1
    return bytes([_INSTANCE_TYPE]) + unsigned(len(declarations)) + b"".join(declarations)


def _declaration(copier: TypeCopier, source: Reader, interface: str) -> tuple[bytes, str | None, bool]:
    """One declaration: its bytes, the name if it is an export, and whether it takes
    a type index."""
    kind = source.byte()
    if kind == _TYPE:
        return b"\1" + copier.nested_definition(source), None, True
    if kind == _ALIAS:
        body, sort = copier.nested_alias(source)
        return b"\2" + body, None, sort == TYPE_SORT
    if kind == _EXPORT:
        form, name = extern_name(source)
        body, sort = copier.nested_description(source)
        return b"\4" + form + body, name, sort == TYPE_SORT
    raise ModuleError(f"imports {escaped(interface)} with a declaration (0x{kind:02x}) that cannot be merged")
