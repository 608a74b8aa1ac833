"""The Python interpreter that `interpreters: {.py: python}` names: a component, made by componentize-py.

What is kept is a snapshot taken after CPython has started and imported its standard library, so that a request finds
an interpreter that only has to run its script (`guestlib/python/`). componentize-py and the two packages that go into
the snapshot come from the package index that pip is set up for, and are needed for the build alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import PYTHON_PACKAGES, PYTHON_SOURCES, python_interpreter

PROGRAM = "wsgi_wasm_script"  # in PYTHON_SOURCES
_COMPONENTIZE = "import sys; from componentize_py import script; sys.exit(script())"

Waiting = Callable[[str, float], None]


def build_python(cache: Path, waiting: Waiting = lambda step, seconds: None, *, force: bool = False) -> Path:
    """Make the interpreter, unless it is in the directory `cache` already. Takes some ten seconds, and a download.

    `waiting` is called about once a second with what is going on and the seconds that it has taken. Raises BuildError.
    """
    output = python_interpreter(cache)
    if output.exists() and not force:
        return output
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".python-", dir=cache) as work:
            packages, program, made = Path(work) / "packages", Path(work) / "program", Path(work) / output.name
            _install(packages, waiting)
            # A copy, since importing them leaves __pycache__.
            shutil.copytree(PYTHON_SOURCES, program, ignore=shutil.ignore_patterns("__pycache__"))
            _componentize(program, packages, made, waiting)
            made.chmod(0o644)
            made.replace(output)
    except OSError as error:
        raise BuildError(f"{error.filename or cache}: {error.strerror}") from None
    return output


def _install(packages: Path, waiting: Waiting) -> None:
    # Not into an environment: nothing of it is imported here, and the next build begins anew.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--only-binary", ":all:", "--target", str(packages), *PYTHON_PACKAGES]
    try:
        _run(command, {}, lambda seconds: waiting(f"fetching {PYTHON_PACKAGES[0]}", seconds))
    except BuildError as error:
        if "No module named pip" in str(error):
            raise BuildError(f"{sys.executable} has no pip: try `{sys.executable} -m ensurepip`") from None
        raise


def _componentize(program: Path, packages: Path, output: Path, waiting: Waiting) -> None:
    command = [sys.executable, "-c", _COMPONENTIZE, "--quiet", "--wit-path", str(program / "wit")]
    command += ["--world", "interpreter", "componentize", PROGRAM, "--output", str(output)]
    for folder in (program, packages):
        command += ["--python-path", str(folder)]
    _run(command, {"PYTHONPATH": str(packages)}, lambda seconds: waiting("starting Python for the snapshot", seconds))


def _run(command: Sequence[str], environ: dict[str, str], waiting: Callable[[float], None]) -> None:
    """Raises BuildError with the program's words when it fails."""
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
