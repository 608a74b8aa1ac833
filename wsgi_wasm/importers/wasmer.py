"""A wasmer.toml: the command that wasmer's WCGI and DCGI runners serve, which gets every path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers.drafts import RouteDraft, SiteDraft, absolute, path_text
from wsgi_wasm.importers.imported import NO_OPTIONS, Imported, Options
from wsgi_wasm.importers.toml_source import TomlPath, TomlSource
from wsgi_wasm.importers.yaml_text import escaped as in_yaml
from wsgi_wasm.messages import escaped, listed

_SHOWN = (
    "name", "version", "source", "abi", "module", "runner", "dialect", "entrypoint", "main-args", "cwd", "exec-name",
    "atom", "package", "mount-atom-in-volume",
)  # fmt: skip
_HEAD = (
    "wasmer gave the whole path both as SCRIPT_NAME and as PATH_INFO; here SCRIPT_NAME is the route's path, and "
    "PATH_INFO what follows it.",
    "wasmer let programs reach the network and every file that it was given. Here they get what `dirs` lists.",
)
_ANNOTATION = {
    "exec-name": "the program's name is that of its file; `argv` can set another one",
    "package": "the module's file is named instead",
    "atom": "the module's file is named instead",
    "mount-atom-in-volume": "the module is seen in no directory",
}


def convert(file: Path, base: Path, options: Options = NO_OPTIONS) -> Imported:
    """See the package."""
    source = TomlSource(file, _SHOWN)
    draft = SiteDraft(source.report, [f"from {escaped(file)}", *_HEAD])
    command = _Served(source, base).draft()
    if command is not None:
        draft.add(None, command)
    text = draft.finish(file, base)
    source.sweep("it describes the package, and no guest")
    return Imported(text, source.report)


class _Served:
    """The command that is served."""

    def __init__(self, source: TomlSource, base: Path) -> None:
        self.source, self.base, self.report = source, base, source.report
        self.start = source.file.absolute().parent
        self.commands = _tables(source, "command")
        self.modules = {one.get("name"): position for position, one in enumerate(_tables(source, "module"))}

    def draft(self) -> RouteDraft | None:
        """Its route; None where there is none, which the report says."""
        number = self._chosen()
        if number is None:
            return None
        command, path = self.commands[number], ("command", number)
        place = self.source.line(*path)
        draft = RouteDraft("/", {("", ""): [place, self.source.line(*path, "name")]})
        if not self._dialect(command, path, draft) or not self._module(command, path, draft):
            return None
        self._wasi(_table(command, "annotations", "wasi"), (*path, "annotations", "wasi"), draft)
        self._fs(draft, _runner(command) == "dcgi")
        return draft

    def _chosen(self) -> int | None:
        """The package's entry point, or the one command that speaks CGI."""
        entry = _table(self.source.data, "package").get("entrypoint")
        speaking = [number for number, one in enumerate(self.commands) if _runner(one) in ("wcgi", "dcgi")]
        chosen = [number for number in speaking if self.commands[number].get("name") == entry] or speaking[:1]
        for number, one in enumerate(self.commands):
            place = self.source.line("command", number)
            if _runner(one) not in ("wcgi", "dcgi"):
                self.report.dropped(place, f"its runner is {escaped(one.get('runner', 'none'))}, not wcgi or dcgi")
            elif number not in chosen:
                self.report.decide(place, "wasmer serves one command: write a route of its own for this one")
        if not chosen:
            problem = "has no [[command]] whose runner is wcgi or dcgi, so it serves nothing"
            raise ConfigError([Problem(str(self.source.file), 0, 0, problem)])
        if entry is not None:
            self.report.kept(self.source.line("package", "entrypoint"), "this command is served at /")
        return chosen[0]

    def _dialect(self, command: dict[str, Any], path: TomlPath, draft: RouteDraft) -> bool:
        dialect = _table(command, "annotations", "wcgi").get("dialect", "rfc-3875")
        place = self.source.line(*path, "annotations", "wcgi", "dialect")
        if dialect != "rfc-3875":
            self.report.decide(place, f"the dialect {escaped(dialect)} is not CGI: build the program for rfc-3875")
            return False
        draft.put("interface", "cgi", place, self.source.line(*path, "runner"))
        return True

    def _module(self, command: dict[str, Any], path: TomlPath, draft: RouteDraft) -> bool:
        name, place = command.get("module"), self.source.line(*path, "module")
        number = self.modules.get(name)
        if number is None:
            package = str(name).partition(":")[0]
            self.report.decide(
                place, f"the module is one of the package {escaped(package)}: download that, and name its file here"
            )
            return False
        module = _tables(self.source, "module")[number]
        if not isinstance(module.get("source"), str):
            self.report.decide(self.source.line("module", number), "names no file in `source`")
            return False
        file = absolute(module["source"], self.start)
        line = self.source.line("module", number, "source")
        if not os.path.exists(file):
            self.report.decide(line, "is not on this machine: build it before the site is served")
        lines = [place, line, self.source.line("module", number), self.source.line("module", number, "name")]
        draft.put("module", path_text(file, self.base), *lines)
        return True

    def _wasi(self, wasi: dict[str, Any], path: TomlPath, draft: RouteDraft) -> None:
        for key, value in wasi.items():
            place = self.source.line(*path, key)
            match key, value:
                case "env", list():
                    for text in value:
                        name, _, data = str(text).partition("=")
                        draft.put_item("env", name, in_yaml(data), place)
                case "main-args", list():
                    draft.put("args", [in_yaml(str(text)) for text in value], place)
                case "cwd", _ if value in ("/", ""):
                    self.report.kept(place, "/ is where a program starts")
                case "cwd", _:
                    self.report.decide(place, "a program starts in /: give it whole paths, or pass the directory to it")
                case _ if key in _ANNOTATION:
                    self.report.dropped(place, _ANNOTATION[key])
                case _:
                    self.report.decide(place, "is not known to the importer")

    def _fs(self, draft: RouteDraft, keeps: bool) -> None:
        """Directories of the package. Their copies could be written to, which lasted for a request,
        or with dcgi until the server ended."""
        for guest, host in _table(self.source.data, "fs").items():
            place = self.source.line("fs", guest)
            path = "/" + str(guest).strip("/")
            if not isinstance(host, str) or ".." in path.split("/"):
                self.report.decide(place, "is not a directory that a guest can be given")
                continue
            draft.put_item("dirs", path, path_text(absolute(host, self.start), self.base), place)
            if keeps:
                self.report.decide(place, "is read-only; dcgi kept what programs wrote: set `writable: true`")
        if draft.items.get("dirs"):
            names = listed(draft.items["dirs"])
            draft.remarks.append(f"{names}: read-only. wasmer gave copies, and forgot what was written to them.")


def _runner(command: dict[str, Any]) -> str:
    """`wcgi` for `https://webc.org/runner/wcgi`."""
    return str(command.get("runner", "")).rpartition("/")[2].lower()


def _tables(source: TomlSource, name: str) -> list[dict[str, Any]]:
    """An array of tables; a single one is an array of one."""
    found = source.data.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        line, shown = source.line(name).line, escaped(name)
        raise ConfigError([Problem(str(source.file), line, 1, f"{shown}: is not written as [[{shown}]]")])
    return found


def _table(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """A table in a table; an empty one where there is none."""
    for name in names:
        inner = data.get(name)
        data = inner if isinstance(inner, dict) else {}
    return data
