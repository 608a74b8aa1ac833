"""The cache that a command works with."""

from __future__ import annotations

import os
from pathlib import Path

from wsgi_wasm.cli.source import UserError
from wsgi_wasm.config import Config
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.messages import escaped


def cache_directory(wanted: Path | None, config: Config | None) -> Path:
    """What `--cache` names, else what a server of the site would use; `config` is None where no
    site is named."""
    return wanted or default_directory(config.cache_dir if config is not None else None, os.environ)


def writable_cache(directory: Path) -> Cache:
    """The cache, to be written to. Raises UserError, CacheError."""
    cache = Cache(directory)
    if not cache.writable:
        raise UserError(
            f"cache directory {escaped(cache.directory)} is not writable: run this command as its owner, or "
            "choose another directory with --cache"
        )
    return cache
