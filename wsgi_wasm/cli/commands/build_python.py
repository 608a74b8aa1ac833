"""Another name for `wsgi-wasm interpreter build python`."""

from __future__ import annotations

import argparse

from wsgi_wasm.cli.commands import interpreter

EXAMPLES = """\
  wsgi-wasm build-python                    into this user's cache
  sudo wsgi-wasm build-python --user www-data /etc/wsgi-wasm/site.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `build-python`."""
    interpreter.add_build_arguments(parser)
    parser.set_defaults(name="python")


def run(options: argparse.Namespace) -> int:
    """Builds."""
    return interpreter.run(options)
