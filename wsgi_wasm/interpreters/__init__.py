"""Interpreters that run scripts: one module for each, listed in `SUFFIXES`.

Contract of a module: it is called as the interpreter is, and offers

    INTERPRETER: Interpreter       what `model.py` says

It is imported when its interpreter is asked for, as most sites use none.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wsgi_wasm.cgi.environment import Environment
    from wsgi_wasm.interpreters.model import BuiltinInterpreter

SUFFIXES: Mapping[str, str] = {
    "lua": ".lua",
    "perl": ".pl",
    "python": ".py",
}
"""Every interpreter by its name, with the suffix of its scripts."""

NAMES = tuple(SUFFIXES)
"""What the key `interpreters` takes besides the paths of modules."""

WITH_PACKAGES = ("python",)
"""Those that packages can be installed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """What a site adds to an interpreter.

    `packages` is a requirements file, or a directory of what has been installed; `library` the
    directory of the site's own modules; `preload` has the names of modules that are imported when
    the interpreter is built, before its snapshot is taken.
    """

    packages: Path | None = None
    library: Path | None = None
    preload: tuple[str, ...] = ()

    @property
    def built(self) -> Additions:
        """What of it is built in: the site's own modules are not, unless some are imported."""
        return self if self.preload else replace(self, library=None)

    @property
    def has_packages(self) -> bool:
        """Whether packages are installed for it when it is built."""
        return self.packages is not None

    @property
    def has_snapshot(self) -> bool:
        """Whether it is a snapshot of its own: without `preload`, the interpreter's will do."""
        return bool(self.preload)


NOTHING = Additions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptPlace:
    """The host's directory that a script lies in, and what the interpreter has besides: the
    directories of the site's own modules and of installed packages, of which some are imported
    already if `preloaded`."""

    folder: Path
    library: Path | None = None
    packages: Path | None = None
    preloaded: bool = False


def library_at(name: str) -> str:
    """The guest path of a site's own modules, for the interpreter called `name`."""
    return f"/usr/lib/{name}/library"


def packages_at(name: str) -> str:
    """The guest path of the packages that were installed for it."""
    return f"/usr/lib/{name}/packages"


def interpreter(name: str) -> BuiltinInterpreter:
    """The interpreter of this name, which is one of `NAMES`."""
    found: BuiltinInterpreter = importlib.import_module(f"{__name__}.{name}").INTERPRETER
    return found


def interpreter_at(path: Path) -> BuiltinInterpreter | None:
    """The interpreter whose place in a cache this is, built or not; None for every other module."""
    name = path.name.partition("-")[0]
    if name not in NAMES:
        return None
    found = interpreter(name)
    return found if found.is_own(path) else None


class Located(NamedTuple):
    """Where an interpreter's module and its installed packages lie, built or not; its name is ""
    for a module of the site's own."""

    module: Path
    name: str
    packages: Path | None = None


def located(module: str | Path, cache: Path, additions: Additions = NOTHING) -> Located:
    """The files of what the key `interpreters` names, with what the site adds to it."""
    if isinstance(module, str):
        found, packages = interpreter(module), additions.packages
        installed = found.packages_path(cache, packages) if packages is not None else None
        return Located(found.path(cache, additions), module, installed)
    known = interpreter_at(module)
    return Located(module, known.name if known is not None else "")


def script_environment(name: str, variables: Environment, place: ScriptPlace) -> Environment:
    """What a script is given: `variables`, and what the interpreter called `name` (may be "")
    adds."""
    return interpreter(name).environment(variables, place) if name else variables


def missing(path: Path, reason: str) -> str:
    """Why a module cannot be read, and what to do about it where it is an interpreter that has not
    been built, or a directory."""
    if path.is_dir():
        return "is a directory: use `directory` in place of `module`"
    known = interpreter_at(path)
    if known is None or path.exists():
        return reason
    if path != known.path(path.parent):
        return f"{known.name} with what the site adds to it has not been built; run `{site_command(known.name)}`"
    return f"the interpreter {known.name!r} has not been built; run `{build_command(known.name, path.parent)}`"


def build_command(name: str, cache: Path) -> str:
    """What builds an interpreter into a cache, for a shell."""
    return f"wsgi-wasm interpreter build {name} --cache {shlex.quote(str(cache))}"


def site_command(name: str, site: Path | None = None) -> str:
    """What builds an interpreter with all that a site adds to it, for a shell."""
    return f"wsgi-wasm interpreter build {name} {shlex.quote(str(site)) if site is not None else 'SITE'}"
