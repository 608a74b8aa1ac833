"""The route of a directory of programs: which files are programs, and what runs them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.importers.apache.programs import NATIVE, WASM, Found, ProgramFiles, names_of
from wsgi_wasm.importers.apache.settings import PlaceSettings, Wasm
from wsgi_wasm.importers.apache.walks import Said
from wsgi_wasm.importers.apache.wasm import put_dirs, put_interpreter
from wsgi_wasm.importers.drafts import RouteDraft
from wsgi_wasm.importers.report import SourceLine
from wsgi_wasm.interpreters import NAMES, SUFFIXES
from wsgi_wasm.messages import escaped, listed

WASM_HANDLER, CGI = "wasm-handler", "cgi-script"
_MOST_NAMED = 5
_BY_SUFFIX = {suffix: name for name, suffix in SUFFIXES.items()}


class Handlers(NamedTuple):
    """What runs at a place whatever lies there, and what runs by its suffix."""

    whole: Said | None
    suffixes: dict[str, Said]

    @property
    def place(self) -> SourceLine:
        """The line that says so, where there is any."""
        return (self.whole or next(iter(self.suffixes.values()))).place


@dataclass(slots=True)
class DirectoryRoute:
    """Fills a draft that has its `directory`. `found` is what lies there."""

    draft: RouteDraft
    settings: PlaceSettings
    handlers: Handlers
    found: ProgramFiles
    base: Path

    def put(self) -> bool:
        """False where the gateway can run nothing of it."""
        if self.handlers.whole is not None:
            self._whole(self.handlers.whole)
        else:
            self._by_suffix()
            if not self.draft.items.get("interpreters") and not self.handlers.suffixes.keys() & {*MODULE_SUFFIXES}:
                return False
        self._index()
        return True

    def remark(self) -> None:
        """What is to be said of a directory in which not only programs lie."""
        remarks = self.draft.remarks
        remarks.append("Only programs are served by this route: leave other files below it to the front server.")
        if self.found.suffixes & {*MODULE_SUFFIXES} - self.handlers.suffixes.keys():
            remarks.append("There are .wasm files in it that httpd sent as they are. This route runs them.")

    def _whole(self, handler: Said) -> None:
        """Every file with the execute bit is a program, as for mod_cgi, which asks the kernel what
        runs it."""
        place = handler.place
        interpreters = sorted({one.runs for one in self.found.files} & {*NAMES})
        self.draft.put("programs", ["suffix", "magic", *(["shebang"] if interpreters else [])], place)
        self.draft.put("executable", True, place)
        for name in interpreters:
            self.draft.put_item("interpreters", name, name, place)
        self._native([one for one in self.found.files if one.runs == NATIVE], place)

    def _by_suffix(self) -> None:
        wasm = {suffix: said for suffix, said in self.handlers.suffixes.items() if said.value.lower() == WASM_HANDLER}
        for suffix, said in wasm.items():
            if not put_interpreter(self.draft, self.settings, suffix, said, self.base):
                self.settings.report.decide(said.place, "has no WasmModule there, so mod_wasm answered 500")
        if wasm:
            put_dirs(self.draft, self.settings.wasm or Wasm(), self.base, self.settings.report)
        for suffix, said in self.handlers.suffixes.items():
            if suffix not in wasm and suffix not in MODULE_SUFFIXES:
                self._scripts(suffix, said.place)

    def _scripts(self, suffix: str, place: SourceLine) -> None:
        """CGI programs with this suffix."""
        files = self.found.of(suffix)
        kinds = {one.runs for one in files}
        name = next(iter(kinds)) if len(kinds) == 1 else ""
        if not files and suffix in _BY_SUFFIX:
            name = _BY_SUFFIX[suffix]
        if name in NAMES:
            self.draft.put_item("interpreters", suffix, name, place)
            self.draft.put("executable", True, place)
        elif name == WASM:
            question = f"{_named(files)}: modules by another name, which run if `programs` has `magic`"
            self.settings.report.decide(place, question)
        elif len(kinds) > 1:
            question = f"{escaped(suffix)} files are of several kinds: give each a suffix of its own"
            self.settings.report.decide(place, question)
        elif files:
            self._native(list(files), place)
        else:
            self.settings.report.dropped(place, f"there is no {escaped(suffix)} file with the execute bit")

    def _native(self, files: list[Found], place: SourceLine) -> None:
        if files:
            question = f"runs only natively, and is not served: {_named(files)}; see `wsgi-wasm scan`"
            self.settings.report.decide(place, question)

    def _index(self) -> None:
        served = {*self.draft.items.get("interpreters", {}), *MODULE_SUFFIXES}
        whole = self.handlers.whole is not None
        programs = set(names_of(one for one in self.found.files if one.runs != NATIVE))
        names = [
            said
            for said in self.settings.index
            if os.path.splitext(said.value)[1].lower() in served or (whole and said.value in programs)
        ]
        # Always, as the gateway's default is another one than httpd's.
        texts = list(dict.fromkeys(said.value for said in names))
        self.draft.put("index", texts, *(said.place for said in names))


def _named(files: list[Found] | tuple[Found, ...]) -> str:
    return listed(names_of(files), _MOST_NAMED)
