"""What `wsgi-wasm serve` does before gunicorn takes over."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import socket
import sys

from wsgi_wasm.cli.address import Address
from wsgi_wasm.cli.prepare import prepare, sources_of_site
from wsgi_wasm.cli.source import UserError, site
from wsgi_wasm.cli.terminal import say, shown
from wsgi_wasm.config import Config
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.errors import CacheError
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.messages import size_text


def serve(options: argparse.Namespace) -> int:
    """Serve until told to stop. Raises ConfigError, UserError; does not return in gunicorn's processes."""
    config = site(options)
    check_address(options.bind, str(options.file))
    compile_first(config)
    _log_to_stderr()
    try:
        from wsgi_wasm.cli.server import Server
    except ModuleNotFoundError as error:
        if error.name != "gunicorn":
            raise
        raise UserError("gunicorn is not installed: pip install gunicorn") from None
    # Nothing may wrap this that cleans up at its end: workers leave it, too.
    Server(config, options).run()
    return 0


def check_address(address: Address, file: str) -> None:
    """Raises UserError where nobody could listen, before minutes are spent on compiling; gunicorn only logs it."""
    if not address.port:
        return
    try:
        family, kind, *_, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        raise UserError(_cannot_bind(address, error, file)) from None


def _cannot_bind(address: Address, error: OSError, file: str) -> str:
    other = address._replace(port=(address.port or 0) + 1)
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{address} is in use: something listens there already. End it, or choose another port:\n"
                f"  wsgi-wasm serve {file} --bind {other}"
            )
        case errno.EACCES | errno.EPERM:
            return f"{address}: {error.strerror}. Ports below 1024 need root or CAP_NET_BIND_SERVICE"
        case errno.EADDRNOTAVAIL:
            return f"{address}: this machine has no such address; 0.0.0.0:{address.port} listens on all it has"
    return f"{address}: {error.strerror}"


def compile_first(config: Config) -> None:
    """Fill the cache before the workers start. A broken module is said, and takes down its own routes alone."""
    sources = sources_of_site(config)
    directory = default_directory(config.cache_dir, os.environ)
    try:
        cache = Cache(directory)
    except CacheError as error:
        say(f"warning: {error}")
        say("warning: each worker compiles every module by itself; `wsgi-wasm check` says more")
        return
    if not cache.writable:
        say(f"warning: cache directory {directory} is read-only: each worker compiles what is not there")
        return
    for result in prepare(sources, frozenset(config.engine.features), cache):
        if result.error:
            say(f"error: {shown(result.path)}: {result.error}; its routes answer 503")
        elif result.seconds is not None:
            say(f"compiled {shown(result.path)} in {result.seconds:.1f} s ({size_text(result.size)})")


def _log_to_stderr() -> None:
    """The package's own log, in the form of gunicorn's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s [%(process)d] [%(levelname)s] %(message)s", "[%Y-%m-%d %H:%M:%S %z]")
    )
    log = logging.getLogger("wsgi_wasm")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
