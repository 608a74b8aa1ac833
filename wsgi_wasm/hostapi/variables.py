"""Variables: `fermyon:spin/variables` and `wasi:config/store`.

Interfaces: spinframework/spin, wit/deps/spin@2.0.0/variables.wit; WebAssembly/wasi-config,
wit/store.wit. A name that the route does not grant is undefined.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from wsgi_wasm.config.granted import Grants, Variable
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.files.text import decoded
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.log import log
from wsgi_wasm.messages import escaped

_SPIN_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_MAX_FILE = 64 << 10  # bytes of a file that holds a value


class Unreadable(Exception):
    """The file of a variable cannot be read."""


class Variables:
    """The API in one run."""

    def __init__(self, _host: HostState, variables: Mapping[str, Variable]) -> None:
        """Files are read when a guest asks, so that what has changed is seen."""
        self._variables = variables

    def names(self) -> list[str]:
        return list(self._variables)

    def get(self, name: str) -> str | None:
        """The value, or None where the route grants none of that name. Raises Unreadable."""
        variable = self._variables.get(name)
        if variable is None:
            return None
        return variable.value if variable.file is None else _read(name, variable.file)


def _read(name: str, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_FILE + 1)
        if len(data) > _MAX_FILE:
            raise ValueError(f"is larger than {_MAX_FILE >> 10} KiB")
        return decoded(data).removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        log.warning("variable %r: %s: %s", name, file, error)
        raise Unreadable(f"the value of {escaped(name)} cannot be read") from None


def _spin_get(api: Variables, name: str) -> str:
    try:
        value = api.get(name)
    except Unreadable as error:
        raise HostError("provider", str(error)) from None
    if value is None:
        # A route may grant names that Spin does not know; of others it says first that they
        # are none.
        raise HostError("undefined" if _SPIN_NAME.fullmatch(name) else "invalid-name", name[:200])
    return value


def _wasi_get(api: Variables, name: str) -> str | None:
    try:
        return api.get(name)
    except Unreadable as error:
        raise HostError("io", str(error)) from None


def _wasi_get_all(api: Variables) -> list[tuple[str, str]]:
    return [(name, _wasi_get(api, name) or "") for name in api.names()]


_SPIN_ERROR = wit.variant(
    {"invalid-name": wit.STRING, "undefined": wit.STRING, "provider": wit.STRING, "other": wit.STRING}
)
_WASI_ERROR = wit.variant({"upstream": wit.STRING, "io": wit.STRING})

SPIN = Interface[Variables](
    "fermyon:spin/variables@2.0.0",
    {"get": Function((wit.STRING,), wit.ResultOf(wit.STRING, _SPIN_ERROR), _spin_get)},
)

_WASI_FUNCTIONS = {
    "get": Function((wit.STRING,), wit.ResultOf(wit.OptionOf(wit.STRING), _WASI_ERROR), _wasi_get),
    "get-all": Function(
        (), wit.ResultOf(wit.ListType(wit.tuple_of(wit.STRING, wit.STRING)), _WASI_ERROR), _wasi_get_all
    ),
}

CONFIG = tuple(
    Interface(f"wasi:config/store@{version}", _WASI_FUNCTIONS) for version in ("0.2.0-draft-2024-09-27", "0.2.0-rc.1")
)


def _describe(grants: Grants) -> dict[str, str]:
    return {name: str(one.file) if one.file else "set" for name, one in grants.variables.items()}


def _warn(grants: Grants) -> Iterator[str]:
    for name, one in grants.variables.items():
        if one.file is not None and not (one.file.is_file() and os.access(one.file, os.R_OK)):
            yield f"variable {name}: {one.file} cannot be read"


API = GrantedApi(
    name="variables",
    interfaces=(SPIN, *CONFIG),
    begin=Variables,
    bind=lambda grants: grants.variables,
    describe=_describe,
    warn=_warn,
)
