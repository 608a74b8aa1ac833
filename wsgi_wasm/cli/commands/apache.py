"""Put a site into Apache's configuration under its own paths, take it out again, or say how it is.

`enable` writes a rule for each route, and for each program of a directory with `native: true`.
Whatever else Apache serves at these paths (CGI programs, files, other applications) stays as it
is. The rules hold on every virtual host. Then Apache checks its configuration (apachectl
configtest); if it refuses it, nothing has changed. `disable` removes what was written and brings
back what was there. Apache is reloaded with --reload alone. Run `enable` again after a change of
routes, or of the programs in such a directory; `status` says when.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wsgi_wasm.apache.enabling import SiteFiles, change, changing, contents, difference, to_disable, to_enable
from wsgi_wasm.apache.fragment import Choices
from wsgi_wasm.apache.ownership import Ownership
from wsgi_wasm.apache.places import ApacheError, find_command, find_places, mistakes
from wsgi_wasm.apache.standing import standing
from wsgi_wasm.apache.undo import Content
from wsgi_wasm.cli.arguments import count, file_name
from wsgi_wasm.cli.directory import programs_below
from wsgi_wasm.cli.source import UserError, load_site
from wsgi_wasm.cli.terminal import say, tell
from wsgi_wasm.config import DirectoryTarget, Route
from wsgi_wasm.gateway.programs import kinds_of
from wsgi_wasm.messages import escaped

EXAMPLES = """\
  wsgi-wasm apache enable /etc/wsgi-wasm/site.yaml --dry-run
  sudo wsgi-wasm apache enable /etc/wsgi-wasm/site.yaml --reload
  sudo wsgi-wasm apache enable /etc/wsgi-wasm/site.yaml --cookie wasm=1
  wsgi-wasm apache status /etc/wsgi-wasm/site.yaml
  sudo wsgi-wasm apache disable /etc/wsgi-wasm/site.yaml --reload
