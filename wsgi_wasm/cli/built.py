"""What interpreters have been built for a site, and which have to be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.config import Config, Interpreter, all_routes, interpreters_of
from wsgi_wasm.interpreters import NOTHING, Additions, interpreter, site_command
from wsgi_wasm.interpreters.freshness import state


class Built(NamedTuple):
    """What is wrong with an interpreter of a site; empty where nothing is."""

    error: str = ""
    warning: str = ""


def state_of(setting: Interpreter, site: Path) -> Built:
    """Whether what the site adds to an interpreter is built in."""
    if setting.additions.built == NOTHING:
        return Built()
    command = site_command(setting.name, site)
    match state(interpreter(setting.name), setting.module.parent, setting.additions):
        case "missing":
            return Built(error=f"{setting.name} has not been built for this site; run `{command}`")
        case "stale":
            return Built(warning=f"{setting.name} was built before the site changed what it adds; run `{command}`")
    return Built()


def additions_of(config: Config | None, name: str) -> list[Additions]:
    """What a site adds to the interpreter called `name`, each set once; nothing, once, for a site
    that does not use it."""
    routes = all_routes(config) if config is not None else ()
    found = (one for route in routes for one in interpreters_of(route.target).values() if one.name == name)
    return list(dict.fromkeys(one.additions.built for one in found)) or [NOTHING]
