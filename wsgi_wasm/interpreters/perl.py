"""The Perl interpreter: a core module, the snapshot of a Perl that has started and run
`guestlib/perl/preamble.pl`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.interpreters import ScriptPlace, debian_modules, library_at, snapshot, zeroperl
from wsgi_wasm.interpreters.model import BuiltinInterpreter, SnapshotParts, Waiting

SOURCES = GUESTLIB / "perl"
PACKAGES = (zeroperl.PACKAGE, snapshot.PACKAGE)

_SEARCHED = b"PERL5LIB="


def _make(work: Path, output: Path, parts: SnapshotParts, waiting: Waiting) -> None:
    module = zeroperl.make_module(work, waiting)
    root = work / "root"
    (root / "dev").mkdir(parents=True)
    (root / "dev" / "null").touch()  # Perl does not start without
    ours = root / "wsgi_wasm"
    shutil.copytree(SOURCES, ours)
    debian_modules.fetch_modules(work, ours / "modules", waiting)
    if parts.library is not None:
        shutil.copytree(parts.library, root / library_at("perl").lstrip("/"))
    (ours / "preload").write_text("".join(f"{name}\n" for name in parts.preload), encoding="ascii")
    snapshot.snapshot(work, root, module, output, waiting)


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
    sources=(SOURCES, *(Path(str(part.__file__)) for part in (debian_modules, zeroperl))),
    make=_make,
    environment=PerlVariables,
)
