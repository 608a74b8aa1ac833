"""What Python CGI programs with packages cost when they are served: under gunicorn (gthread) and mod_wsgi's daemons,
beside the native ones under mod_cgid, in CPU time of everything that the server has started.

`python benchmarks/python_programs.py [--requests N]`; as root, with the packages that `./run-tests` installs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
os.environ.setdefault("WSGI_WASM_CACHE", str(PROJECT / "build" / "cache"))

from benchmarks.accounting import Groups  # noqa: E402
from python.programs import PLACE, PythonProgram, natively_installed, programs  # noqa: E402
from servers.apache import Apache, Site, give_to_server  # noqa: E402
from servers.client import get, wait_compiled  # noqa: E402
from servers.fixtures import serve  # noqa: E402
from servers.server import Server  # noqa: E402
from wsgi_wasm.cli.prepare import prepare  # noqa: E402
from wsgi_wasm.config import interpreters_of, load_config  # noqa: E402
from wsgi_wasm.engine.code.cache import Cache  # noqa: E402
from wsgi_wasm.engine.code.source import ModuleSource  # noqa: E402
from wsgi_wasm.interpreters import interpreter  # noqa: E402
from wsgi_wasm.interpreters.build import build  # noqa: E402

HELLO = 'print("Content-Type: text/plain\\n\\nhello")\n'
STARTER = '#!/bin/sh\nexport PYTHONPATH={path} DATA={data}\nexec /usr/bin/python3 -W ignore "$PWD/program.py"\n'
PATHS = {"bottle": "/hello/Ada", "flask": "/?name=Ada", "django": "/me"}

WAYS = ("mod_cgid", "gunicorn-gthread", "mod_wsgi-daemon")


def lay_out(tmp: Path, chosen: list[PythonProgram]) -> Path:
    """Every program natively and here; the site. What is built is copied into a cache of the server's user."""
    cache, routes = tmp / "cache", dict[str, Any]()
    cache.mkdir(mode=0o700)
    (tmp / "here").mkdir()
    (tmp / "data").mkdir()
    shutil.copytree(PLACE / "library", tmp / "library")
    (tmp / "here" / "hello.py").write_text(HELLO, encoding="utf-8")
    _native(tmp, "hello", HELLO, "")
    routes["/hello"] = {"directory": "here", "interpreters": {".py": "python"}}
    for one in chosen:
        text = one.script.read_text("utf-8")
        (tmp / "here" / one.script.name).write_text(text, encoding="utf-8")
        _native(tmp, one.name, text, f"{natively_installed(one.requirements, tmp / one.name)}:{tmp / 'library'}")
        with_preload = one.route(tmp / "here", tmp / "data")
        python = {**with_preload["interpreters"][".py"], "preload": []}
        routes[f"/{one.name}"] = {**with_preload, "interpreters": {".py": python}}
        routes[f"/{one.name}-preload"] = with_preload
    site = tmp / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": routes, "engine": {"instances": 16}}), encoding="utf-8")
    built = []
    for route in load_config(site).routes:
        for setting in interpreters_of(route.target).values():
            build(interpreter("python"), setting.module.parent, additions=setting.additions)
            built.append(setting.module)
            _copy(setting.module, cache)
            if setting.installed is not None:
                _copy(setting.installed, cache)
                _copy(setting.installed.resolve(), cache)
    for module in {path.name: path for path in built}.values():
        _copy_compiled(module, cache)
    for path in (cache, *cache.rglob("*"), *(tmp / "data").rglob("*"), tmp / "data"):
        if not path.is_symlink():
            give_to_server(path)
    return site


def _copy(built: Path, cache: Path) -> None:
    if built.is_dir() and not built.is_symlink():
        shutil.copytree(built, cache / built.name, dirs_exist_ok=True)
    elif not os.path.lexists(cache / built.name):
        shutil.copy2(built, cache / built.name, follow_symlinks=False)


