"""Serve a site with gunicorn.

FILE is one of these: a configuration file; a single module (.wasm, .wat), which answers / and
everything below it; a directory, in which each program answers under its own name and index.wasm
answers for the directory; or the manifest of a Spin application (spin.toml), with routes that begin
at /. Modules that are not compiled yet are compiled first. SIGTERM lets running requests finish,
but Ctrl-C does not. SIGHUP reads FILE again.
"""

from __future__ import annotations

import argparse
import errno
import os
import socket
from pathlib import Path

from wsgi_wasm import log_output
from wsgi_wasm.cli.address import Address, address
from wsgi_wasm.cli.arguments import count, file_name
from wsgi_wasm.cli.features import add_features
from wsgi_wasm.cli.prepare import prepare, sources_of_site
from wsgi_wasm.cli.server import Server
from wsgi_wasm.cli.source import UserError, site
from wsgi_wasm.cli.terminal import say, shown
from wsgi_wasm.config import Config
from wsgi_wasm.config.checks import check_native
from wsgi_wasm.config.quantities import size
from wsgi_wasm.engine.capi.native import missing as without_native
from wsgi_wasm.engine.code.budget import of_request
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.errors import CacheError
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.messages import escaped, reason, size_text

EXAMPLES = """\
  wsgi-wasm serve site.yaml
  wsgi-wasm serve hello.wasm                     http://127.0.0.1:8000/
  wsgi-wasm serve cgi-bin                        http://127.0.0.1:8000/env.wasm and so on
  wsgi-wasm serve shop/spin.toml                 a Spin application
  wsgi-wasm serve site.yaml --bind 0.0.0.0:80 --workers 8 --threads 16
  wsgi-wasm serve site.yaml --bind unix:/run/site.sock
"""

_LONGEST_SOCKET = 107  # bytes of a path (unix(7))
_FIELD_SIZE = 8190  # bytes
_FIELD_SIZES = size("256B", "64KiB")
_MOST_WORKERS = 4  # unless asked for more: each keeps its own engine and threads


def field_size(text: str) -> int:
    """A size in bytes. Raises ArgumentTypeError."""
    try:
        return int(_FIELD_SIZES.parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `serve`."""
    parser.add_argument("file", metavar="FILE", type=file_name, help="site.yaml, spin.toml, a module, or a directory")
    add_features(parser)
    parser.add_argument(
        "--bind", metavar="HOST:PORT", type=address, default=address("127.0.0.1:8000"), help="default: 127.0.0.1:8000"
    )
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    parser.add_argument(
        "--workers",
        metavar="N",
        type=count,
        default=workers,
        help=f"processes; default: one for each core, at most {_MOST_WORKERS} (here {workers})",
    )
    parser.add_argument(
        "--threads", metavar="N", type=count, default=8, help="concurrent requests in each process (default: 8)"
    )
    parser.add_argument(
        "--field-size",
        metavar="SIZE",
        type=field_size,
        default=_FIELD_SIZE,
        help=f"longest header field of a request, up to 64KiB (default: {_FIELD_SIZE}B, as Apache has it)",
    )
    parser.add_argument(
        "--access-log",
        metavar="FILE|-|off",
        type=_access_log,
        default="-",
        help="where the access log goes, in the combined format; default: - for standard output",
    )
    parser.add_argument(
        "--reload",
        action="store_true",
        help="reload the file when it changes, like `reload: true` in the file; changed modules are always reloaded",
    )


def _access_log(text: str) -> str | None:
    return None if text == "off" else text


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop. Raises ConfigError, UserError; does not return in gunicorn's
    processes."""
    config = site(options)
    check_native(config)
    check_address(options.bind, str(options.file))
    _check_access_log(options.access_log)
    slow = without_native()
    if slow:
        say(f"note: {slow}")
    compile_first(config)
    log_output.attach([log_output.to_stderr()])
    # Nothing may wrap this that cleans up at its end: workers leave it, too.
    Server(config, options).run()
    return 0


def _check_access_log(path: str | None) -> None:
    """Raises UserError for a file that cannot be written, at which gunicorn would end with a
    traceback."""
    if path not in (None, "-"):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
        except (OSError, ValueError) as error:
            raise UserError(f"--access-log {escaped(path)}: {reason(error)}") from None


def check_address(address: Address, file: str) -> None:
    """Raises UserError where nobody could listen, before minutes are spent on compiling; gunicorn
    only logs it."""
    if address.port is None:
        _check_socket(Path(address.host))
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


def _check_socket(path: Path) -> None:
    """Raises UserError where no Unix socket can be made; gunicorn would try for seconds, or end in
    a traceback."""
    folder, why = path.absolute().parent, ""
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        why = f"the path is longer than {_LONGEST_SOCKET} bytes"
    elif not folder.is_dir():
        why = f"there is no directory {escaped(folder)}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = f"this user cannot write to {escaped(folder)}"
    elif path.exists() and not path.is_socket():
        why = "there is something else that is no socket"
    elif _is_listening(path):  # gunicorn would take its place
        why = "it is already in use; stop the program that listens there, or choose another path"
    if why:
        raise UserError(f"unix:{escaped(path)}: {why}")


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _cannot_bind(address: Address, error: OSError, file: str) -> str:
    other = address._replace(port=(address.port or 0) + 1)
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{address} is already in use. Stop the program that listens there, or choose another port:\n"
                f"  wsgi-wasm serve {file} --bind {other}"
            )
        case errno.EACCES | errno.EPERM:
            return f"{address}: {error.strerror}. Ports below 1024 need root or CAP_NET_BIND_SERVICE"
        case errno.EADDRNOTAVAIL:
            return (
                f"{address}: this machine does not have this address; "
                f"use 0.0.0.0:{address.port} to listen on all its addresses"
            )
    return f"{address}: {error.strerror}"


def compile_first(config: Config) -> None:
    """Fill the cache before the workers start. A broken module is said, and takes down its own
    routes alone."""
    sources = sources_of_site(config)
    directory = default_directory(config.cache_dir, os.environ)
    try:
        cache = Cache(directory)
    except CacheError as error:
        say(f"warning: {error}")
        say("warning: each worker compiles every module for itself; `wsgi-wasm check` says why")
        return
    wrong = cache.unwritable()
    if wrong:
        say(
            f"warning: cache directory {shown(directory)} cannot be written to ({wrong}): each worker compiles the "
            "missing modules for itself"
        )
        return
    engine = config.engine
    budget = of_request(engine.compile_time, engine.compile_memory)
    for result in prepare(sources, frozenset(engine.features), cache, budget=budget):
        if result.error:
            say(f"error: {shown(result.path)}: {result.error}; its routes answer 503")
        elif result.seconds is not None:
            say(f"compiled {shown(result.path)} in {result.seconds:.1f} s ({size_text(result.size)})")
