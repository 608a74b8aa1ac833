"""Load a site, compile its modules, and say everything that is wrong with it, then what it would serve.

Exit status 1 if the file has mistakes or a route cannot serve; warnings and notes do not count. Values of variables are
never printed, only their names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "say what is wrong with a site, and what it serves"
EXAMPLES = """\
  wsgi-wasm check site.yaml
  wsgi-wasm check site.yaml --no-compile         quick: modules that are not in the cache are only looked for
  wsgi-wasm check site.yaml --json | jq .routes
  wsgi-wasm check hello.wasm                     a module by itself, with all defaults
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `check`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="site.yaml, spin.toml, a module, or a directory")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--no-compile", action="store_true", help="do not compile what is not in the cache")


def run(options: argparse.Namespace) -> int:
    """1 if anything is broken."""
    from wsgi_wasm.cli.checking import check

    return check(options)
