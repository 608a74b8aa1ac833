"""Show what lies in the cache, or remove what nothing has used for a while.

`list` shows compiled modules, copies of the files of Spin components, and interpreters for scripts, with their size
and when a process last loaded them. `prune` removes those that no process has loaded for --days; what would be
needed again is made again, so a server may run meanwhile. It keeps the copies that a process uses, the interpreter of
this version, and the last good configurations. Run it as the user who owns the cache.

FILE is the site that it is for, and is looked at for its `cache_dir` alone. Without one, and where WSGI_WASM_CACHE is
set, the cache is the environment's (see `wsgi-wasm compile --help`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "show or clean the cache"
EXAMPLES = """\
  wsgi-wasm cache list
  wsgi-wasm cache prune --dry-run /etc/wsgi-wasm/site.yaml
  sudo -u www-data wsgi-wasm cache prune --days 90 --cache /var/cache/wsgi-wasm
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `cache`."""
    parser.add_argument("action", metavar="ACTION", choices=("list", "prune"), help="list or prune")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the site that it is for")
    parser.add_argument("--cache", metavar="DIR", type=Path, help="the cache directory, in place of the one above")
    parser.add_argument("--days", metavar="N", type=_days, default=30.0, help="unused for how long (%(default)g)")
    parser.add_argument("--dry-run", action="store_true", help="say what `prune` would remove, and keep it")


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 36500:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return days


def run(options: argparse.Namespace) -> int:
    """One line for each, and one for all."""
    from wsgi_wasm.cli.caching import list_cache, prune_cache

    return list_cache(options) if options.action == "list" else prune_cache(options)
