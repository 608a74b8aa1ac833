"""What decides, while httpd reads its configuration, whether lines count: `Define`, `LoadModule`,
and the sections that ask for them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from wsgi_wasm.importers.apache.syntax import Directive, words
from wsgi_wasm.messages import escaped

VERSION = (2, 4, 65)  # of httpd, for <IfVersion>: the configurations of today are for 2.4

# Built into every httpd, or into Debian's, so that no LoadModule names them.
_BUILT_IN = frozenset(
    {"core", "core_module", "mod_so", "so_module", "http_core", "http_module", "mod_log_config", "log_config_module",
     "mod_logio", "logio_module", "mod_version", "version_module", "mod_watchdog", "watchdog_module", "mod_unixd",
     "unixd_module"}
)  # fmt: skip
_MPM = re.compile(r"(mpm_)?(prefork|worker|winnt|mpmt_os2|mpm_netware)(_module)?")


class Conditions:
    """Names, variables and modules as they are at one line."""

    def __init__(self, defined: Mapping[str, str | None]) -> None:
        """`defined` are those of the command line."""
        self.names = set(defined)
        self._values = {name: value for name, value in defined.items() if value is not None}
        self._modules: set[str] = set()

    def variable(self, name: str) -> str | None:
        """What `${NAME}` stands for. The importer's own environment is not httpd's."""
        return self._values.get(name)

    def words(self, directive: Directive) -> list[str]:
        """The directive's arguments."""
        return words(directive.rest, self.variable)

    def define(self, given: list[str]) -> None:
        """`Define NAME [VALUE]`."""
        self.names.add(given[0])
        if len(given) > 1:
            self._values[given[0]] = given[1]

    def undefine(self, name: str) -> None:
        """`UnDefine NAME`."""
        self.names.discard(name)
        self._values.pop(name, None)

    def load(self, given: list[str]) -> None:
        """`LoadModule NAME_module FILE`: it is known by its name and by its source file's."""
        self._modules |= {given[0], *(os.path.splitext(os.path.basename(file))[0] for file in given[1:])}

    def skipped(self, section: Directive) -> str | None:
        """Why the lines of a conditional section do not count; None where they do."""
        given = self.words(section)
        wanted = given[0] if given else ""
        negated, name = wanted.startswith("!"), wanted.removeprefix("!")
        match section.name:
            case "ifmodule":
                holds, why = self._has_module(name), f"the module {escaped(name)} is"
            case "ifdefine":
                holds, why = name in self.names, f"{escaped(name)} is"
            case "iffile":
                holds, why = os.path.exists(name), f"{escaped(name)} is"
            case _:
                return None if _version_holds(given) else f"the version of httpd is taken as {_dotted(VERSION)}"
        if holds is not negated:
            return None
        there = {"ifmodule": "loaded", "ifdefine": "defined", "iffile": "there"}[section.name]
        more = "; give it with --define" if section.name == "ifdefine" and not negated else ""
        return f"{why}{'' if negated else ' not'} {there}{more}"

    def _has_module(self, name: str) -> bool:
        known = name.removesuffix(".c")
        if known in _BUILT_IN or name in self._modules or known in self._modules:
            return True
        # Where no line loads any module, as in a single virtual host's file, all are taken to be
        # there, but of those that exclude each other only one.
        return not self._modules and not _MPM.fullmatch(known)


CONDITIONAL = frozenset({"ifmodule", "ifdefine", "iffile", "ifversion"})


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _version_holds(given: list[str]) -> bool:
    """`<IfVersion [!][OPERATOR] VERSION>`; a pattern of versions never holds."""
    text = " ".join(given)
    negated, text = text.startswith("!"), text.removeprefix("!").strip()
    match = re.fullmatch(r"(>=|<=|==|=|>|<)?\s*(\d{1,5})(?:\.(\d{1,5}))?(?:\.(\d{1,5}))?", text)
    if match is None:
        return negated
    wanted = tuple(int(part) for part in match.groups()[1:] if part)
    own = VERSION[: len(wanted)]
    holds = {
        ">=": own >= wanted, "<=": own <= wanted, ">": own > wanted, "<": own < wanted,
    }.get(match[1] or "=", own == wanted)  # fmt: skip
    return holds is not negated
