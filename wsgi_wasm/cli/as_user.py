"""Commands that work as the user whom the server runs as (`--user`): what they write belongs to it,
and what it may not read they cannot read either."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from pathlib import Path

from wsgi_wasm.cli.source import UserError
from wsgi_wasm.messages import escaped, quote
from wsgi_wasm.walls import user_of

# What says where root's own files are; without it, places are those of the user.
_OF_ROOT = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "MAIL")


_began_as = os.geteuid()


def began_as_root() -> bool:
    """Whether this is a command of root's, whoever it works as by now."""
    return _began_as == 0


def add_user(parser: argparse.ArgumentParser) -> None:
    """The option."""
    parser.add_argument(
        "--user", metavar="USER", help="work as this user, whom the server runs as (www-data); only as root"
    )


def become(name: str | None) -> None:
    """Be this user from now on, as with `sudo -u`; None stays as it is. Raises UserError,
    WallError."""
    if name is None:
        return
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise UserError(f"--user: there is no user {quote(name)}") from None
    if entry.pw_uid == os.geteuid():
        return
    if os.geteuid() != 0:
        raise UserError(f"--user {quote(name)}: only root can work as another user; run this command with sudo")
    user_of(name).switch()
    for variable in _OF_ROOT:
        os.environ.pop(variable, None)
    os.environ.update(HOME=entry.pw_dir, USER=name, LOGNAME=name)
    for path in (Path(sys.executable), Path(__file__)):
        if not os.access(path, os.R_OK):
            raise UserError(
                f"user {quote(name)} cannot read {escaped(path)}, and a server that runs as this user cannot either: "
                "install wsgi-wasm where others may read it, such as /opt/wsgi-wasm"
            )
