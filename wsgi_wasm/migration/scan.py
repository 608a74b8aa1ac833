"""What a directory of CGI programs holds, what each program needs, and how it would move."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from wsgi_wasm.binary.module_facts import read_facts
from wsgi_wasm.binary.reader import is_component
from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.files.regular import OpenFile, opened
from wsgi_wasm.messages import reason
from wsgi_wasm.migration.elf import Elf, read_elf
from wsgi_wasm.migration.file_kinds import HEAD, HELPER_SUFFIXES, FileForm, FileKind, kind_of
from wsgi_wasm.migration.needs import Need, at_most, of_functions, of_libraries, of_texts
from wsgi_wasm.migration.places import ProgramPlace
from wsgi_wasm.migration.python_needs import of_python
from wsgi_wasm.migration.text_needs import of_text
from wsgi_wasm.migration.walk import Walk
from wsgi_wasm.migration.ways import Way, way_of

MOST_TEXT = 256 << 10  # bytes of a script or source that are read
MOST_MODULE = 64 << 20  # bytes of a WebAssembly module
MOST_HELPERS = 50  # modules beside a Python script that are read with it
MOST_REMARKS = 200


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program, and how it would move. `path` is below its place's directory; `size` is in bytes,
    `mode` the file's permission bits."""

    path: str
    kind: FileKind
    size: int
    mode: int
    needs: tuple[Need, ...]
    remarks: tuple[str, ...]
    way: Way


@dataclass(slots=True)
class PlaceScan:
    """One directory. `others` counts the files that are no programs, by suffix."""

    place: ProgramPlace
    programs: list[Candidate] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    files: int = 0


@dataclass(slots=True)
class _Sighting:
    """What is known of a file before its sources are."""

    path: str
    kind: FileKind
    info: os.stat_result
    needs: list[Need] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    elf: Elf | None = None


def scan(place: ProgramPlace, progress: Callable[[int], None]) -> PlaceScan:
    """Look at every file below a directory. What cannot be read becomes a remark."""
    found = PlaceScan(place)
    walk = Walk(place.directory)
    seen: list[_Sighting] = []
    for name in walk.files(progress):
        try:
            with opened(place.directory / name) as file:
                one = _look(place, name, file)
        except (OSError, ValueError) as error:
            walk.remarks.append(f"{name}: cannot be read: {reason(error)}")
            continue
        if one is None:
            found.others[os.path.splitext(name)[1].lower()] += 1
        else:
            seen.append(one)
    sources = {one.path: one for one in seen if one.kind.form is FileForm.SOURCE}
    used: set[str] = set()
    for one in seen:
        if one.kind.form is not FileForm.SOURCE:
            found.programs.append(_candidate(one, sources, used))
    found.programs += [_candidate(one, sources, used) for name, one in sources.items() if name not in used]
    found.programs.sort(key=lambda program: program.path)
    found.files, found.remarks = walk.count, walk.remarks[:MOST_REMARKS]
    if len(walk.remarks) > MOST_REMARKS:
        found.remarks.append(f"and {len(walk.remarks) - MOST_REMARKS} more remarks")
    return found


def _look(place: ProgramPlace, name: str, file: OpenFile) -> _Sighting | None:
    """One file; None where it is no program. Raises OSError."""
    head = file.read(HEAD)
    kind = kind_of(name, head, bool(file.info.st_mode & 0o111))
    suffix = os.path.splitext(name)[1].lower()
    if kind.form is FileForm.DATA or suffix in HELPER_SUFFIXES or not place.runs(name):
        return None
    one = _Sighting(name, kind, file.info)
    if kind.form is FileForm.ELF:
        one.elf = _elf(file, one)
        if one.elf is None or (one.elf.shared_object and ".so" in name) or suffix in (".o", ".a"):
            return None
    elif kind.form is FileForm.WASM:
        _wasm(file, one)
    elif kind.form in (FileForm.SCRIPT, FileForm.SOURCE):
        if suffix == ".py" and not file.info.st_mode & 0o111 and not kind.interpreter:
            return None  # a module that scripts import
        _text(place, file, one)
    _modes(place, one)
    return one


def _elf(file: OpenFile, one: _Sighting) -> Elf | None:
    try:
        elf = read_elf(file.descriptor)
    except ValueError as error:
        one.remarks.append(str(error))
        return Elf()
    one.needs += [*of_functions(elf.functions), *of_libraries(elf.libraries), *of_texts(elf.texts)]
    if elf.static:
        one.remarks.append("linked statically, so what it needs is told less well")
    return elf


