"""What holds for the programs of one place: the directives of all sections that apply to it, merged
in httpd's order and by its rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from wsgi_wasm.importers.apache.options import ExecCgi
from wsgi_wasm.importers.apache.patterns import FileNames, file_names
from wsgi_wasm.importers.apache.reading import ConfigItem
from wsgi_wasm.importers.apache.table import OURS
from wsgi_wasm.importers.apache.walks import (
    EnvSection,
    EnvVariable,
    Said,
    SuffixSection,
    add_variables,
    merged_env,
    merged_suffixes,
)
from wsgi_wasm.importers.report import ImportReport, SourceLine

CGI_TYPE = "application/x-httpd-cgi"
_ACCESS = frozenset({"require", "requireall", "requireany", "requirenone", "order", "allow", "deny", "satisfy"})
_LIMITS = frozenset(
    {"rlimitcpu", "rlimitmem", "rlimitnproc", "limitrequestbody", "cgidscripttimeout", "cgiscripttimeout", "timeout"}
)


@dataclass(slots=True)
class Wasm:
    """mod_wasm's settings, which are those of one section alone."""

    module: Said | None = None
    root: Said | None = None
    entry_point: Said | None = None
    args: list[Said] = field(default_factory=list)
    env: list[tuple[str, Said]] = field(default_factory=list)
    dirs: list[tuple[str, Said]] = field(default_factory=list)
    cgi: Said | None = None
    map_names: Said | None = None
    replaced: list[SourceLine] = field(default_factory=list)
    """The lines of outer sections that no longer count."""

    def places(self) -> list[SourceLine]:
        """The lines that made it."""
        single = (self.module, self.root, self.entry_point, self.cgi, self.map_names)
        several = (*self.args, *(said for _, said in (*self.env, *self.dirs)))
        return [said.place for said in (*single, *several) if said is not None]


