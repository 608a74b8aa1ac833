"""Interpreters that run scripts: one module for each, listed in `SUFFIXES`.

Contract of a module: it is called as the interpreter is, and offers

    INTERPRETER: Interpreter       what `model.py` says

It is imported when its interpreter is asked for, as most sites use none.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgi_wasm.cgi.environment import Environment
    from wsgi_wasm.interpreters.model import BuiltinInterpreter

SUFFIXES: Mapping[str, str] = {
    "perl": ".pl",
    "python": ".py",
}
"""Every interpreter by its name, with the suffix of its scripts."""

NAMES = tuple(SUFFIXES)
"""What the key `interpreters` takes besides the paths of modules."""


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
    return found if path == found.path(path.parent) else None


def located(module: str | Path, cache: Path) -> tuple[Path, str]:
    """The file of what the key `interpreters` names, and the interpreter's name, "" for a module of
    the site's own."""
    if isinstance(module, str):
        return interpreter(module).path(cache), module
    known = interpreter_at(module)
    return module, known.name if known is not None else ""


def script_environment(name: str, variables: Environment, folder: Path) -> Environment:
    """What a script in `folder` is given: `variables`, and what the interpreter called `name` (may
    be "") adds."""
    return interpreter(name).environment(variables, folder) if name else variables


def missing(path: Path, reason: str) -> str:
    """Why a module cannot be read, and what to do about it where it is an interpreter that has not
    been built, or a directory."""
    if path.is_dir():
        return "is a directory: use `directory` in place of `module`"
    known = interpreter_at(path)
    if known is None or path.exists():
        return reason
    return f"the interpreter {known.name!r} has not been built; run `{build_command(known.name, path.parent)}`"


def build_command(name: str, cache: Path) -> str:
    """What builds an interpreter into a cache, for a shell."""
    return f"wsgi-wasm interpreter build {name} --cache {shlex.quote(str(cache))}"
