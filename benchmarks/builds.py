"""Guests and native programs, from the same sources, laid out in a folder that a server's user can enter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks import BUILD, HERE, PROJECT
from benchmarks.tools import Missing
from benchmarks.workloads import PAGE
from servers.apache import give_to_server
from wsgi_wasm.toolchain.build import build_cached
from wsgi_wasm.toolchain.runtime import cached

GUESTS = PROJECT / "build" / "guests"
CACHE = BUILD / "cache"
C_PROGRAMS = ("hello", "environment", "form", "out", "in", "file", "lines", "wait")
MANY = 500  # routes of the site that has many
COLD = 100  # and of the one that a server starts with


def c_guest(name: str) -> Path:
    """The module of a C program of `guests/`, built as `wsgi-wasm build` does."""
    return build_cached([HERE / "guests" / f"{name}.c"], GUESTS)


def native(name: str) -> Path:
    """The same program for this machine. Raises Missing without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("no C compiler: apt install gcc libc6-dev")
    source, flags = HERE / "guests" / f"{name}.c", ["-O2"]

    def make(output: Path) -> None:
        subprocess.run([compiler, *flags, "-o", output, source], check=True)

    return cached(GUESTS, f"{name}.cgi", [compiler, *flags, source], make)


def build_python() -> None:
    """The interpreter that `interpreters: {.py: python}` names, in the cache below `build/`. Raises Missing."""
    done = _wsgi_wasm("interpreter", {"WSGI_WASM_CACHE": str(CACHE)}, "build", "python")
    if done.returncode:
        raise Missing((done.stderr.strip() or done.stdout.strip()).splitlines()[-1])


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """A file that others can read, whatever the umask is."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def lay_out(folder: Path, *, python: bool) -> Path:
    """Everything that servers need, in `folder`; returns the main site's YAML. `python` also takes CPython as a guest,
    which may raise Missing."""
    routes: dict[str, Any] = {"/wat": {"module": "hello.wat"}, "/component": {"module": "hello_http.wat"}}
    for name in C_PROGRAMS:
        write(folder / f"{name}.wasm", c_guest(name).read_bytes())
        routes[f"/{name}"] = {"module": f"{name}.wasm"}
    for name in ("hello", "component"):
        routes[f"/isolated/{name}"] = {**routes[f"/{name}"], "isolate": "benchmark"}
    routes["/flushed"] = {"module": "lines.wasm"}
    routes["/file"] |= {"dirs": {"/data": "data"}, "env": {"PAGE": "/data/page.html"}}
    routes["/wait"] |= {"timeout": "60s"}
    for name in ("hello.wat", "hello_http.wat"):
        write(folder / name, (HERE / "guests" / name).read_bytes())
    write(folder / "data" / "page.html", PAGE)
    for app in ("bare.py", "naive.py"):
        write(folder / app, (HERE / "apps" / app).read_bytes())
    if python:
        build_python()
        write(folder / "scripts" / "page.py", (HERE / "guests" / "page.py").read_bytes(), 0o755)
        routes["/cgi-bin"] = {"directory": "scripts", "interpreters": {".py": "python"}}
    return site(folder / "site.yaml", routes)


def site(path: Path, routes: Mapping[str, Any]) -> Path:
    """A configuration with these routes."""
    write(path, yaml.safe_dump({"routes": dict(routes)}).encode())
    return path


def lay_out_native(folder: Path, *, python: bool) -> Path:
    """A directory of CGI programs for mod_cgid. Raises Missing."""
    place = folder / "native"
    for name in C_PROGRAMS:
        write(place / name, native(name).read_bytes(), 0o755)
    shutil.copy(place / "lines", place / "flushed")
    if python:
        write(place / "page.py", (HERE / "guests" / "page.py").read_bytes(), 0o755)
    give_to_server(place)
    return place


def lay_out_many(folder: Path, name: str, module: bytes, count: int) -> Path:
    """A site of `count` routes /0, /1, ..., each with a module of its own: the same code under another digest."""
    routes = {}
    for number in range(count):
        file = folder / name / f"{number}.wasm"
        write(file, module + _custom_section(b"benchmark", b"%d" % number))
        routes[f"/{number}"] = {"module": f"{name}/{number}.wasm"}
    return site(folder / f"{name}.yaml", routes)


def _custom_section(name: bytes, content: bytes) -> bytes:
    body = bytes([len(name)]) + name + content
    return bytes([0, len(body)]) + body


def wat_module(name: str) -> bytes:
    """A text module of `guests/` in binary form."""
    from wasmtime import wat2wasm

    return bytes(wat2wasm((HERE / "guests" / f"{name}.wat").read_text("utf-8")))


def compile_all(sites: Iterable[Path], cache: Path) -> None:
    """Fill `cache` with what the sites run. Kept below `build/`, so that a second run has little to compile; a copy,
    because a server's user must be able to enter the directory, and it has to be checked anew for that."""
    _compile(sites, CACHE)
    shutil.copytree(CACHE, cache, ignore=shutil.ignore_patterns("*.lock", "*.source", "*.log"))
    _compile(sites, cache)


def _compile(sites: Iterable[Path], cache: Path) -> None:
    done = _wsgi_wasm("compile", {"WSGI_WASM_CACHE": str(cache)}, *sites)
    if done.returncode:
        raise SystemExit(f"wsgi-wasm compile failed:\n{done.stderr[-2000:]}{done.stdout[-2000:]}")


def _wsgi_wasm(command: str, env: Mapping[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "wsgi_wasm", command, *arguments]
    environment = {**os.environ, **env}
    return subprocess.run(line, env=environment, capture_output=True, text=True, cwd=PROJECT, check=False)
