"""Compiles one module in a process of its own: `python -m wsgi_wasm.engine.code.compiler`.

Compiling a hostile module is outside Wasmtime's promises, so it happens where it can only hurt
itself: with limits on memory and CPU time, and a time-out held by the parent. The artefact goes
into the cache, or to standard output where there is no cache. A failure is one line on standard
error and exit status 1.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import hashlib
import json
import resource
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.binary.module_facts import Facts, check_limits, from_json, read_facts, to_json
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.code.advice import with_advice
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.signatures import signature
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.runtime import compile_engine, wat_to_wasm
from wsgi_wasm.errors import ModuleError, WsgiWasmError

MEMORY = 8 << 30  # bytes of address space; a 36 MB module was seen to need 0.4 GiB
CPU_TIME = 1800  # seconds over all threads
WALL_TIME = 1800.0  # seconds
MAX_MODULE = 512 << 20  # bytes


def _python() -> str:
    """The interpreter to run: inside Apache, `sys.executable` may name the server."""
    for candidate in (sys.executable, f"{sys.prefix}/bin/python3", f"{sysconfig.get_config_var('BINDIR')}/python3"):
        if candidate and Path(candidate).name.startswith("python") and Path(candidate).exists():
            return candidate
    raise ModuleError(f"cannot be compiled: no Python interpreter found below {sys.prefix}")


class CompilerEnded(ModuleError):
    """The child was ended from outside (no memory, out of time), which says nothing final
    about the module."""


def compile_in_child(
    source: ModuleSource,
    features: frozenset[str],
    cache_directory: Path | None,
    waiting: Callable[[float], None] = lambda seconds: None,
) -> Compiled | None:
    """Compile `source`; the artefact is in the cache afterwards, or returned where
    `cache_directory` is None.

    `waiting` is called about once a second with the seconds that have passed. Raises ModuleError,
    with what to do about a refusal of Wasmtime's.
    """
    folders = [folder for folder in sys.path if folder]
    start = f"import sys; sys.path[:] = {folders!r}; from wsgi_wasm.engine.code.compiler import main; sys.exit(main())"
    command = [_python(), "-I", "-c", start, str(source.path), "--features", ",".join(sorted(features))]
    if source.plugs:
        command += ["--plugs", json.dumps(source.to_json())]
    if cache_directory is not None:
        command += ["--cache", str(cache_directory)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True
    ) as child:
        elapsed = 0.0
        while True:
            try:
                output, errors = child.communicate(timeout=1.0)
                break
            except subprocess.TimeoutExpired:
                elapsed += 1.0
                waiting(elapsed)
                if elapsed > WALL_TIME:
                    child.kill()
                    raise CompilerEnded(f"took longer than {WALL_TIME:g} s to compile") from None
    if child.returncode < 0:
        raise CompilerEnded(
            f"cannot be compiled: the compiler was ended by signal {-child.returncode} (out of memory?)"
        )
    if child.returncode:
        words = errors.decode("utf-8", "replace").strip().splitlines()
        said = words[-1] if words else f"the compiler ended with status {child.returncode}"
        raise ModuleError(with_advice(said, features))
    if cache_directory is not None:
        return None
    size = int.from_bytes(output[:8], "little")
    return Compiled(output[8 + size :], from_json(json.loads(output[8 : 8 + size])))


@dataclass(frozen=True, slots=True)
class Compiled:
    """What compiling gives: native code and what the module says of itself."""

    code: bytes
    facts: Facts


def compile_source(source: ModuleSource, features: frozenset[str], read: Callable[[Path], bytes]) -> Compiled:
    """Compile in this process what `read` gives of a source's files. Raises ModuleError
    with Wasmtime's words."""

    def binary_of(path: Path) -> bytes:
        return wat_to_wasm(read(path)) if path.suffix == ".wat" else read(path)

    binary = source.binary(binary_of)
    # Here, because this module is also loaded where nothing is compiled.
    from wsgi_wasm.binary.reader import is_component
    from wsgi_wasm.engine.code.component_compiler import compile_component

    if is_component(binary):
        return Compiled(*compile_component(features, binary))
    facts = read_facts(binary)
    check_limits(facts)
    engine = compile_engine(features)
    module, vector = ctypes.c_void_p(), c.ByteVec()
    taken(c.module_new(engine, binary, len(binary), ctypes.byref(module)))
    if facts.start_signature == "unknown":
        facts.start_signature = signature(module, b"_start")
    taken(c.module_serialize(module, ctypes.byref(vector)))
    return Compiled(ctypes.string_at(vector.data or 0, vector.size), facts)


def read_module(source: Path) -> bytes:
    """A module's file. Raises ModuleError."""
    try:
        if source.stat().st_size > MAX_MODULE:
            raise ModuleError(f"is larger than {MAX_MODULE >> 20} MiB")
        return source.read_bytes()
    except OSError as error:
        raise ModuleError(f"cannot be read: {error.strerror}") from None


def main() -> int:
    """Entry of the child."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--features", default="")
    parser.add_argument("--plugs", type=json.loads, default=[])
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError):  # where the limit inherited is lower already
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_TIME, CPU_TIME))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    source = ModuleSource.from_json(options.source, options.plugs)
    features = frozenset(filter(None, options.features.split(",")))
    try:
        if options.cache is None:
            compiled = compile_source(source, features, read_module)
            header = json.dumps(to_json(compiled.facts)).encode()
            sys.stdout.buffer.write(len(header).to_bytes(8, "little") + header + compiled.code)
        else:
            _into_cache(source, features, options.cache)
    except WsgiWasmError as error:
        print(str(error).replace("\n", " | "), file=sys.stderr)
        return 1
    return 0


def _into_cache(source: ModuleSource, features: frozenset[str], directory: Path) -> None:
    cache = Cache(directory)
    read = functools.cache(read_module)  # what is compiled must be what the digest is of
    artefact = cache.artefact(source.digest(lambda path: hashlib.sha256(read(path)).hexdigest()), features)
    with cache.lock(artefact):
        if cache.find(artefact) is None:
            compiled = compile_source(source, features, read)
            cache.store(artefact, compiled.code, compiled.facts, str(source.path))


if __name__ == "__main__":
    sys.exit(main())
