"""The Lua interpreter: a core module, built from the sources of Debian's package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.errors import BuildError
from wsgi_wasm.interpreters import ScriptPlace, library_at
from wsgi_wasm.interpreters.model import BuiltinInterpreter, SnapshotParts, Waiting
from wsgi_wasm.toolchain.build import build
from wsgi_wasm.toolchain.debian import fetch_source

PACKAGE = "lua5.4"
_SEARCHED = b"LUA_PATH="


def _make(work: Path, output: Path, parts: SnapshotParts, waiting: Waiting) -> None:
    sources = work / "sources"
    sources.mkdir()
    folder = fetch_source(PACKAGE, sources, waiting) / "src"
    files = [file for file in sorted(folder.glob("*.c")) if file.name != "luac.c"]
    if not files:
        raise BuildError(f"the sources of {PACKAGE} have no src/*.c")
    # Debian's rules write it: the name of the machine in the paths of modules in C.
    (folder / "lua5.4-deb-multiarch.h").write_text('#define DEB_HOST_MULTIARCH "wasm32-wasi"\n')
    waiting("compiling Lua", 0)
    build(files, output, flags=["-DLUA_USE_POSIX", "-DLUA_COMPAT_5_3"])


class LuaVariables:
    """An environment where LUA_PATH has the site's own modules, and those beside the script."""

    def __init__(self, variables: Environment, place: ScriptPlace) -> None:
        self._variables = variables
        self._library = b""
        if place.library is not None:
            below = library_at("lua").encode("ascii")
            self._library = b"%s/?.lua;%s/?/init.lua;" % (below, below)

    def build(self, environ: Mapping[str, Any], **request: Any) -> list[bytes]:
        """As `Environment.build`."""
        variables = self._variables.build(environ, **request)
        if not self._library:
            return variables
        known = [variable for variable in variables if variable.startswith(_SEARCHED)]
        # The route's own value goes first. `;;` stands for where Lua looks by itself.
        value = b"".join(variable.removeprefix(_SEARCHED).rstrip(b";") + b";" for variable in known)
        return [
            *(variable for variable in variables if variable not in known),
            _SEARCHED + value + self._library + b";",
        ]


INTERPRETER = BuiltinInterpreter(
    name="lua", packages=(), sources=(Path(__file__),), make=_make, environment=LuaVariables
)
