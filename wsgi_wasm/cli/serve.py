"""Serve a site with gunicorn.

FILE is a configuration file; or one module (.wasm, .wat), which then answers / and everything below it; or a directory,
of which each program answers under its own name, and index.wasm under the directory's; or the manifest of a Spin
application (spin.toml), whose routes begin at /. What is not compiled yet is compiled first. SIGTERM lets the requests
that run come to their end, Ctrl-C does not; SIGHUP reads FILE anew.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from wsgi_wasm.cli.address import address

HELP = "serve a site, a module or a directory"
EXAMPLES = """\
  wsgi-wasm serve site.yaml
  wsgi-wasm serve hello.wasm                     http://127.0.0.1:8000/
  wsgi-wasm serve cgi-bin                        http://127.0.0.1:8000/env.wasm and so on
  wsgi-wasm serve shop/spin.toml                 a Spin application
  wsgi-wasm serve site.yaml --bind 0.0.0.0:80 --workers 8 --threads 16
  wsgi-wasm serve site.yaml --bind unix:/run/site.sock
"""

_MOST_WORKERS = 4  # unless asked for more: each keeps its own engine and threads


def count(text: str) -> int:
    """A whole number from 1. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `serve`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="site.yaml, spin.toml, a module, or a directory")
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
        "--threads", metavar="N", type=count, default=8, help="requests at once in each process (default: 8)"
    )
    parser.add_argument(
        "--reload",
        action="store_true",
        help="read the file anew when it changes, like `reload: true` in it; modules always are",
    )


def run(options: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    from wsgi_wasm.cli.serving import serve

    return serve(options)
