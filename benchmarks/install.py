"""The suite's own environment. Standard library alone: this runs before anything is installed.

Debian's packages are asked for by their commands and files, so that a server from elsewhere will do as well. What is
from the Python package index goes into `build/benchmarks/venv`, in the versions that `pins/benchmarks.txt` has. That is
made with Debian's Python, which mod_wsgi is built for. The project itself goes there as `pip install .` puts it, so
that what is measured is what a user gets.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import BUILD, PROJECT

VENV = BUILD / "venv"
DONE = VENV / "installed.txt"
PACKAGE = VENV / "package.txt"
PYTHON = "/usr/bin/python3"
PINS = PROJECT / "pins" / "benchmarks.txt"
PIP = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]

# What has to be there, by the Debian package that brings it.
DEBIAN = {
    "wrk": "wrk",
    "apache2": "/usr/sbin/apache2",
    "libapache2-mod-wsgi-py3": "/usr/lib/apache2/modules/mod_wsgi.so",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdlib.h",
}

# What the package is made of, and what may lie there besides.
SOURCES = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "apache", "conf", "wsgi_wasm")
LEFT_OUT = ("__pycache__", "*.pyc", "*.so")


def inside() -> bool:
    """Whether this Python is the environment's own."""
    return Path(sys.prefix).resolve() == VENV.resolve()


def install() -> None:
    """Says what is missing, and installs it. Raises SystemExit where that fails."""
    _debian()
    _requirements()
    _package()


def _requirements() -> None:
    wanted = PINS.read_text("utf-8")
    if DONE.exists() and DONE.read_text("utf-8") == wanted:
        return
    print(f"installing into {VENV.relative_to(PROJECT)} what {PINS.relative_to(PROJECT)} names", flush=True)
    if not (VENV / "bin" / "python").exists():
        _run([PYTHON, "-m", "venv", str(VENV)])
    _run([*PIP, "--requirement", str(PINS)])
    DONE.write_text(wanted, "utf-8")


def restart(arguments: list[str], package: str = "benchmarks") -> None:
    """Goes on as the environment's Python, with this package's command; does not return.

    The package is taken from the environment, also by every child: the working directory is not looked into, and
    `benchmarks` is found at the path's end.
    """
    python = str(VENV / "bin" / "python")
    os.chdir(PROJECT)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    os.execve(python, [python, "-m", package, *arguments], {**environment, "PYTHONSAFEPATH": "1"})


def _debian() -> None:
    missing = [package for package, what in DEBIAN.items() if not (shutil.which(what) or os.path.exists(what))]
    if not _has_venv():
        missing.append("python3-venv")
    if not missing:
        return
    print(f"installing Debian's packages: {' '.join(missing)}", flush=True)
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    # RUNLEVEL: Debian would start an Apache of its own, which is not needed and whose port may be taken.
    quiet = ["env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive"]
    _run([*sudo, "apt-get", "update", "-qq"])
    _run([*sudo, *quiet, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing])


def _package() -> None:
    """The project, where its sources are not those that were installed last."""
    for site in (VENV / "lib").glob("python3*/site-packages"):
        (site / "benchmarks.pth").write_text(f"{PROJECT}\n", "utf-8")
    state = _digest()
    if PACKAGE.exists() and PACKAGE.read_text("utf-8") == state:
        return
    print(f"installing wsgi_wasm into {VENV.relative_to(PROJECT)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-benchmark-") as name:
        # From a copy: setuptools would find what an earlier build has left behind.
        copy = Path(name) / "wsgi-wasm"
        copy.mkdir()
        for part in SOURCES:
            if (PROJECT / part).is_dir():
                shutil.copytree(PROJECT / part, copy / part, ignore=shutil.ignore_patterns(*LEFT_OUT))
            else:
                shutil.copy(PROJECT / part, copy / part)
        _run([*PIP, "--force-reinstall", "--no-deps", "--build-constraint", str(PINS), str(copy)])
    PACKAGE.write_text(state, "utf-8")


def _digest() -> str:
    """Of everything that the package is made of."""
    found = hashlib.sha256()
    for part in SOURCES:
        path = PROJECT / part
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not any(file.match(pattern) for pattern in LEFT_OUT):
                found.update(f"{file.relative_to(PROJECT)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _has_venv() -> bool:
    return subprocess.run([PYTHON, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout)[-4000:]}")
