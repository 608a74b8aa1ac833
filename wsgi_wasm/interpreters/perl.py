"""The Perl interpreter: a core module, the snapshot of a Perl that has started and loaded what most
scripts load.

On Debian it is built from Debian's own sources (`perl5`); elsewhere it is the npm package's
(`zeroperl`), with what `guestlib/perl/` has in place of extensions that it lacks.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.interpreters import ScriptPlace, debian_modules, library_at, perl5, snapshot, zeroperl
from wsgi_wasm.interpreters.model import BuiltinInterpreter, SnapshotParts, Waiting
from wsgi_wasm.interpreters.perl5 import host_perl
from wsgi_wasm.logs import package_log

SOURCES = GUESTLIB / "perl"
PACKAGES = (zeroperl.PACKAGE, snapshot.PACKAGE, perl5.ZONES)

_SEARCHED = b"PERL5LIB="

log = package_log("interpreters")


def _make(work: Path, output: Path, parts: SnapshotParts, waiting: Waiting) -> None:
    root = work / "root"
    if reason := perl5.obstacle():
        log.warning("Perl is not built from Debian's sources, but comes from npm: %s", reason)
        module = _from_npm(work, root, waiting)
    else:
        module = perl5.kept_module(work, waiting)
        (root / "wsgi_wasm").mkdir(parents=True)
        shutil.copyfile(host_perl.SOURCES / "preload.pl", root / "wsgi_wasm" / "preload.pl")
    if parts.library is not None:
        shutil.copytree(parts.library, root / library_at("perl").lstrip("/"))
    (root / "wsgi_wasm" / "preload").write_text("".join(f"{name}\n" for name in parts.preload), encoding="ascii")
    snapshot.snapshot(work, root, module, output, waiting)


def _from_npm(work: Path, root: Path, waiting: Waiting) -> bytes:
    """The module, and what its `wizer-initialize` reads below `root`."""
    module = zeroperl.make_module(work, waiting)
    (root / "dev").mkdir(parents=True)
    (root / "dev" / "null").touch()  # Perl does not start without
    ours = root / "wsgi_wasm"
    shutil.copytree(SOURCES, ours)
    debian_modules.fetch_modules(work, ours / "modules", waiting)
    return module


class PerlVariables:
    """An environment where PERL5LIB has the site's own modules."""

    def __init__(self, variables: Environment, place: ScriptPlace) -> None:
        self._variables = variables
        self._library = library_at("perl").encode("ascii") if place.library is not None else b""

    def build(self, environ: Mapping[str, Any], **request: Any) -> list[bytes]:
        """As `Environment.build`."""
        variables = self._variables.build(environ, **request)
        if not self._library:
            return variables
        known = [variable for variable in variables if variable.startswith(_SEARCHED)]
        # The route's own value goes first, as what is nearer to the script.
        value = b":".join([*(variable.removeprefix(_SEARCHED) for variable in known), self._library])
        return [*(variable for variable in variables if variable not in known), _SEARCHED + value]


INTERPRETER = BuiltinInterpreter(
    name="perl",
    packages=PACKAGES,
    sources=(
        *(SOURCES, host_perl.SOURCES, Path(str(perl5.__file__)).parent),
        *(Path(str(part.__file__)) for part in (debian_modules, zeroperl)),
    ),
    make=_make,
    environment=PerlVariables,
)
