"""What FILE on the command line stands for: a configuration file, one module, or a directory of programs."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from wsgi_wasm.config import Config, load_config
from wsgi_wasm.errors import ConfigError, Problem, WsgiWasmError

MODULE_SUFFIXES = (".wasm", ".wat")

_MODULE_SITE = "routes: {/: {module: module.wasm}}"
_DIRECTORY_SITE = "routes: {/: {directory: programs}}"


class UserError(WsgiWasmError):
    """Something on the command line that cannot be done as it stands."""


def is_yaml(file: Path) -> bool:
    """Whether FILE is a configuration: anything that is neither a module nor a directory."""
    return file.suffix not in MODULE_SUFFIXES and not file.is_dir()


def load_site(file: Path) -> Config:
    """The configuration that FILE is, or the one route at / that serves it, with all defaults. Raises ConfigError."""
    if is_yaml(file):
        return load_config(file)
    if not file.exists():
        raise ConfigError([Problem(str(file), 0, 0, "cannot be read: No such file or directory")])
    target = file.absolute()
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-") as folder:
        path = Path(folder) / "site.yaml"
        path.write_text(_DIRECTORY_SITE if file.is_dir() else _MODULE_SITE, encoding="ascii")
        config = load_config(path)
    (route,) = config.routes
    route = replace(route, directory=target) if file.is_dir() else replace(route, module=target)
    return replace(config, routes=(replace(route, line=0),), source=target)


def site(options: argparse.Namespace) -> Config:
    """What to serve, read anew. Raises ConfigError."""
    config = load_site(options.file)
    return replace(config, reload=True) if options.reload and is_yaml(options.file) else config
