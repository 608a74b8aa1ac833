"""mod_wasm's settings of a place as keys of its route."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.importers.apache.reading import Source
from wsgi_wasm.importers.apache.settings import PlaceSettings, Wasm
from wsgi_wasm.importers.apache.syntax import not_defined, undefined
from wsgi_wasm.importers.apache.walks import Said
from wsgi_wasm.importers.drafts import RouteDraft, path_text
from wsgi_wasm.importers.report import ImportReport, SourceLine
from wsgi_wasm.importers.yaml_text import Value
from wsgi_wasm.importers.yaml_text import escaped as in_yaml
from wsgi_wasm.messages import escaped, listed


def put_module(draft: RouteDraft, settings: PlaceSettings, handler: Said, source: Source, base: Path) -> bool:
    """A route that runs one module. False where no module is named."""
    wasm, report = settings.wasm, source.report
    if wasm is None or wasm.module is None:
        report.decide(handler.place, "has no WasmModule there, so mod_wasm answered 500")
        return False
    if not _is_defined(wasm, report):
        return False
    draft.put("module", _file(wasm, wasm.module, base, report), handler.place, *_sources(wasm))
    if wasm.entry_point is not None and wasm.entry_point.value != "_start":
        draft.put("entry_point", in_yaml(wasm.entry_point.value), wasm.entry_point.place)
    elif wasm.entry_point is not None:
        report.kept(wasm.entry_point.place, "_start is the default")
    _interface(draft, wasm)
    if wasm.args:
        draft.put("args", [in_yaml(said.value) for said in wasm.args], *(said.place for said in wasm.args))
    _put_env(draft, wasm, report)
    for guest, entry, place in _dirs(wasm, base, report):
        draft.put_item("dirs", guest, entry, place)
    _remark(draft, wasm, report)
    return True


def put_interpreter(draft: RouteDraft, settings: PlaceSettings, suffix: str, said: Said, base: Path) -> bool:
    """A module that runs the files of a suffix (`AddHandler`). False where none is named."""
    wasm = settings.wasm
    if wasm is None or wasm.module is None or not _is_defined(wasm, settings.report):
        return False
    module: dict[str, Value] = {
        "module": _file(wasm, wasm.module, base, settings.report),
        "args": [in_yaml(one.value) for one in wasm.args],
    }
    places = [said.place, *(one.place for one in wasm.args), *_sources(wasm)]
    draft.put_item("interpreters", suffix, module, *places)
    if wasm.entry_point is not None and wasm.entry_point.value != "_start":
        settings.report.decide(wasm.entry_point.place, "an interpreter has no `entry_point`: build one with _start")
    elif wasm.entry_point is not None:
        settings.report.kept(wasm.entry_point.place, "_start is the default")
    _interface(draft, wasm)
    _put_env(draft, wasm, settings.report)
    _remark(draft, wasm, settings.report)
    return True


def put_dirs(draft: RouteDraft, wasm: Wasm, base: Path, report: ImportReport) -> None:
    """The directories of an interpreter. `/` is the directory of its scripts."""
    for guest, entry, place in _dirs(wasm, base, report, scripts=True):
        if guest == "/":
            report.dropped(place, "the scripts see their own directory as /, and nothing above it")
        else:
            draft.put_item("dirs", guest, entry, place)


def _put_env(draft: RouteDraft, wasm: Wasm, report: ImportReport) -> None:
    for name, said in wasm.env:
        if _is_whole(said, report):
            draft.put_item("env", name, in_yaml(said.value), said.place)


def _sources(wasm: Wasm) -> list[SourceLine]:
    return [said.place for said in (wasm.module, wasm.root) if said is not None]


def _file(wasm: Wasm, module: Said, base: Path, report: ImportReport) -> str:
    file = os.path.abspath(os.path.join(wasm.root.value if wasm.root else "/", module.value))
    if not os.path.exists(file):
        report.decide(module.place, f"{escaped(file)} is not on this machine")
    return path_text(Path(file), base)


def _is_defined(wasm: Wasm, report: ImportReport) -> bool:
    """Whether what is run has no `${NAME}` left that nobody has defined."""
    single = [said for said in (wasm.module, wasm.root, wasm.entry_point) if said is not None]
    whole = [_is_whole(said, report) for said in (*single, *wasm.args)]  # to say all of them
    return all(whole)


def _is_whole(said: Said, report: ImportReport) -> bool:
    name = undefined(said.value)
    if name is not None:
        report.decide(said.place, not_defined(name))
    return name is None


def _interface(draft: RouteDraft, wasm: Wasm) -> None:
    is_cgi = wasm.cgi is not None and wasm.cgi.value.lower() == "on"
    draft.put("interface", "cgi" if is_cgi else "raw", *([wasm.cgi.place] if wasm.cgi else []))
    if wasm.map_names is not None:
        draft.places["", ""].append(wasm.map_names.place)


def _remark(draft: RouteDraft, wasm: Wasm, report: ImportReport) -> None:
    if not wasm.replaced:
        return
    lines = sorted({place.line for place in wasm.replaced})
    draft.remarks.append(
        f"In mod_wasm a section that sets anything starts anew: line {listed(lines)} is not used here."
    )
    for place in wasm.replaced:
        report.dropped(place, "sections inside it start anew, and nothing else uses it")


def _dirs(
    wasm: Wasm, base: Path, report: ImportReport, scripts: bool = False
) -> Iterator[tuple[str, Value, SourceLine]]:
    """Guest path, entry of `dirs` and line of each directory."""
    taken: dict[str, SourceLine] = {}
    for guest, said in wasm.dirs:
        if not _is_whole(said, report):
            continue
        path = "/" + "/".join(part for part in re.split("/+", guest) if part not in ("", "."))
        if ".." in path.split("/"):
            report.decide(said.place, f"the guest path {escaped(guest)} has '..': write where it leads")
        elif path in taken:
            report.decide(said.place, f"{escaped(path)} is already the directory of line {taken[path].line}")
        else:
            taken[path] = said.place
            host = Path(os.path.abspath(os.path.join("/", said.value)))
            if host == Path("/") and not (scripts and path == "/"):
                report.decide(said.place, "would give the guest all files of the host: name the directories it needs")
            else:
                if not os.path.isdir(host):
                    report.decide(said.place, f"{escaped(host)} is not on this machine")
                yield path, {"path": path_text(host, base), "writable": True}, said.place