@dataclass(slots=True)
class PlaceSettings:
    """Everything that holds for one place."""

    report: ImportReport
    handler: Said | None = None
    suffixes: dict[str, Said] = field(default_factory=dict)
    actions: dict[str, Said] = field(default_factory=dict)
    forced: dict[str, Said | None] = field(default_factory=dict)
    """Handlers that `<Files>` sets for a suffix, over that of directories."""
    exec_cgi: ExecCgi = field(default_factory=ExecCgi)
    env: dict[str, EnvVariable] = field(default_factory=dict)
    front_env: dict[str, SourceLine] = field(default_factory=dict)
    index: list[Said] = field(default_factory=list)
    limits: dict[str, Said] = field(default_factory=dict)
    authorization: SourceLine | None = None
    access: list[ConfigItem] = field(default_factory=list)
    override: ConfigItem | None = None
    wasm: Wasm | None = None
    sections: list[SourceLine] = field(default_factory=list)
    _env: list[EnvSection] = field(default_factory=list)
    _suffixes: list[SuffixSection] = field(default_factory=list)
    _later: list[ConfigItem] = field(default_factory=list)

    @property
    def suffix_handlers(self) -> dict[str, Said]:
        """The handlers of suffixes, those that `<Files>` sets over the others."""
        return self.suffixes | {suffix: said for suffix, said in self.forced.items() if said is not None}

    def end_walk(self) -> None:
        """After the last section of a kind."""
        self.env = merged_env(self.env, self._env, self.report)
        self.suffixes = merged_suffixes(self.suffixes, self._suffixes, self.report)
        self._env, self._suffixes = [], []

    def apply_files(self) -> None:
        """The sections for files, which come after all directories."""
        for item in self._later:
            self._files(item, file_names(item.name, item.args), item.items or [])
        self._later = []

    def apply(self, items: Iterable[ConfigItem], classes: frozenset[str] | None = None) -> None:
        """The lines of one section. `classes` are those that AllowOverride lets a `.htaccess`
        have, None for any."""
        wasm: Wasm | None = None
        env, exec_cgi = EnvSection(), ExecCgi()
        suffixes: list[SuffixSection] = []
        index: list[Said] = []
        access: list[ConfigItem] = []
        for item in items:
            if classes is not None and not self._is_allowed(item, classes):
                continue
            if item.name in ("files", "filesmatch") and item.items is not None:
                self._later.append(item)
            elif item.name == "options":
                exec_cgi.line(item.args, item.place)
            elif item.name in ("limit", "limitexcept") or item.name in _ACCESS:
                access.append(item)
            elif item.name.startswith("wasm"):
                if wasm is None:
                    wasm = Wasm(replaced=self.wasm.places() if self.wasm else [])
                self._wasm(wasm, item)
            elif item.name in ("setenv", "unsetenv", "passenv"):
                add_variables(env, item)
            elif item.name.startswith(("add", "remove")) and item.args:
                _add_suffixes(suffixes, item)
            elif item.name == "directoryindex":
                index += [Said(name, item.place) for name in item.args]
            else:
                self._one(item)
        self.exec_cgi.merge(exec_cgi)
        self._suffixes += suffixes[:1]
        if env.variables or env.removed:
            self._env.append(env)
        self.wasm = wasm or self.wasm
        self.index = index or self.index
        self.access = access or self.access

    def _is_allowed(self, item: ConfigItem, classes: frozenset[str]) -> bool:
        entry = OURS.get(item.name)
        if entry is None or "all" in classes or entry.override.lower() in classes:
            return True
        needed = entry.override or "nothing"
        self.report.dropped(item.place, f"AllowOverride does not let this file say it ({needed} would)")
        return False

    def _one(self, item: ConfigItem) -> None:
        args, place = item.args, item.place
        first = args[0] if args else ""
        match item.name:
            case "sethandler":
                self.handler = None if first.lower() == "none" else Said(_handler(first), place)
                self.forced = {}
            case "action" if len(args) > 1:
                self.actions[first.lower()] = Said(args[1], place)
            case "alias" | "scriptalias" if len(args) == 1:
                self.report.decide(place, "inside a section it maps to one place: write it outside, with its path")
            case "allowoverride":
                self.override = item
            case "cgipassauth":
                self.authorization = place if first.lower() == "on" else None
            case "ssloptions" if any(arg.lower() in ("+stdenvvars", "stdenvvars") for arg in args):
                self.front_env["SSL_*"] = place
            case name if name in _LIMITS and args:
                self.limits[name] = Said(first, place)
            case "setenvif" | "setenvifnocase":
                self._set_env_if(args[2:], place)
            case "browsermatch" | "browsermatchnocase" | "setenvifexpr":
                self._set_env_if(args[1:], place)

    def _set_env_if(self, assignments: list[str], place: SourceLine) -> None:
        for text in assignments:
            name = text.partition("=")[0]
            if name == "HTTP_AUTHORIZATION":
                self.authorization = place
            elif not name.startswith("!") and name:
                self.front_env[name] = place

    def _files(self, section: ConfigItem, names: FileNames, items: list[ConfigItem]) -> None:
        """A section for some files: it can give suffixes a handler."""
        report = self.report
        report.kept(section.place, "its lines are looked at")
        for item in items:
            if item.name == "sethandler" and names.suffixes and item.args:
                said = None if item.args[0].lower() == "none" else Said(_handler(item.args[0]), item.place)
                self.forced |= dict.fromkeys(names.suffixes, said)
            elif item.name == "ssloptions":
                self._one(item)
            elif item.name in _ACCESS and names.hidden:
                report.dropped(item.place, "names that begin with a dot are never served")
            elif item.name in OURS or item.name in _ACCESS:
                report.decide(item.place, "holds for some files alone: write routes for them, or leave it to Apache")

    def _wasm(self, wasm: Wasm, item: ConfigItem) -> None:
        args, place = item.args, item.place
        wanted = 2 if item.name in ("wasmenv", "wasmmapdir") else 1
        if len(args) != wanted:
            self.report.decide(place, f"takes {wanted} argument{'s' * (wanted > 1)}, not {len(args)}")
            return
        said = Said(args[-1], place)
        match item.name:
            case "wasmmodule":
                wasm.module = said
            case "wasmroot":
                wasm.root = said
            case "wasmentrypoint":
                wasm.entry_point = said
            case "wasmarg":
                wasm.args.append(said)
            case "wasmenv":
                wasm.env.append((args[0], said))
            case "wasmdir" | "wasmmapdir":
                wasm.dirs.append((args[0], said))
            case "wasmenablecgi":
                wasm.cgi = said
            case "wasmmapcgifilenames":
                wasm.map_names = said
            case _:
                self.report.decide(place, "is not a directive of mod_wasm 0.12")


def _add_suffixes(sections: list[SuffixSection], item: ConfigItem) -> None:
    """A line of mod_mime's; any of them makes it a section of its own."""
    if not sections:
        sections.append(SuffixSection())
    first, args = item.args[0], item.args
    if item.name == "addhandler" or (item.name == "addtype" and first.lower() == CGI_TYPE):
        sections[0].handlers |= {dotted(suffix): Said(_handler(first), item.place) for suffix in args[1:]}
    elif item.name == "removehandler":
        sections[0].removed |= {dotted(suffix): item.place for suffix in args}


def _handler(name: str) -> str:
    """The name of a handler; mod_cgi also goes by a type of old."""
    return "cgi-script" if name.lower() == CGI_TYPE else name


def dotted(suffix: str) -> str:
    """A suffix as mod_mime takes it, with or without its dot."""
    return "." + suffix.lstrip(".").lower()


def overrides(item: ConfigItem | None) -> frozenset[str]:
    """The classes that an AllowOverride names; none by default."""
    if item is None or item.name != "allowoverride":
        return frozenset()
    names = {re.sub(r"=.*", "", arg.lower()) for arg in item.args}
    return frozenset() if "none" in names else frozenset(names)
