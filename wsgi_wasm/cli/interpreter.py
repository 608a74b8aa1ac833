"""Build the interpreters that `interpreters` may name, and show which of them are there.

`build` makes one in the cache and compiles it to native code at once; its parts are fetched with pip. FILE is the site
that it is for, and is looked at for its `cache_dir` and its engine's features alone. Without one, and where
WSGI_WASM_CACHE is set, the cache is the environment's (see `wsgi-wasm compile --help`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wsgi_wasm.interpreters import NAMES

HELP = "build interpreters for scripts, and list them"
EXAMPLES = """\
  wsgi-wasm interpreter build python          into this user's cache
  sudo -u www-data wsgi-wasm interpreter build python /etc/wsgi-wasm/site.yaml
  wsgi-wasm interpreter list                  what there is, and whether it is built
  wsgi-wasm interpreter list --json site.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `interpreter`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    building = actions.add_parser("build", help="build an interpreter", allow_abbrev=False)
    building.add_argument("name", metavar="NAME", type=_name, help=", ".join(NAMES))
    add_build_arguments(building)
    listing = actions.add_parser("list", help="show which interpreters are built", allow_abbrev=False)
    add_cache_arguments(listing)
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    listing.set_defaults(name=None)


def add_build_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `interpreter build NAME`."""
    add_cache_arguments(parser)
    parser.add_argument("--force", action="store_true", help="build it although it is there")


def add_cache_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the cache."""
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the site that it is for")
    parser.add_argument("--cache", metavar="DIR", type=Path, help="the cache directory, in place of the site's")


def _name(text: str) -> str:
    if text not in NAMES:
        from wsgi_wasm.config.scalars import did_you_mean

        raise argparse.ArgumentTypeError(
            f"no interpreter {text!r}; there are: {', '.join(NAMES)}{did_you_mean(text, NAMES)}"
        )
    return text


def run(options: argparse.Namespace) -> int:
    """Builds, or lists."""
    from wsgi_wasm.cli.interpreters import build, list_interpreters

    return list_interpreters(options) if options.name is None else build(options)
