"""The last configuration that was good, kept for workers that start while the file is broken.

gunicorn ends the whole server when one worker cannot start, and Apache's daemons are renewed by log
rotation: a typing mistake must not become an outage then. At a first start there is nothing to fall
back to, and the mistake is reported. What is kept is the file as it was written, with its `${NAME}`
unexpanded, so no secret is copied.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from wsgi_wasm.config.load import parse_config, read_source
from wsgi_wasm.config.model import Config
from wsgi_wasm.errors import ConfigError, UntrustedFile
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.logs import log_error, package_log

log = package_log("gateway")

ALLOWED = "WSGI_WASM_LAST_GOOD"  # set to 1 by the hooks of gunicorn and mod_wsgi


def load_and_keep(source: str | os.PathLike[str], environ: Mapping[str, str]) -> Config:
    """The configuration of a file, which is kept for later. Raises ConfigError with every mistake
    of the file."""
    data = read_source(source)
    config = parse_config(data, source, environ)
    _keep(source, data, environ)
    return config


def load_or_last_good(source: str | os.PathLike[str], environ: Mapping[str, str]) -> Config:
    """The configuration of a file; where that is broken and the environment allows it, the last one
    that was good.

    Raises ConfigError with every mistake of the file.
    """
    try:
        return load_and_keep(source, environ)
    except ConfigError as error:
        kept = _kept(source, environ) if environ.get(ALLOWED) == "1" else None
        if kept is None:
            raise
        log_error(log, error)
        log.error("The last good configuration is used instead.")
        return kept


def _location(source: str | os.PathLike[str], environ: Mapping[str, str]) -> tuple[TrustedDirectory, Path]:
    """Where the last good one is kept. Raises UntrustedFile."""
    # Not in `cache_dir`: where that is, only the file that may be broken could tell.
    cache = TrustedDirectory(default_directory(None, environ))
    name = hashlib.sha256(os.fsencode(Path(source).absolute())).hexdigest()[:16]
    return cache, cache.directory / f"last-good-{name}.yaml"


def _keep(source: str | os.PathLike[str], data: bytes, environ: Mapping[str, str]) -> None:
    with contextlib.suppress(UntrustedFile):
        cache, path = _location(source, environ)
        known = None
        with contextlib.suppress(UntrustedFile, OSError):
            known = cache.read(path)
        if known != data:
            cache.write(path, data)


def _kept(source: str | os.PathLike[str], environ: Mapping[str, str]) -> Config | None:
    with contextlib.suppress(UntrustedFile, OSError, ConfigError):
        cache, path = _location(source, environ)
        return parse_config(cache.read(path), source, environ)
    return None
