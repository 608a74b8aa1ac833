"""What `wsgi-wasm build-python` does."""

from __future__ import annotations

import argparse
import os
import time

from wsgi_wasm.cli.prepare import prepare
from wsgi_wasm.cli.progress import Progress
from wsgi_wasm.cli.source import UserError, load_site
from wsgi_wasm.cli.terminal import say, shown
from wsgi_wasm.config import Config
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.source import Source
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.interpreters.build import build_python
from wsgi_wasm.messages import size_text


def build(options: argparse.Namespace) -> int:
    """The exit status. Raises ConfigError, CacheError, UserError, BuildError."""
    config = load_site(options.file) if options.file is not None else None
    cache = Cache(options.cache or default_directory(config.cache_dir if config else None, os.environ))
    if not cache.writable:
        raise UserError(f"cache directory {cache.directory} cannot be written: be its owner, or name another --cache")
    started = time.monotonic()
    progress = Progress(1)
    with progress.compiling("the interpreter"):
        path = build_python(cache.directory, progress.doing, force=options.force)
    print(f"{shown(path)}: {size_text(path.stat().st_size)}, {time.monotonic() - started:.1f} s", flush=True)
    (made,) = prepare([Source(path)], _features(config), cache)
    if made.error:
        raise UserError(f"{shown(path)}: {made.error}")
    took = "cached" if made.seconds is None else f"compiled in {made.seconds:.1f} s"
    print(f"native code: {size_text(made.size)}, {took}", flush=True)
    say("use it: interpreters: {.py: python}")
    return 0


def _features(config: Config | None) -> frozenset[str]:
    return frozenset(config.engine.features) if config is not None else frozenset()
