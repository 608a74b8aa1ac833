"""What holds for the programs of one place: the directives of all sections that apply to it, merged
in httpd's order and by its rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from wsgi_wasm.importers.apache.patterns import FileNames, file_names
from wsgi_wasm.importers.apache.reading import ConfigItem
from wsgi_wasm.importers.apache.table import OURS
from wsgi_wasm.importers.report import ImportReport, SourceLine

_OPTIONS = ("indexes", "includes", "followsymlinks", "execcgi")  # what All stands for
_ACCESS = frozenset({"require", "requireall", "requireany", "requirenone", "order", "allow", "deny", "satisfy"})
_LIMITS = frozenset(
    {"rlimitcpu", "rlimitmem", "rlimitnproc", "limitrequestbody", "cgidscripttimeout", "cgiscripttimeout", "timeout"}
)


class Said(NamedTuple):
    """A value and the line that says it."""

    value: str
    place: SourceLine


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
    options: dict[str, SourceLine | None] = field(default_factory=dict)
    env: dict[str, Said] = field(default_factory=dict)
    process_env: dict[str, SourceLine] = field(default_factory=dict)
    front_env: dict[str, SourceLine] = field(default_factory=dict)
    index: list[Said] = field(default_factory=list)
    limits: dict[str, Said] = field(default_factory=dict)
    authorization: SourceLine | None = None
    access: list[ConfigItem] = field(default_factory=list)
    override: ConfigItem | None = None
    wasm: Wasm | None = None
    sections: list[SourceLine] = field(default_factory=list)

    def apply(self, items: Iterable[ConfigItem], classes: frozenset[str] | None = None) -> None:
        """The lines of one section. `classes` are those that AllowOverride lets a `.htaccess`
        have, None for any."""
        wasm: Wasm | None = None
        index: list[Said] = []
        access: list[ConfigItem] = []
        for item in items:
            if classes is not None and not self._is_allowed(item, classes):
                continue
            if item.name in ("files", "filesmatch") and item.items is not None:
                self._files(item, file_names(item.name, item.args), item.items)
            elif item.name in ("limit", "limitexcept") or item.name in _ACCESS:
                access.append(item)
            elif item.name.startswith("wasm"):
                if wasm is None:
                    wasm = Wasm(replaced=self.wasm.places() if self.wasm else [])
                self._wasm(wasm, item)
            elif item.name == "directoryindex":
                index += [Said(name, item.place) for name in item.args]
            else:
                self._one(item)
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
                self.handler = None if first.lower() == "none" else Said(first, place)
            case "addhandler":
                self.suffixes |= {dotted(suffix): Said(first, place) for suffix in args[1:]}
            case "removehandler":
                for suffix in args:
                    self.suffixes.pop(dotted(suffix), None)
                self.report.kept(place, "these suffixes have no handler")
            case "action" if len(args) > 1:
                self.actions[first.lower()] = Said(args[1], place)
            case "options":
                self._set_options(args, place)
            case "allowoverride":
                self.override = item
            case "cgipassauth":
                self.authorization = place if first.lower() == "on" else None
            case "ssloptions" if any(arg.lower() in ("+stdenvvars", "stdenvvars") for arg in args):
                self.front_env["SSL_*"] = place
            case name if name in _LIMITS and args:
                self.limits[name] = Said(first, place)
            case name:
                self._environment(name, args, place)

    def _environment(self, name: str, args: list[str], place: SourceLine) -> None:
        if name == "setenv" and args:
            self.env[args[0]] = Said(args[1] if len(args) > 1 else "", place)
            self.process_env.pop(args[0], None)
        elif name == "unsetenv":
            for one in args:
                self.env.pop(one, None)
                self.process_env.pop(one, None)
            self.report.kept(place, "not in `env`")
        elif name == "passenv":
            self.process_env |= dict.fromkeys(args, place)
        elif name in ("setenvif", "setenvifnocase", "browsermatch", "browsermatchnocase", "setenvifexpr"):
            self._set_env_if(args[1 if name in ("browsermatch", "browsermatchnocase", "setenvifexpr") else 2 :], place)

    def _set_env_if(self, assignments: list[str], place: SourceLine) -> None:
        for text in assignments:
            name = text.partition("=")[0]
            if name == "HTTP_AUTHORIZATION":
                self.authorization = place
            elif not name.startswith("!") and name:
                self.front_env[name] = place

    def _set_options(self, args: list[str], place: SourceLine) -> None:
        if not all(arg.startswith(("+", "-")) for arg in args):
            self.options = {}
        for arg in args:
            sign, name = arg[:1], arg.lstrip("+-").lower()
            for one in _OPTIONS if name == "all" else (name,):
                if sign == "-":
                    self.options.pop(one, None)
                elif one != "none":
                    self.options[one] = place

    def _files(self, section: ConfigItem, names: FileNames, items: list[ConfigItem]) -> None:
        """A section for some files: it can give suffixes a handler."""
        report = self.report
        report.kept(section.place, "its lines are looked at")
        for item in items:
            if item.name == "sethandler" and names.suffixes and item.args:
                self.suffixes |= {suffix: Said(item.args[0], item.place) for suffix in names.suffixes}
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


def dotted(suffix: str) -> str:
    """A suffix as mod_mime takes it, with or without its dot."""
    return "." + suffix.lstrip(".").lower()


def overrides(item: ConfigItem | None) -> frozenset[str]:
    """The classes that an AllowOverride names; none by default."""
    if item is None:
        return frozenset()
    names = {re.sub(r"=.*", "", arg.lower()) for arg in item.args}
    return frozenset() if "none" in names else frozenset(names)
