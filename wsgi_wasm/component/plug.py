"""Plugs components into another's imports: the composition of `compose:` in a site's file.

The result has the exports of the component that is plugged into, and imports what the components together still
import. Plugs do not see each other; one that is plugged into two imports is one instance.
"""

from __future__ import annotations

from collections.abc import Mapping

from wsgi_wasm.component.imports import Reading
from wsgi_wasm.component.merge import merge_imports
from wsgi_wasm.component.outline import Outline, copy_imports, outline
from wsgi_wasm.component.reader import INSTANCE_SORT
from wsgi_wasm.component.versions import compatible, parse
from wsgi_wasm.component.writer import Item, Writer
from wsgi_wasm.errors import ModuleError


def plug(socket: bytes, plugs: Mapping[str, tuple[str, bytes]]) -> bytes:
    """The composition. `plugs` maps an import to the name of a plug, for messages, and the plug.

    An import is named in full, or by its interface's name alone where only one import has it. Whatever else a plug
    exports that the socket imports is plugged as well. Raises ModuleError for an import that is not there, a plug that
    does not export it, and what is malformed.
    """
    wanted = outline(socket)
    plugged: dict[str, tuple[bytes, str]] = {}  # import of the socket: plug, and its export
    for key, (name, source) in plugs.items():
        exports = outline(source)
        imported = _import_named(key, wanted)
        plugged[imported] = source, _export_for(imported, name, exports)
        for other in (one.name for one in wanted.imports):
            fitting = _fitting(other, exports)
            if other not in plugged and fitting is not None:
                plugged[other] = source, fitting
    return _composed(socket, wanted, plugged)


def _import_named(key: str, wanted: Outline) -> str:
    names = [one.name for one in wanted.imports if one.sort == INSTANCE_SORT]
    if key in names:
        return key
    short = [name for name in names if parse(name).interface == key]
    if len(short) == 1:
        return short[0]
    if short:
        raise ModuleError(f"imports {key!r} several times: {', '.join(short)}; name one of them in full")
    raise ModuleError(f"imports no {key!r}; it imports {', '.join(names) or 'nothing'}")


def _export_for(imported: str, name: str, exports: Outline) -> str:
    found = _fitting(imported, exports)
    if found is None:
        listed = ", ".join(exports.exports) or "nothing"
        raise ModuleError(f"imports {imported}, and {name} does not export it: it exports {listed}")
    return found


def _fitting(imported: str, exports: Outline) -> str | None:
    """The export that an import can be plugged with: of the same name, else of a version that stands for it."""
    if exports.exports.get(imported) == INSTANCE_SORT:
        return imported
    for name, sort in exports.exports.items():
        if sort == INSTANCE_SORT and compatible(imported, name):
            return name
    return None


def _composed(socket: bytes, wanted: Outline, plugged: Mapping[str, tuple[bytes, str]]) -> bytes:
    writer = Writer()
    sources = list(dict.fromkeys(source for source, _ in plugged.values()))
    readings = [*(Reading(source, writer) for source in sources), Reading(socket, writer, lenient=True)]
    made = merge_imports(readings, writer, [*(frozenset[str]() for _ in sources), frozenset(plugged)])
    instances = {source: _instantiated(source, writer, made) for source in sources}
    given = dict(made)
    for name, (source, export) in plugged.items():
        given[name] = writer.alias(INSTANCE_SORT, instances[source], export)
    whole = _instantiated(socket, writer, given)
    for name, sort in wanted.exports.items():
        writer.export(name, writer.alias(sort, whole, name))
    return writer.whole()


def _instantiated(source: bytes, writer: Writer, made: Mapping[str, Item]) -> Item:
    """An instance of a component whose imports are here; those that are not are imported now."""
    found = copy_imports(source, writer, made.get)
    return writer.instantiate(writer.add_component(source), [(one.name, one.item) for one in found.imports])
