"""The process that compiles: `python -m wsgi_wasm.engine.compiling`.

It looks at what a module says of itself before it compiles it, so that one that could not run costs
nothing. Its answer, in the form of `code.compiler.answer`, goes to standard output: what became of
the module, and its native code where that is not in the cache. Standard input is a pipe that ends
when the parent does.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import functools
import hashlib
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsgi_wasm.binary.foreign import check_module
from wsgi_wasm.binary.module_facts import NULLARY, Facts, check_limits, read_facts, to_json, with_types
from wsgi_wasm.binary.reader import MAGIC, is_component
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.capi.errors import taken
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.compiler import answer
from wsgi_wasm.engine.code.failures import LIMIT, MODULE, OUTSIDE
from wsgi_wasm.engine.code.signatures import signatures
from wsgi_wasm.engine.code.source import ModuleSource, read_module
from wsgi_wasm.engine.linking import check_facts
from wsgi_wasm.engine.pools import resolved
from wsgi_wasm.engine.runtime import compile_engine, wat_to_wasm
from wsgi_wasm.errors import CacheError, ModuleError, WsgiWasmError
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.text import without_mark
from wsgi_wasm.messages import reason

_PR_SET_PDEATHSIG = 1
# Bytes of what is kept of a module's imports and exports: every process that serves it reads it.
_MOST_FACTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Compiled:
    """Native code, and what the module says of itself."""

    code: bytes
    facts: Facts


def compile_source(source: ModuleSource, features: frozenset[str], read: Callable[[HostFile], bytes]) -> Compiled:
    """Compile in this process what `read` gives of a source's files. Raises ModuleError with
    Wasmtime's words; OSError."""

    def binary_of(file: HostFile) -> bytes:
        data = read(file)
        check_module(str(file.path), data)
        return data if data.startswith(MAGIC) else wat_to_wasm(without_mark(data))

    binary = source.binary(binary_of)
    # Here, because a site without components need not load it.
    from wsgi_wasm.engine.code.component_compiler import compile_component

    if is_component(binary):
        return Compiled(*compile_component(resolved(features), binary, _check))
    facts = read_facts(binary)
    check_limits(facts)
    # Types that could not be read here (of the GC proposal) are looked up once it is compiled.
    _check(with_types(facts, dict.fromkeys(facts.untyped, NULLARY)))
    engine = compile_engine(resolved(features, facts.features))
    # A module that uses what is switched off is told from its instructions, long before they are
    # compiled.
    taken(c.module_validate(engine, binary, len(binary)))
    module, vector = ctypes.c_void_p(), c.ByteVec()
    taken(c.module_new(engine, binary, len(binary), ctypes.byref(module)))
    if facts.untyped:
        facts = with_types(facts, signatures(module, facts.untyped))
        _check(facts)
    taken(c.module_serialize(module, ctypes.byref(vector)))
    return Compiled(ctypes.string_at(vector.data or 0, vector.size), facts)


def _check(facts: Facts) -> None:
    check_facts(facts)
    if len(json.dumps(to_json(facts))) > _MOST_FACTS:
        raise ModuleError("has too many imports and exports")


def main(confine: Callable[[argparse.Namespace], None] = lambda options: None) -> int:
    """Entry of the process. `confine` gives up more than the limits do, before there are
    threads."""
    options = _options()
    _limit(options)
    confine(options)
    _end_with_parent()
    try:
        head, code = _compiled(options)
    except ModuleError as error:
        head, code = _failed(str(error), MODULE), b""
    except OSError as error:
        head, code = _failed(f"cannot be read: {reason(error)}", OUTSIDE), b""
    except MemoryError:
        head, code = _failed("needs more memory to be compiled than its limits allow", LIMIT), b""
    except RecursionError:
        head, code = _failed("is nested too deeply", LIMIT), b""
    except WsgiWasmError as error:
        head, code = _failed(str(error), OUTSIDE), b""
    sys.stdout.buffer.writelines(answer(head, code))
    sys.stdout.buffer.flush()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", type=json.loads)
    parser.add_argument("--features", default="")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--cpu", type=int, default=resource.RLIM_INFINITY, help="seconds")
    parser.add_argument("--address-space", type=int, default=resource.RLIM_INFINITY, help="bytes")
    parser.add_argument("--nice", type=int, default=0)
    return parser.parse_args()


def _failed(error: str, cause: str) -> dict[str, Any]:
    return {"error": error.replace("\n", " | "), "cause": cause}


def _end_with_parent() -> None:
    """The signal comes when the thread that started this process ends, and does not come where that
    had ended before; the pipe is for the rest. Ctrl-C at a terminal reaches both: what it means is
    the parent's to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        os._exit(1)

    with contextlib.suppress(RuntimeError):  # no thread to be had
        threading.Thread(target=wait, daemon=True).start()


def _limit(options: argparse.Namespace) -> None:
    with contextlib.suppress(OSError):
        os.nice(options.nice)
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, options.cpu),
        (resource.RLIMIT_AS, options.address_space),
    ):
        soft, hard = resource.getrlimit(which)
        # Those that were inherited may be lower. The hard limit stays: at that one of CPU time the
        # kernel sends a signal that does not say why.
        if most != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or most < soft):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(which, (most, hard))


def _compiled(options: argparse.Namespace) -> tuple[dict[str, Any], bytes]:
    source = ModuleSource.from_json(options.source)
    features = frozenset(filter(None, options.features.split(",")))
    read = functools.cache(read_module)  # what is compiled must be what the digest is of
    compiled = compile_source(source, features, read)
    digest = source.digest(lambda file: hashlib.sha256(read(file)).hexdigest())
    stored, uncached = False, ""
    if options.cache is not None:
        try:
            cache = Cache(options.cache)
            artefact = cache.artefact(digest, features)
            cache.find(artefact)  # what is there and not ours stays there
            cache.store(artefact, compiled.code, compiled.facts, str(source.path))
            stored = True
        except CacheError as error:
            uncached = str(error)
    head = {"facts": to_json(compiled.facts), "digest": digest, "stored": stored, "uncached": uncached}
    return head, b"" if stored else compiled.code


if __name__ == "__main__":
    sys.exit(main())
