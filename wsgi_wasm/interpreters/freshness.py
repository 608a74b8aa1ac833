"""Whether what was built for a site is there, and made of what the site has now.

Beside a snapshot lies a note of what was in it. Installed packages are a link to a directory, whose
name has the digest of what they were made of.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from wsgi_wasm.files.replace import replace
from wsgi_wasm.interpreters import Additions
from wsgi_wasm.interpreters.model import BuiltinInterpreter
from wsgi_wasm.interpreters.trees import digest_of

NOTE = ".built"
"""The suffix of a note, in place of the snapshot's."""


def state(interpreter: BuiltinInterpreter, cache: Path, additions: Additions) -> str:
    """`missing` if a part has not been built, `stale` if the site has changed since then, "" if all
    is as it should be."""
    if not interpreter.path(cache, additions).exists():
        return "missing"
    packages = additions.packages
    if packages is not None and not interpreter.packages_path(cache, packages).is_dir():
        return "missing"
    if packages is not None and is_stale(interpreter.packages_path(cache, packages), packages):
        return "stale"
    return "stale" if has_stale_snapshot(interpreter, cache, additions) else ""


def is_stale(installed: Path, packages: Path) -> bool:
    """Whether packages were installed from something else than there is now."""
    try:
        return f".packages-{digest_of(packages)}-" not in os.path.basename(os.path.realpath(installed))
    except OSError:
        return False  # what they were made of is no longer there, and not needed either


def has_stale_snapshot(interpreter: BuiltinInterpreter, cache: Path, additions: Additions) -> bool:
    """Whether a snapshot has other modules in it than there are now."""
    if not additions.has_snapshot:
        return False
    try:
        kept = json.loads(interpreter.path(cache, additions).with_suffix(NOTE).read_text("ascii"))
        return bool(kept != made_of(interpreter, cache, additions))
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False  # the site's modules cannot be read, which is said where they are needed


def forget(output: Path) -> None:
    """Before a snapshot is replaced. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        output.with_suffix(NOTE).unlink()


def remember(output: Path, made_of: dict[str, str]) -> None:
    """After it is in place. Raises OSError."""
    replace(output.with_suffix(NOTE), json.dumps(made_of).encode("ascii"), 0o644)


def made_of(interpreter: BuiltinInterpreter, cache: Path, additions: Additions) -> dict[str, str]:
    """What goes into a snapshot, as its note has it. Raises OSError."""
    packages = additions.packages
    installed = os.path.realpath(interpreter.packages_path(cache, packages)) if packages is not None else ""
    return {"library": digest_of(additions.library), "packages": os.path.basename(installed)}
