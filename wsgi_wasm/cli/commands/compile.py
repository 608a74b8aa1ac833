"""Compile modules ahead of time, into the cache that all workers share and that survives restarts.

The cache is WSGI_WASM_CACHE, else `cache_dir` of the file, else $XDG_CACHE_HOME/wsgi-wasm or
~/.cache/wsgi-wasm, else /var/cache/wsgi-wasm. Its files are native code. Therefore a server uses a
file only if the file and the directory belong to root or to the user that the server runs as, and
neither group nor others can write to them. If you can, compile as the server's user (--user
www-data). If you compile as root, use a directory that root owns and the
server's user can read.
"""

from __future__ import annotations

import argparse
import os
import sys

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.as_user import add_user, become
from wsgi_wasm.cli.cache_directory import cache_directory, writable_cache
from wsgi_wasm.cli.features import add_features
from wsgi_wasm.cli.prepare import Prepared, prepare, sources_of_site
from wsgi_wasm.cli.source import load_site
from wsgi_wasm.cli.terminal import Style, plural, say, shown, tell
from wsgi_wasm.messages import size_text
from wsgi_wasm.spin import load_applications

EXAMPLES = """\
  wsgi-wasm compile site.yaml                  everything that the site's routes can run
  wsgi-wasm compile hello.wasm shop.wasm       modules by name
  wsgi-wasm compile cgi-bin                    the programs in a directory
  sudo wsgi-wasm compile --user www-data --cache /var/cache/wsgi-wasm /etc/wsgi-wasm/site.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `compile`."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=file_name, help="site.yaml, spin.toml, a module, or a directory"
    )
    parser.add_argument(
        "--cache", metavar="DIR", type=file_name, help="use this cache directory instead of the one described above"
    )
    add_user(parser)
    parser.add_argument("--force", action="store_true", help="also compile modules that are already in the cache")
    add_features(parser)


def run(options: argparse.Namespace) -> int:
    """One line per module; 1 if one of them fails. Raises ConfigError, CacheError, UserError."""
    become(options.user)
    if options.cache is not None:
        # An interpreter that is named lies in the cache, and is looked for where everything looks
        # for it.
        os.environ["WSGI_WASM_CACHE"] = str(options.cache.absolute())
    failed = 0
    # mistakes in files come before the first compilation
    sites = [(file, load_site(file, options.features)) for file in options.files]
    for file, config in sites:
        cache = writable_cache(cache_directory(options.cache, config))
        sources = sources_of_site(config)
        if not sources:
            say(f"{file}: there are no modules to compile")
        load_applications(config, cache.directory)  # the copies of the components' files
        for result in prepare(sources, frozenset(config.engine.features), cache, force=options.force):
            failed += bool(result.error)
            _show(result)
    if failed:
        say(f"wsgi-wasm: {plural(failed, 'module')} could not be compiled")
    return 1 if failed else 0


def _show(result: Prepared) -> None:
    style = Style(sys.stdout)
    path = shown(result.path)
    if result.error:
        tell(f"{path}: {style('red', 'failed')}: {result.error}")
    else:
        took = "cached" if result.seconds is None else f"{result.seconds:.1f} s"
        tell(f"{path}: {size_text(result.size)}, {took}")
