"""Plugs components into another's imports: the composition of `compose:` in a site's file.

The result has the exports of the component that is plugged into, and imports what the
components together still import. Plugs do not see each other; one that is plugged into two
imports is one instance.
"""

from __future__ import annotations

from collections.abc import Mapping

from wsgi_wasm.binary.component_imports import ImportCopy
from wsgi_wasm.binary.merge import merge_imports
from wsgi_wasm.binary.outline import Outline, copy_imports, outline
from wsgi_wasm.binary.reader import INSTANCE_SORT
from wsgi_wasm.binary.versions import InterfaceName, compatible, parse
from wsgi_wasm.binary.writer import Item, Writer
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.messages import escaped


def plug(socket: bytes, plugs: Mapping[str, tuple[str, bytes]]) -> bytes:
    """The composition. `plugs` maps an import to the name of a plug, for messages, and the plug.

    An import is named in full; without its version, for all versions of it; by its package
    (`demo:api`), for all that is imported of that; or by its interface's name alone where only
    one import has it. Behind `=` stands the export to plug it with, where that is called
    otherwise. Whatever else a plug exports that the socket imports is plugged as well. Raises
    ModuleError for an import that is not there or named twice, a plug that does not export it,
    and what is malformed.
    """
    wanted = outline(socket)
    named: dict[str, tuple[bytes, str]] = {}  # import of the socket: plug, and its export
    others: dict[str, tuple[bytes, str]] = {}
    for key, (name, source) in plugs.items():
        exports = outline(source)
        import_key, _, export = key.partition("=")
        for imported in _imports_named(import_key, wanted):
            if imported in named:
                raise ModuleError(f"imports {escaped(imported)}, and `compose` names several plugs for it")
            named[imported] = source, _export_for(imported, export, name, exports)
        for other in (one.name for one in wanted.imports):
            fitting = _fitting(other, exports)
            if fitting is not None:
                others.setdefault(other, (source, fitting))
    return _composed(socket, wanted, {**others, **named})


def _imports_named(key: str, wanted: Outline) -> list[str]:
    names = [one.name for one in wanted.imports if one.sort == INSTANCE_SORT]
    meant = parse(key)
    if ":" in meant.package:
        found = [name for name in names if _means(meant, parse(name))]
    else:
        found = [name for name in names if key in (name, parse(name).interface)]
        if len(found) > 1:
            raise ModuleError(f"imports {key!r} several times: {', '.join(found)}; name one of them in full")
    if not found:
        raise ModuleError(f"does not import {key!r}; it imports {', '.join(names) or 'nothing'}")
    return found


def _means(key: InterfaceName, imported: InterfaceName) -> bool:
    """Whether an import is meant by a key, which may leave out interface and version."""
    return (
        key.package == imported.package
        and key.interface in ("", imported.interface)
        and key.version in ("", imported.version)
    )


def _export_for(imported: str, export: str, name: str, exports: Outline) -> str:
    """The plug's export for an import; `export` is what it is called, "" for the same name."""
    found = _fitting(export or imported, exports)
    if found is None:
        listed = ", ".join(exports.exports) or "nothing"
        what = f"{export}, with which it is to be plugged" if export else "it"
        raise ModuleError(
            f"imports {escaped(imported)}, and {escaped(name)} does not export {what}: it exports {listed}"
        )
    return found


def _fitting(imported: str, exports: Outline) -> str | None:
    """The export that an import can be plugged with: of the same name, else of a version that
    stands for it."""
    if exports.exports.get(imported) == INSTANCE_SORT:
        return imported
    for name, sort in exports.exports.items():
        if sort == INSTANCE_SORT and compatible(imported, name):
            return name
    return None


def _composed(socket: bytes, wanted: Outline, plugged: Mapping[str, tuple[bytes, str]]) -> bytes:
    writer = Writer()
    sources = list(dict.fromkeys(source for source, _ in plugged.values()))
    readings = [*(ImportCopy(source, writer) for source in sources), ImportCopy(socket, writer, lenient=True)]
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
    return writer.instantiate(writer.add_component(source), found.arguments())
