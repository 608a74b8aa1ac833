"""What FILE on the command line stands for: a configuration file, one module, a directory of
programs, or a Spin application's manifest."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from wsgi_wasm.binary.foreign import foreign
from wsgi_wasm.binary.reader import MAGIC
from wsgi_wasm.config import Config, DirectoryTarget, RouteTarget, load_config
from wsgi_wasm.config.load import parse_config
from wsgi_wasm.config.scalars import MODULE_SUFFIXES
from wsgi_wasm.engine.code.source import head_of
from wsgi_wasm.errors import ConfigError, ModuleError, Problem, WsgiWasmError
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.messages import printable_lines
from wsgi_wasm.spin import load_applications, with_compositions

MANIFEST_SUFFIX = ".toml"
_YAML_SUFFIXES = (".yaml", ".yml")

_MODULE_SITE = "routes: {/: {module: module.wasm}}"
_DIRECTORY_SITE = "routes: {/: {directory: programs}}"
_SPIN_SITE = "routes: {/: {spin: spin.toml}}"


class UserError(WsgiWasmError):
    """Something on the command line that cannot be done as it stands; in several lines where it
    shows a command."""

    def __str__(self) -> str:
        return printable_lines(Exception.__str__(self))


def is_yaml(file: Path) -> bool:
    """Whether FILE is a configuration: anything that is no module, no manifest and no directory."""
    named = file.suffix in (*MODULE_SUFFIXES, MANIFEST_SUFFIX)
    return not named and not file.is_dir() and not _head(file).startswith(MAGIC)


def _head(file: Path) -> bytes:
    """The first bytes of a regular file, none where they cannot be read. Opening a pipe would let
    go on who writes to it."""
    try:
        return head_of(HostFile(file)) if file.is_file() else b""
    except (OSError, ValueError, ModuleError):
        return b""


def is_manifest(file: Path) -> bool:
    """Whether FILE is that of a Spin application."""
    return file.suffix == MANIFEST_SUFFIX and not file.is_dir()


def load_site(file: Path, features: Collection[str] = ()) -> Config:
    """The configuration that FILE is, or the one route at / that serves it, with all defaults but
    these features of the engine. The manifests of Spin applications are read too. Raises
    ConfigError."""
    if is_yaml(file):
        config = _configuration(file)
    else:
        small = _small_site(file)
        config = replace(small, engine=replace(small.engine, features=tuple(sorted(features))))
    return with_compositions(config, load_applications(config, None))


def _configuration(file: Path) -> Config:
    try:
        return load_config(file)
    except ConfigError:
        # What it is instead is worth more than what is wrong with it as YAML.
        other = "" if file.suffix in _YAML_SUFFIXES else foreign(str(file), _head(file))
        if not other:
            raise
        raise ConfigError([Problem(str(file), 0, 0, f"is neither a module nor a configuration but {other}")]) from None


def named_site(file: Path | None) -> Config | None:
    """The same for a FILE that may be left out."""
    return load_site(file) if file is not None else None


def _small_site(file: Path) -> Config:
    if not file.exists():
        raise ConfigError([Problem(str(file), 0, 0, "cannot be read: No such file or directory")])
    target = file.absolute()
    text = _DIRECTORY_SITE if file.is_dir() else _SPIN_SITE if is_manifest(file) else _MODULE_SITE
    config = parse_config(text.encode("ascii"), target.with_name("site.yaml"))
    # A manifest as it was given: mistakes are named by it.
    path = file if is_manifest(file) else target
    routes = (replace(route, target=_at(path, route.target), line=0) for route in config.routes if route.target)
    return replace(config, routes=tuple(routes), source=target)


def _at(path: Path, target: RouteTarget) -> RouteTarget:
    if isinstance(target, DirectoryTarget):
        return replace(target, path=path, folder=Folder.at(path))
    return replace(target, path=path)


def site(options: argparse.Namespace) -> Config:
    """What to serve, read anew. Raises ConfigError."""
    config = load_site(options.file, options.features)
    has_file = is_yaml(options.file) or is_manifest(options.file)
    return replace(config, reload=True) if options.reload and has_file else config
