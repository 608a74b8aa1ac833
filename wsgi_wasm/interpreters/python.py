"""The Python interpreter: a component that componentize-py makes of CPython and `guestlib/python/`.

What is kept is a snapshot taken after CPython has started and imported its standard library, so
that a request finds an interpreter that only has to run its script.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.interpreters import ScriptPlace, library_at, packages_at
from wsgi_wasm.interpreters.build import fetch, run
from wsgi_wasm.interpreters.model import BuiltinInterpreter, SnapshotParts, Waiting
from wsgi_wasm.interpreters.python_packages import install_packages

SOURCES = GUESTLIB / "python"
PACKAGES = ("componentize-py==0.25.1", "legacy-cgi==2.6.4", "tzdata==2026.6")
# By world, in SOURCES.
PROGRAMS = {"interpreter": "wsgi_wasm_script", "packages": "wsgi_wasm_packages"}
SETTINGS = "wsgi_wasm_settings.json"  # beside them; what this build is to do

_COMPONENTIZE = "import sys; from componentize_py import script; sys.exit(script())"

# Variables that guestlib/python takes for itself, besides those of a script.
BYTES = b"WSGI_WASM_BYTES"  # values that are not UTF-8
BESIDE = b"WSGI_WASM_BESIDE"  # names beside the script that hide modules
FURTHER = b"WSGI_WASM_FURTHER"  # directories of modules behind those of PYTHONPATH

_SETTLED = 2_000_000_000  # nanoseconds after which a folder that changes again has another time

# Modules that the interpreter has imported: besides those of the standard library that runs here,
# what only its own version has, and what was put into it.
MODULES = sys.stdlib_module_names | set(
    """
    __mp_main__ _android_support _apple_support _ast_unparse _colorize _hmac _ios_support _opcode_metadata
    _py_warnings _pydatetime _pylong _pyrepl _sha2 _types annotationlib cgi cgitb componentize_py_runtime
    componentize_py_types compression tzdata wit_world wsgi_wasm_hints wsgi_wasm_host wsgi_wasm_library
    wsgi_wasm_preload wsgi_wasm_processes wsgi_wasm_script wsgi_wasm_snapshot wsgi_wasm_substitutes
    wsgi_wasm_system wsgi_wasm_tls
    """.split()  # noqa: SIM905
)


def _make(work: Path, output: Path, parts: SnapshotParts, waiting: Waiting) -> None:
    own, program = work / "packages", work / "program"
    fetch(PACKAGES, own, waiting)
    # A copy, since importing them leaves __pycache__.
    shutil.copytree(SOURCES, program, ignore=shutil.ignore_patterns("__pycache__"))
    places: dict[str, str] = {}
    folders = [program, own]
    for guest, folder in ((library_at("python"), parts.library), (packages_at("python"), parts.packages)):
        if folder is not None:
            places[guest] = f"/{len(folders)}"
            folders.append(folder)
    (program / SETTINGS).write_text(json.dumps({"preload": parts.preload, "places": places}), encoding="ascii")
    componentize("interpreter", folders, output, own, lambda s: waiting("starting Python to take the snapshot", s))


def componentize(world: str, folders: list[Path], output: Path, own: Path, waiting: Callable[[float], None]) -> None:
    """Start Python as a guest, import the module of the first folder that belongs to the world,
    and write a snapshot. Guests see the folders as /0, /1 and so on. `own` has componentize-py.
    Raises BuildError."""
    command = [sys.executable, "-c", _COMPONENTIZE, "--quiet", "--wit-path", str(folders[0] / "wit")]
    command += ["--world", world, "componentize", PROGRAMS[world], "--output", str(output)]
    for folder in folders:
        command += ["--python-path", str(folder)]
    run(command, {"PYTHONPATH": str(own)}, waiting)


class PythonVariables:
    """An environment with up to three more variables.

    A component's environment is text, and where a value is not UTF-8 it has U+FFFD. Natively
    scripts see the bytes (a path or a header in Latin-1), so they are carried over by themselves.
    And files in the script's folder hide modules that the interpreter has imported already: to list
    a folder costs a guest far more than it costs us.
    """

    def __init__(self, variables: Environment, place: ScriptPlace) -> None:
        self._variables = variables
        self._beside = _Beside(place)
        further = [library_at("python")] if place.library is not None else []
        further += [packages_at("python")] if place.packages is not None else []
        self._further = [FURTHER + b"=" + ":".join(further).encode("ascii")] if further else []

    def build(self, environ: Mapping[str, Any], **request: Any) -> list[bytes]:
        """As `Environment.build`."""
        # a list that every request may share
        variables = list(self._variables.build(environ, **request))
        carried = [_quoted(variable) for variable in variables if not _is_text(variable)]
        if carried:
            variables.append(BYTES + b"=" + b"&".join(carried))
        variables.append(BESIDE + b"=" + self._beside.names())
        return variables + self._further


class _Beside:
    """The names of what a script's own files hide: those in its folder hide whatever the
    interpreter has imported, those of the site's library what belongs to Python itself."""

    def __init__(self, place: ScriptPlace) -> None:
        self._place = place
        folders = [place.folder, place.library, place.packages if place.preloaded else None]
        self._folders = [folder for folder in folders if folder is not None]
        self._changed: list[int] = []  # nanoseconds
        self._names = b""

    def names(self) -> bytes:
        """Separated by spaces."""
        try:
            changed = [os.stat(folder).st_mtime_ns for folder in self._folders]
            if changed != self._changed:
                self._names = " ".join(sorted(self._found())).encode("ascii")
                self._changed = changed if time.time_ns() - max(changed) > _SETTLED else []
        except OSError:
            return b""  # so the script cannot be read either
        return self._names

    def _found(self) -> set[str]:
        """Raises OSError."""
        place = self._place
        library = _names_in(place.library) if place.library is not None else set()
        known = MODULES
        if place.preloaded:
            packages = _names_in(place.packages) if place.packages is not None else set()
            known = MODULES | {name for name in library | packages if name.isidentifier() and name.isascii()}
        return (_names_in(place.folder) & known) | (library & MODULES)


def _names_in(folder: Path) -> set[str]:
    """The names, without suffixes, of what lies in a folder. Raises OSError."""
    return {name.partition(".")[0] for name in os.listdir(folder)}


def _quoted(variable: bytes) -> bytes:
    name, _, value = variable.partition(b"=")
    return name + b"=" + quote_from_bytes(value).encode("ascii")


def _is_text(variable: bytes) -> bool:
    if variable.isascii():
        return True
    try:
        variable.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


INTERPRETER = BuiltinInterpreter(
    name="python",
    packages=PACKAGES,
    sources=(SOURCES,),
    make=_make,
    environment=PythonVariables,
    install=install_packages(PACKAGES, SOURCES, componentize),
)
