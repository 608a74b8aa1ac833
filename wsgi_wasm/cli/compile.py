"""Compile modules to native code ahead of time, into the cache that all workers and restarts share.

The cache is WSGI_WASM_CACHE, else `cache_dir` of the file, else $XDG_CACHE_HOME/wsgi-wasm or ~/.cache/wsgi-wasm, else
/var/cache/wsgi-wasm. Its files are native code, so a server uses only those that belong to root or to the user it
runs as, in a directory of which the same is true, and that neither group nor others can write. Compile as the user of
the server where you can (sudo -u www-data wsgi-wasm compile ...). As root, compile into a directory that root owns;
the server's user must be able to read it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "fill the cache of compiled modules"
EXAMPLES = """\
  wsgi-wasm compile site.yaml                  everything that the site's routes can run
  wsgi-wasm compile hello.wasm shop.wasm       modules by name
  wsgi-wasm compile cgi-bin                    the programs in a directory
  sudo -u www-data wsgi-wasm compile --cache /var/cache/wsgi-wasm /etc/wsgi-wasm/site.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `compile`."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="site.yaml, spin.toml, a module, or a directory"
    )
    parser.add_argument("--cache", metavar="DIR", type=Path, help="the cache directory, in place of the one above")
    parser.add_argument("--force", action="store_true", help="compile what is in the cache already, too")
    parser.add_argument(
        "--features",
        metavar="NAMES",
        default="",
        help="engine features for modules given by name, with commas between them; a file says its own",
    )


def run(options: argparse.Namespace) -> int:
    """One line per module; 1 if one of them fails."""
    from wsgi_wasm.cli.compiling import compile_files

    return compile_files(options)