"""

_NAME = r"[a-z][a-z0-9-]{0,40}"
_COOKIE = r"[A-Za-z0-9_-]+=[A-Za-z0-9_-]+"
_ACCOUNT = r"[a-z_][a-z0-9_-]{0,31}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `apache`."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    enabling = _action(actions, "enable", "write Apache's configuration for a site", _enable)
    _add_changing(enabling)
    enabling.add_argument(
        "--cookie", metavar="NAME=VALUE", type=_matching(_COOKIE), help="only requests that have this cookie"
    )
    enabling.add_argument(
        "--user", metavar="USER", type=_matching(_ACCOUNT), help="user and group of the processes (default: Apache's)"
    )
    enabling.add_argument("--processes", metavar="N", type=count, default=2, help="processes (default: 2)")
    enabling.add_argument("--threads", metavar="N", type=count, default=15, help="threads in each (default: 15)")
    enabling.add_argument("--embedded", action="store_true", help="run in Apache's own processes instead")
    enabling.add_argument(
        "--python-home", metavar="DIR", default=sys.prefix, help="the virtual environment (default: this command's)"
    )
    _add_changing(_action(actions, "disable", "remove it, and bring back what was there", _disable))
    _action(actions, "status", "say what is enabled, and whether Apache uses it", _status)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    about: str,
    act: Callable[[SiteFiles, argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False)
    parser.add_argument("file", metavar="SITE", type=file_name, help="site.yaml")
    parser.add_argument(
        "--name", type=_matching(_NAME), help="name of files, handler and processes (default: wasm-SITE)"
    )
    parser.add_argument(
        "--conf-dir",
        metavar="DIR",
        type=file_name,
        help="directory whose *.conf files Apache reads, or the one that has conf-available and conf-enabled",
    )
    parser.add_argument("--apachectl", metavar="PROGRAM", help="the program that controls Apache")
    parser.set_defaults(act=act)
    return parser


def _add_changing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show the changes, and make none")
    parser.add_argument("--force", action="store_true", help="even if a file was edited by hand, or is somebody else's")
    parser.add_argument("--reload", action="store_true", help="reload Apache afterwards (apachectl graceful)")


def _matching(pattern: str) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} does not match {pattern}")
        return text

    return checked


def run(options: argparse.Namespace) -> int:
    """The status of the action. Raises ConfigError, ApacheError, NotWritable, UserError."""
    stem = re.sub(r"[^a-z0-9]+", "-", options.file.stem.lower()).strip("-")[:30]
    target = SiteFiles(options.name or f"wasm-{stem or 'site'}", options.file.absolute(), find_places(options.conf_dir))
    try:
        status: int = options.act(target, options)
    except OSError as error:
        raise UserError(f"{escaped(error.filename or target.places.available)}: {error.strerror}") from None
    return status


def programs_of(route: Route, target: DirectoryTarget) -> Sequence[str]:
    """As `fragment.Programs`."""
    if route.interface == "wws":
        raise UserError(
            f"{escaped(route.name)}: workers (`interface: wws`) have no files of their own paths: remove `native`"
        )
    root = os.path.realpath(target.path)
    return [str(one.path.relative_to(root)) for one in programs_below(target.path, kinds_of(route))]


def _enable(target: SiteFiles, options: argparse.Namespace) -> int:
    choices = Choices(
        processes=options.processes,
        threads=options.threads,
        python=os.path.abspath(options.python_home),
        user=options.user,
        cookie=options.cookie,
        embedded=options.embedded,
    )
    wanted = contents(target, load_site(options.file), choices, programs_of)
    if options.dry_run:
        return _show(target, to_enable(target, wanted, force=options.force))
    command = find_command(options.apachectl)
    with changing(target) as left:
        _say_undone(left)
        if all(one.state is Ownership.MISSING for one in target.known().values()):
            wrong = mistakes(command)
            if wrong:
                raise ApacheError(f"Apache's configuration has mistakes already, so nothing was changed:\n{wrong}")
        changes = to_enable(target, wanted, force=options.force)
        if changes:
            change(target, changes, command, must_be_right=True)
    _tell(changes)
    say(f"{target.name} is enabled" if changes else f"{target.name} was enabled, and nothing had to be changed")
    return _reload(command, options)


def _disable(target: SiteFiles, options: argparse.Namespace) -> int:
    if options.dry_run:
        return _show(target, to_disable(target, force=options.force))
    command = find_command(options.apachectl)
    with changing(target) as left:
        _say_undone(left)
        changes = to_disable(target, force=options.force)
        if not changes:
            say(f"{target.name} is not enabled in {escaped(target.places.available)}")
            return 0
        before = mistakes(command)
        wrong = change(target, changes, command, must_be_right=not before)
    _tell(changes)
    if wrong:
        say("Apache's configuration had mistakes before, and still has:", *wrong.splitlines())
    return _reload(command, options)


def _status(target: SiteFiles, options: argparse.Namespace) -> int:
    """0 if all is well."""
    found = standing(target, lambda: load_site(options.file), programs_of)
    tell(*found.lines)
    return 0 if found.well else 1


def _say_undone(left: bool) -> None:
    if left:
        say("a command was interrupted here; what it had changed was undone first")


def _show(target: SiteFiles, changes: Mapping[Path, Content]) -> int:
    lines = difference(target.known(), changes)
    tell(*lines)
    say("nothing was changed" if lines else "there is nothing to change")
    return 0


def _tell(changes: Mapping[Path, Content]) -> None:
    for path, content in changes.items():
        done = "removed" if content is None else "kept aside as" if isinstance(content, Path) else "wrote"
        tell(f"{done} {escaped(path)}")


def _reload(command: str, options: argparse.Namespace) -> int:
    if not options.reload:
        say("Apache uses this once it is reloaded: systemctl reload apache2, or --reload")
        return 0
    ran = subprocess.run([command, "graceful"], stdin=subprocess.DEVNULL, check=False)
    if ran.returncode:
        raise UserError(f"`{escaped(command)} graceful` ended with status {ran.returncode}")
    return 0
