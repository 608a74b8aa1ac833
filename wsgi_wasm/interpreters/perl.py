"""The Perl interpreter: a core module, the snapshot of a Perl that has started and run
`guestlib/perl/preamble.pl`."""

from __future__ import annotations

import shutil
from pathlib import Path

from wsgi_wasm.cgi.environment import Environment
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.interpreters import ScriptPlace, snapshot, zeroperl
from wsgi_wasm.interpreters.model import BuiltinInterpreter, SnapshotParts, Waiting

SOURCES = GUESTLIB / "perl"
PACKAGES = (zeroperl.PACKAGE, snapshot.PACKAGE)


def _make(work: Path, output: Path, parts: SnapshotParts, waiting: Waiting) -> None:
    module = zeroperl.make_module(work, waiting)
    root = work / "root"
    (root / "dev").mkdir(parents=True)
    (root / "dev" / "null").touch()  # Perl does not start without
    shutil.copytree(SOURCES, root / "wsgi_wasm")
    snapshot.snapshot(work, root, module, output, waiting)


def _as_they_are(variables: Environment, place: ScriptPlace) -> Environment:
    return variables


INTERPRETER = BuiltinInterpreter(
    name="perl",
    packages=PACKAGES,
    sources=(SOURCES, Path(zeroperl.__file__)),
    make=_make,
    environment=_as_they_are,
)
