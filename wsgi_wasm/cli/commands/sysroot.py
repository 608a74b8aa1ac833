"""Build libraries for programs in C and C++ from Debian's sources, once for this user.

The compiler finds them by itself (-lz), pkg-config and CMake when they are run by `wsgi-wasm`.
"""

from __future__ import annotations

import argparse

from wsgi_wasm.cli.progress import Progress
from wsgi_wasm.cli.terminal import say, table, tell
from wsgi_wasm.toolchain.runtime import sysroot
from wsgi_wasm.toolchain.sysroot import LIBRARIES, add, installed

EXAMPLES = """\
  wsgi-wasm sysroot add zlib libpng       builds what is not there
  wsgi-wasm sysroot list
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `sysroot`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="build libraries", allow_abbrev=False)
    adding.add_argument("names", metavar="NAME", nargs="+", choices=sorted(LIBRARIES), help=", ".join(LIBRARIES))
    adding.add_argument("--force", action="store_true", help="build them even if they are there")
    listing = actions.add_parser("list", help="show which libraries there are", allow_abbrev=False)
    listing.set_defaults(names=None)


def run(options: argparse.Namespace) -> int:
    """Builds, or lists. Raises BuildError."""
    if options.names is None:
        rows = [("name", "Debian's package", "state")]
        rows += [(name, one.package, "built" if installed(name) else "not built") for name, one in LIBRARIES.items()]
        tell(*table(rows))
    else:
        progress = Progress("building libraries")
        with progress.going_on():
            built = add(options.names, progress.doing, force=options.force)
        tell(f"built: {', '.join(built)}" if built else "all of them are there")
    say(f"directory: {sysroot()}")
    return 0