def _copy_compiled(module: Path, cache: Path) -> None:
    source, own = ModuleSource(module), Cache(module.parent)
    for made in prepare([source], frozenset(), own):
        if made.error:
            raise SystemExit(made.error)
    artefact = own.artefact(own.digest(source), frozenset())
    for path in (artefact, artefact.with_suffix(".json")):
        shutil.copy(path, cache / path.name)


def _native(tmp: Path, name: str, text: str, path: str) -> None:
    folder = tmp / "native" / name
    folder.mkdir(parents=True)
    (folder / "program.py").write_text(text, encoding="utf-8")
    (folder / "app.py").write_text(STARTER.format(path=path, data=tmp / "data"), encoding="utf-8")
    (folder / "app.py").chmod(0o755)


@contextlib.contextmanager
def started(way: str, site: Path, tmp: Path) -> Iterator[Server]:
    """The server of one way."""
    if way == "mod_cgid":
        native = Site(text="", wsgi=False, native={"/cgi/": tmp / "native"})
        with Apache.start(native, tmp, name="native") as server:
            yield server
        return
    # gunicorn's workers are this user's, Apache's another's, and each trusts a cache of his own only
    cache = Path(os.environ["WSGI_WASM_CACHE"]) if way == "gunicorn-gthread" else tmp / "cache"
    with serve(way, site, tmp, cache=cache, ready="/nothing") as server:
        yield server


def cost(seconds: Callable[[], float], address: tuple[str, int], target: str, requests: int) -> float:
    """CPU milliseconds of a request."""
    for _ in range(3):
        answer = get(address, target)
        if answer.status != 200:
            raise SystemExit(f"{target}: {answer.status}\n{answer.text}")
    before = seconds()
    for _ in range(requests):
        get(address, target)
    return (seconds() - before) / requests * 1e3


def targets(way: str, chosen: list[PythonProgram]) -> Mapping[str, str]:
    """Paths by what is measured."""
    if way == "mod_cgid":
        found = {"hello": "/cgi/hello/app.py"}
        for one in chosen:
            found[one.title] = found[f"{one.title}, preloaded"] = f"/cgi/{one.name}/app.py{PATHS[one.name]}"
        return found
    found = {"hello": "/hello/hello.py"}
    for one in chosen:
        found[one.title] = f"/{one.name}/{one.script.name}{PATHS[one.name]}"
        found[f"{one.title}, preloaded"] = f"/{one.name}-preload/{one.script.name}{PATHS[one.name]}"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--requests", type=int, default=100, help="of each program (default: %(default)s)")
    parser.add_argument("programs", nargs="*", default=["flask"], help="default: flask")
    options = parser.parse_args()
    chosen = [one for one in programs() if one.name in options.programs]
    groups = Groups()
    if groups.kind is None:
        raise SystemExit("no control group can be made here, so the time of mod_cgid's programs cannot be counted")
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-benchmark-") as name:
        tmp = Path(name)
        tmp.chmod(0o755)
        site = lay_out(tmp, chosen)
        for way in WAYS:
            group = groups.make()
            with contextlib.ExitStack() as stack:
                with group.joined():
                    server = stack.enter_context(started(way, site, tmp))
                found = targets(way, chosen)
                if way != "mod_cgid":
                    wait_compiled(server.address, *found.values())
                for what, target in found.items():
                    figures.setdefault(what, {})[way] = cost(group.seconds, server.address, target, options.requests)
            group.close()
    print("CPU ms a request, and how many times the native program's\n")
    print("| program | mod_cgid | gunicorn gthread | mod_wsgi daemon |\n|---|---|---|---|")
    for what, row in figures.items():
        native = row["mod_cgid"]
        ours = " | ".join(f"{row[way]:.1f} ({row[way] / native:.2f}x)" for way in WAYS[1:])
        print(f"| {what} | {native:.1f} | {ours} |")


if __name__ == "__main__":
    main()
