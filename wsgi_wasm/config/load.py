"""A configuration file to a `Config`, or to a ConfigError with every mistake in it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from wsgi_wasm.config.checks import DirectoryChecks
from wsgi_wasm.config.compose import compositions
from wsgi_wasm.config.grants import GrantsBuilder
from wsgi_wasm.config.hardening import Hardening
from wsgi_wasm.config.kinds import BROKEN, Settings
from wsgi_wasm.config.log import Log, chosen_log
from wsgi_wasm.config.model import Config, EngineSettings
from wsgi_wasm.config.nodes import Reading
from wsgi_wasm.config.proxies import TrustedProxies
from wsgi_wasm.config.reader import MAX_BYTES, read_document
from wsgi_wasm.config.routes import RouteBuilder
from wsgi_wasm.config.schema import SITE
from wsgi_wasm.config.settings import defaults_of, fields_of, merged, value_of
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.messages import reason


def load_config(path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> Config:
    """Read the YAML file at `path`; `${NAME}` in its values is taken from `environ`.

    Relative paths in the file start at its directory. Whether modules and directories exist is not
    looked at. Raises ConfigError with all problems, named by `path` as it is given here.
    """
    return parse_config(read_source(path), path, environ)


def parse_config(data: bytes, path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> Config:
    """The same for the content `data` of a file that is not read again. Raises ConfigError."""
    source = Path(path).absolute()
    reading = Reading(file=os.fspath(path), base=source.parent, environ=environ)
    settings = SITE.read(read_document(data, reading), "", reading)
    if settings is BROKEN:
        raise ConfigError(list(reading.problems))
    config = _build(merged(defaults_of("site"), settings), source, reading)
    if reading.problems:
        raise ConfigError(list(reading.problems))
    return config


def read_source(path: str | os.PathLike[str]) -> bytes:
    """A configuration file's content. Raises ConfigError where it cannot be read."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            # One byte more than allowed tells a file that is too large, whatever its size says.
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(os.fspath(path), 0, 0, f"cannot be read: {reason(error)}")]) from error


def _at_once(path: str, flags: int) -> int:
    """Open a regular file. A pipe would keep a worker that starts waiting for somebody who
    writes to it. Raises OSError."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # Python refuses directories itself
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def _trusted_proxies(site: Settings) -> TrustedProxies | None:
    written = value_of(site, "trusted_proxies")
    if written is None:
        return None
    return TrustedProxies(**fields_of(TrustedProxies, merged(defaults_of("trusted_proxies"), written)))


def _build(site: Settings, source: Path, reading: Reading) -> Config:
    cache = default_directory(value_of(site, "cache_dir"), reading.environ)
    checks = DirectoryChecks(reading)
    builder = RouteBuilder(reading, GrantsBuilder(site, reading), cache, checks)
    inherited = merged(defaults_of("route"), value_of(site, "defaults"))
    routes = builder.table(value_of(site, "routes"), inherited)
    hosts = {}
    for host, setting in value_of(site, "hosts").items():
        section = merged(defaults_of("host"), setting.value)
        below = merged(inherited, value_of(section, "defaults"))
        hosts[host] = builder.table(value_of(section, "routes") or {}, below, host)
    engine = merged(defaults_of("engine"), value_of(site, "engine"))
    harden = merged(defaults_of("harden"), value_of(site, "harden"))
    log = merged(defaults_of("log"), value_of(site, "log"))
    config = Config(
        source=source,
        routes=routes,
        hosts=hosts,
        handler=builder.handler(site["handler"], inherited, routes),
        compose=compositions(site["compose"], reading),
        engine=EngineSettings(**fields_of(EngineSettings, engine)),
        harden=Hardening(**fields_of(Hardening, harden)),
        log=chosen_log(Log(**fields_of(Log, log)), reading),
        trusted_proxies=_trusted_proxies(site),
        **fields_of(Config, site),
    )
    checks.of_site(config, builder.grants.files)
    return config
