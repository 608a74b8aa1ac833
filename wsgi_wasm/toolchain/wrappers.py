"""The tools as programs of their own, for what wants a path: `wasm32-wasi-cc` and its kin.

Configure scripts look for tools with the name of the host before them, and CMake wants a program
for each. What they need to know of the host beyond that lies beside.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.messages import escaped, reason
from wsgi_wasm.toolchain.runtime import TARGET, kept_in, sysroot

TOOLS = ("cc", "c++", "ar", "ranlib")
CONFIG_SITE = GUESTLIB / "build" / "config.site"
CMAKE = GUESTLIB / "build" / "wasi.cmake"


def tools() -> Path:
    """A directory with the tools; made where it is not there. Raises BuildError."""
    directory = kept_in() / "bin"
    python = shlex.quote(sys.executable)
    package = shlex.quote(str(GUESTLIB.parents[1]))
    found = f'PYTHONPATH={package}"${{PYTHONPATH:+:$PYTHONPATH}}"; export PYTHONPATH\n'
    scripts = {name: f'{found}exec {python} -P -m wsgi_wasm {name} "$@"\n' for name in TOOLS}
    scripts |= {"gcc": scripts["cc"], "g++": scripts["c++"], "strip": ":\n"}
    library = shlex.quote(str(sysroot() / "lib" / "pkgconfig"))
    scripts["pkg-config"] = f'PKG_CONFIG_LIBDIR={library} PKG_CONFIG_PATH= exec pkg-config --static "$@"\n'
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in scripts.items():
            _write(directory / f"{TARGET}-{name}", f"#!/bin/sh\n{text}")
        _write(directory / "wsgi-wasm", f'#!/bin/sh\n{found}exec {python} -P -m wsgi_wasm "$@"\n')
    except OSError as error:
        raise BuildError(f"{escaped(directory)} cannot be written: {reason(error)}") from None
    return directory


def _write(file: Path, text: str) -> None:
    """A script of this text, replaced whole."""
    if file.exists() and file.read_text() == text:
        return
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(file)


def environment() -> dict[str, str]:
    """The variables by which Makefiles and configure scripts find the tools. Raises BuildError."""
    directory = tools()
    named = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib", "STRIP": "strip", "PKG_CONFIG": "pkg-config"}
    found = {name: str(directory / f"{TARGET}-{tool}") for name, tool in named.items()}
    path = f"{directory}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, **found, "PATH": path, "CONFIG_SITE": str(CONFIG_SITE)}
