"""The Python interpreter: a component that componentize-py makes of CPython and `guestlib/python/`.

What is kept is a snapshot taken after CPython has started and imported its standard library, so
that a request finds an interpreter that only has to run its script.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.interpreters.build import fetch, run
from wsgi_wasm.interpreters.model import BuiltinInterpreter, Waiting

SOURCES = GUESTLIB / "python"
PACKAGES = ("componentize-py==0.25.1", "legacy-cgi==2.6.4", "tzdata==2026.6")
PROGRAM = "wsgi_wasm_script"  # in SOURCES

_COMPONENTIZE = "import sys; from componentize_py import script; sys.exit(script())"

# Variables that guestlib/python takes for itself, besides those of a script.
BYTES = b"WSGI_WASM_BYTES"  # values that are not UTF-8
BESIDE = b"WSGI_WASM_BESIDE"  # names beside the script that hide modules

_SETTLED = 2_000_000_000  # nanoseconds after which a folder that changes again has another time

# Modules that the interpreter has imported: besides those of the standard library that runs here,
# what only its own version has, and what was put into it.
MODULES = sys.stdlib_module_names | set(
    """
    __mp_main__ _android_support _apple_support _ast_unparse _colorize _hmac _ios_support _opcode_metadata
    _py_warnings _pydatetime _pylong _pyrepl _sha2 _types annotationlib cgi cgitb componentize_py_runtime
    componentize_py_types compression tzdata wit_world wsgi_wasm_hints wsgi_wasm_script wsgi_wasm_snapshot
    wsgi_wasm_substitutes
    """.split()  # noqa: SIM905
)


def _make(work: Path, output: Path, waiting: Waiting) -> None:
    packages, program = work / "packages", work / "program"
    fetch(PACKAGES, packages, waiting)
    # A copy, since importing them leaves __pycache__.
    shutil.copytree(SOURCES, program, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", _COMPONENTIZE, "--quiet", "--wit-path", str(program / "wit")]
    command += ["--world", "interpreter", "componentize", PROGRAM, "--output", str(output)]
    for folder in (program, packages):
        command += ["--python-path", str(folder)]
    environ = {"PYTHONPATH": str(packages)}
    run(command, environ, lambda seconds: waiting("starting Python to take the snapshot", seconds))


class PythonVariables:
    """An environment with up to two more variables.

    A component's environment is text, and where a value is not UTF-8 it has U+FFFD. Natively
    scripts see the bytes (a path or a header in Latin-1), so they are carried over by themselves.
    And files in the script's folder hide modules that the interpreter has imported already: to list
    a folder costs a guest far more than it costs us.
    """

    def __init__(self, variables: Environment, folder: Path) -> None:
        self._variables = variables
        self._folder = folder
        self._changed = -1  # of the folder, nanoseconds
        self._beside = b""

    def build(self, environ: Mapping[str, Any], **request: Any) -> list[bytes]:
        """As `Environment.build`."""
        # a list that every request may share
        variables = list(self._variables.build(environ, **request))
        carried = [_quoted(variable) for variable in variables if not _is_text(variable)]
        if carried:
            variables.append(BYTES + b"=" + b"&".join(carried))
        variables.append(BESIDE + b"=" + self._names())
        return variables

    def _names(self) -> bytes:
        try:
            changed = os.stat(self._folder).st_mtime_ns
            if changed != self._changed:
                names = {name.partition(".")[0] for name in os.listdir(self._folder)}
                self._beside = " ".join(sorted(names & MODULES)).encode("ascii")
                self._changed = changed if time.time_ns() - changed > _SETTLED else -1
        except OSError:
            return b""  # so the script cannot be read either
        return self._beside


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
    name="python", packages=PACKAGES, sources=(SOURCES,), make=_make, environment=PythonVariables
)
