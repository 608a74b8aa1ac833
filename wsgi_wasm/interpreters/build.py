"""Builds an interpreter into a cache, and the steps of a build that interpreters share.

Packages come from the index that pip is set up for, and are needed for the build alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.replace import MAKING
from wsgi_wasm.interpreters.model import BuiltinInterpreter, Waiting
from wsgi_wasm.messages import escaped, reason


def build(
    interpreter: BuiltinInterpreter,
    cache: Path,
    waiting: Waiting = lambda step, seconds: None,
    *,
    force: bool = False,
) -> Path:
    """Make an interpreter, unless it is in the directory `cache` already (then only with `force`).

    Takes some ten seconds, and a download. What is there is replaced by a whole new file only.
    Raises BuildError.
    """
    output = interpreter.path(cache)
    if output.exists() and not force:
        return output
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # A name that `wsgi-wasm cache prune` knows, for a build that was killed.
        with tempfile.TemporaryDirectory(prefix=f"{MAKING}{interpreter.name}-", dir=cache) as work:
            made = Path(work) / output.name
            interpreter.make(Path(work), made, waiting)
            made.chmod(0o644)
            made.replace(output)
    except OSError as error:
        raise BuildError(f"{escaped(error.filename or cache)}: {reason(error)}") from None
    return output


def fetch(packages: Sequence[str], target: Path, waiting: Waiting, digests: Sequence[str] = ()) -> None:
    """Install packages into the directory `target`. With `digests` (SHA-256), of which every file
    that is fetched must have one, nothing that they depend on is fetched. Raises BuildError.
    """
    # Not into an environment: nothing of it is imported here, and the next build begins anew.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--only-binary", ":all:", "--target", str(target)]
    if digests:
        # pip takes digests from a file alone.
        wanted = target.with_suffix(".txt")
        hashes = "".join(f" --hash=sha256:{digest}" for digest in digests)
        wanted.write_text("".join(f"{package}{hashes}\n" for package in packages), encoding="ascii")
        command += ["--no-deps", "--require-hashes", "--requirement", str(wanted)]
    else:
        command += packages
    try:
        run(command, {}, lambda seconds: waiting(f"fetching {packages[0]}", seconds))
    except BuildError as error:
        if "No module named pip" in str(error):
            raise BuildError(f"{sys.executable} has no pip: try `{sys.executable} -m ensurepip`") from None
        raise


def run(command: Sequence[str], environ: Mapping[str, str], waiting: Callable[[float], None]) -> None:
    """Run a program, with `environ` added to the environment; `waiting` is told the seconds that
    have passed.

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
    try:
        ended = subprocess.run(
            command, env={**os.environ, **environ}, capture_output=True, text=True, errors="replace", check=False
        )
    finally:
        done.set()
        counter.join()
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip()
        raise BuildError("\n".join(said.splitlines()[-20:]) or f"{command[0]} ended with {ended.returncode}")
