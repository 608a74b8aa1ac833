"""Builds an interpreter into a cache, and the steps of a build that interpreters share.

Packages come from the index that pip is set up for, and are needed for the build alone.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.replace import MAKING
from wsgi_wasm.interpreters import NOTHING, Additions
from wsgi_wasm.interpreters.freshness import forget, has_stale_snapshot, is_stale, made_of, remember
from wsgi_wasm.interpreters.model import BuiltinInterpreter, SnapshotParts, Waiting
from wsgi_wasm.interpreters.trees import copy_tree, digest_of
from wsgi_wasm.messages import escaped, reason


def build(
    interpreter: BuiltinInterpreter,
    cache: Path,
    waiting: Waiting = lambda step, seconds: None,
    *,
    force: bool = False,
    additions: Additions = NOTHING,
) -> Path:
    """Make an interpreter with what a site adds to it, unless it is in the directory `cache`
    already, made of what the site has now (then only with `force`).

    Takes some ten seconds, and a download. What is there is replaced by something whole only.
    Raises BuildError.
    """
    output = interpreter.path(cache, additions)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        installed = _installed(interpreter, cache, additions, waiting, force)
        if output.exists() and not force and not has_stale_snapshot(interpreter, cache, additions):
            return output
        with _work(interpreter, cache) as work:
            made, note = work / output.name, made_of(interpreter, cache, additions)
            library = None
            if additions.has_snapshot and additions.library is not None:
                # A copy, as what runs during the build could write to it.
                library = work / "library"
                copy_tree(additions.library, library)
            interpreter.make(
                work, made, SnapshotParts(packages=installed, library=library, preload=additions.preload), waiting
            )
            made.chmod(0o644)
            forget(output)
            made.replace(output)
            if additions.has_snapshot:
                remember(output, note)
    except OSError as error:
        raise BuildError(f"{escaped(error.filename or cache)}: {reason(error)}") from None
    return output


@contextmanager
def _work(interpreter: BuiltinInterpreter, cache: Path) -> Iterator[Path]:
    """A directory for one build. Its name is one that `wsgi-wasm cache prune` knows, for a build
    that was killed."""
    with tempfile.TemporaryDirectory(prefix=f"{MAKING}{interpreter.name}-", dir=cache) as work:
        yield Path(work)


def _installed(
    interpreter: BuiltinInterpreter, cache: Path, additions: Additions, waiting: Waiting, force: bool
) -> Path | None:
    """Where the packages are installed, which they are if need be; None for none. Raises
    BuildError, OSError."""
    if additions.packages is None or interpreter.install is None:
        return None
    link = interpreter.packages_path(cache, additions.packages)
    if link.is_dir() and not force and not is_stale(link, additions.packages):
        return Path(os.path.realpath(link))
    digest = digest_of(additions.packages)
    with _work(interpreter, cache) as work:
        target = work / "installed"
        interpreter.install(additions.packages, work, target, waiting)
        _open_for_reading(target)
        return _put_in_place(target, link, digest)


def _open_for_reading(folder: Path) -> None:
    """Whatever the umask says: the server may be another user's."""
    for place, _, names in os.walk(folder):
        os.chmod(place, 0o755)
        for name in names:
            os.chmod(os.path.join(place, name), 0o644)


def _put_in_place(made: Path, link: Path, digest: str) -> Path:
    """Have a link lead to a new directory. The one that it led to before is left for requests that
    still run."""
    before = os.path.realpath(link)
    target = link.with_name(f"{link.name}-{digest}-{secrets.token_hex(4)}")
    made.rename(target)
    new = target.parent / f"{MAKING}{target.name}"
    new.symlink_to(target.name)
    new.replace(link)
    for other in link.parent.glob(f"{link.name}-*"):
        if str(other) not in (before, str(target)):
            shutil.rmtree(other, ignore_errors=True)
    return target


def fetch(packages: Sequence[str], target: Path, waiting: Waiting, digests: Sequence[str] = ()) -> None:
    """Install packages into the directory `target`. With `digests` (SHA-256), of which every file
    that is fetched must have one, nothing that they depend on is fetched. Raises BuildError.
    """
    arguments = list(packages)
    if digests:
        # pip takes digests from a file alone.
        wanted = target.with_suffix(".txt")
        hashes = "".join(f" --hash=sha256:{digest}" for digest in digests)
        wanted.write_text("".join(f"{package}{hashes}\n" for package in packages), encoding="ascii")
        arguments = ["--no-deps", "--require-hashes", "--requirement", str(wanted)]
    pip_install(arguments, target, target.parent, lambda seconds: waiting(f"fetching {packages[0]}", seconds))


def pip_install(
    arguments: Sequence[str],
    target: Path,
    at: Path,
    waiting: Callable[[float], None],
    pip: Sequence[str] = ("-m", "pip"),
) -> None:
    """Run `pip install` for the directory `target`, in the directory `at`; `pip` are the arguments
    by which Python runs it. Raises BuildError."""
    # Not into an environment: nothing of it is imported here, and the next build begins anew.
    command = [sys.executable, *pip, "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-input", "--only-binary", ":all:", "--target", str(target), *arguments]
    try:
        run(command, {}, waiting, at)
    except BuildError as error:
        if "No module named pip" in str(error):
            raise BuildError(f"{sys.executable} has no pip: try `{sys.executable} -m ensurepip`") from None
        raise


def run(
    command: Sequence[str], environ: Mapping[str, str], waiting: Callable[[float], None], at: Path | None = None
) -> str:
    """Run a program, with `environ` added to the environment, and give what it writes to standard
    output; `waiting` is told the seconds that have passed.

    Raises BuildError with the program's words when it fails.
    """
    done = threading.Event()

    def count() -> None:
        started = time.monotonic()
        while not done.wait(1):
            waiting(round(time.monotonic() - started))

    counter = threading.Thread(target=count, daemon=True)
    waiting(0)
    counter.start()
    environ = {**os.environ, **environ}
    try:
        ended = subprocess.run(
            command, env=environ, capture_output=True, text=True, errors="replace", check=False, cwd=at
        )
    finally:
        done.set()
        counter.join()
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip()
        raise BuildError("\n".join(said.splitlines()[-20:]) or f"{command[0]} ended with {ended.returncode}")
    return ended.stdout
