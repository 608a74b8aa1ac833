"""Build the Python interpreter that `interpreters: {.py: python}` names, into the cache.

It is made with componentize-py, which pip fetches for it, and it is compiled to native code at once. FILE is the site
that it is for, and is looked at for its `cache_dir` alone. Without one, and where WSGI_WASM_CACHE is set, the cache is
the environment's (see `wsgi-wasm compile --help`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "build the interpreter for Python scripts"
EXAMPLES = """\
  wsgi-wasm build-python                    into this user's cache
  sudo -u www-data wsgi-wasm build-python /etc/wsgi-wasm/site.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `build-python`."""
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the site that it is for")
    parser.add_argument("--cache", metavar="DIR", type=Path, help="the cache directory, in place of the one above")
    parser.add_argument("--force", action="store_true", help="build it although it is there, with a new hash seed")


def run(options: argparse.Namespace) -> int:
    """Builds, compiles, and says what to write."""
    from wsgi_wasm.cli.building_python import build

    return build(options)