def _wasm(file: OpenFile, one: _Sighting) -> None:
    if file.info.st_size > MOST_MODULE or one.kind.language != "WebAssembly":
        return
    data = file.read(MOST_MODULE)
    if is_component(data):
        one.remarks.append("a component")
        return
    try:
        foreign = {item.module for item in read_facts(data).imports} - {"wasi_snapshot_preview1"}
    except (WsgiWasmError, ValueError) as error:
        one.remarks.append(f"not a valid module: {reason(error)}")
    else:
        one.remarks += [f"imports functions of {module!r}" for module in sorted(foreign)[:3]]


def _text(place: ProgramPlace, file: OpenFile, one: _Sighting) -> None:
    text = file.read(MOST_TEXT).decode("utf-8", "replace").replace("\r\n", "\n")
    if file.info.st_size > MOST_TEXT:
        one.remarks.append(f"only its first {MOST_TEXT >> 10} KiB were read")
    if one.kind.language == "Python":
        one.needs += _python(place, one.path, text)
        if one.kind.interpreter.rpartition("/")[2].startswith("python2"):
            one.needs.append(Need("python2", one.kind.interpreter, "line 1"))
    else:
        one.needs += of_text(one.kind.language, text)


def _python(place: ProgramPlace, name: str, text: str) -> Iterator[Need]:
    """The needs of a script and of the modules beside it that it imports."""
    folder = os.path.dirname(name)
    first = of_python(text)
    yield from first.needs
    waiting, known = list(first.modules.items()), set(first.modules)
    for count, (module, where) in enumerate(waiting):  # which grows
        beside = place.directory / folder / f"{module}.py"
        if (place.directory / folder / module).is_dir():
            continue
        try:
            with opened(beside) as file:
                helper = of_python(file.read(MOST_TEXT).decode("utf-8", "replace"))
        except (OSError, ValueError):
            yield Need("import", module, where)
            continue
        yield from (Need(need.kind, need.what, f"{module}.py, {need.where}") for need in helper.needs)
        if count < MOST_HELPERS:
            waiting += [item for item in helper.modules.items() if item[0] not in known]
            known |= set(helper.modules)


def _modes(place: ProgramPlace, one: _Sighting) -> None:
    mode = one.info.st_mode
    if mode & (stat.S_ISUID | stat.S_ISGID):
        bits = "set-user-ID" if mode & stat.S_ISUID else "set-group-ID"
        one.needs.append(Need("users", bits, f"mode {stat.S_IMODE(mode):o}"))
    if one.kind.form is not FileForm.SOURCE and one.kind.form is not FileForm.WASM and not mode & 0o111:
        one.remarks.append("not executable, so no web server runs it now")
    if mode & stat.S_IWOTH:
        one.remarks.append("anybody can write it")
    if os.path.islink(place.directory / one.path):
        one.remarks.append("a link")


def _candidate(one: _Sighting, sources: dict[str, _Sighting], used: set[str]) -> Candidate:
    mine = [] if one.elf is None else list(_sources(one, one.elf, sources))
    used.update(mine)
    # A source says more than what was made of it: lines, and files that are written.
    needs = [*(need for path in mine for need in sources[path].needs), *one.needs]
    chosen = at_most(needs)
    return Candidate(
        path=one.path,
        kind=one.kind,
        size=one.info.st_size,
        mode=stat.S_IMODE(one.info.st_mode),
        needs=chosen,
        remarks=tuple(one.remarks),
        way=way_of(one.path, one.kind, chosen, mine),
    )


def _sources(one: _Sighting, elf: Elf, sources: dict[str, _Sighting]) -> Iterable[str]:
    """The sources of a native program, among those that were found: those that its symbols name,
    else the one of its name in its own folder or anywhere."""
    named = {os.path.basename(name) for name in elf.sources}
    found = [path for path in sources if os.path.basename(path) in named]
    if found:
        return found
    stem = os.path.splitext(os.path.basename(one.path))[0].lower()
    same = [path for path in sources if os.path.splitext(os.path.basename(path))[0].lower() == stem]
    near = [path for path in same if os.path.dirname(path) == os.path.dirname(one.path)]
    return (near or same)[:1]
