"""Has one module compiled, in a process of its own (`engine.compiling`).

Compiling a hostile module is outside Wasmtime's promises, so it happens where it can only hurt
itself: with a budget of CPU time and memory that is watched from here, and with nothing of this
process's environment that it does not need. What it compiles goes into the cache, or comes back
where it cannot.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wsgi_wasm.binary.module_facts import Facts, from_json
from wsgi_wasm.engine.code.advice import with_advice
from wsgi_wasm.engine.code.budget import COMMAND, CompileBudget
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.child import CompilerProcess, start_compiler
from wsgi_wasm.engine.code.failures import HERE, LIMIT, OUTSIDE, Failure, NotCompiled
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.errors import CacheError, ModuleError
from wsgi_wasm.messages import printable, reason, size_text

_LOOK_EVERY = 0.1  # seconds between two looks at what the compiler uses

# What a compiler may see of our environment: where to find things, and how to speak.
_PASSED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_", "LD_LIBRARY_PATH", "COVERAGE_", "RAYON_", "RUST_BACKTRACE")

Waiting = Callable[[float], None]


def unwatched(_: float) -> None:
    """For `waiting` where nobody is told."""


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What compiling gives: native code, and what the module says of itself.

    `code` is None where it is in the cache. Where it could not be put there, `uncached` says why.
    `digest` is of what was compiled.
    """

    code: bytes | None
    facts: Facts
    digest: str = ""
    uncached: str = ""


def compile_once(
    source: ModuleSource, features: frozenset[str], cache: Cache, waiting: Waiting, budget: CompileBudget
) -> CompileResult:
    """Compile `source`, unless another process of this machine has just done so. A failure is
    remembered in the cache.

    Raises ModuleError, with what to do about a refusal of Wasmtime's; OSError where the module
    cannot be read.
    """
    digest = cache.digest(source)
    artefact = cache.artefact(digest, features)
    with cache.turn(artefact, budget) as ours:
        known = cache.failure(artefact)
        if not ours:
            raise NotCompiled(
                "other modules of its route have been compiling for too long, or this one in another process"
            )
        if budget.by_request and known is not None and known.wait(budget):
            raise known.error()
        try:
            facts = cache.find(artefact)
        except CacheError as error:
            compiled = compile_in_child(source, features, None, waiting, budget)
            return replace(compiled, uncached=str(error))
        if facts is not None:
            return CompileResult(None, facts, digest)
        try:
            return compile_in_child(source, features, cache.directory, waiting, budget)
        except ModuleError as error:
            # What this process cannot do, others may be able to.
            if not (isinstance(error, NotCompiled) and error.cause == HERE):
                cache.keep_failure(artefact, Failure.of(error, budget, known))
            raise


def compile_in_child(
    source: ModuleSource,
    features: frozenset[str],
    cache_directory: Path | None,
    waiting: Waiting = unwatched,
    budget: CompileBudget = COMMAND,
) -> CompileResult:
    """Compile `source`, into the cache in `cache_directory` where there is one that can be used.

    `waiting` is called about once a second with the seconds that have passed. Raises ModuleError,
    with what to do about a refusal of Wasmtime's.
    """
    try:
        child = start_compiler(_arguments(source, features, cache_directory, budget), _environment())
    except OSError as error:
        raise NotCompiled(f"the compiler cannot be started: {reason(error)}", HERE) from None
    with child:
        output, errors = _watched(child, waiting, budget)
        if child.returncode and child.returncode < 0:
            raise _killed(-child.returncode, budget)
    result, code = _parts(output)
    if result is None:
        words = printable(errors.decode("utf-8", "replace").strip().rpartition("\n")[2])
        raise NotCompiled(words or f"the compiler ended with status {child.returncode}")
    if "error" in result:
        raise NotCompiled(with_advice(result["error"], features), result["cause"])
    facts = from_json(result["facts"])
    return CompileResult(None if result["stored"] else code, facts, result["digest"], result["uncached"])


def _arguments(
    source: ModuleSource, features: frozenset[str], cache_directory: Path | None, budget: CompileBudget
) -> list[str]:
    arguments = [json.dumps(source.to_json()), "--features", ",".join(sorted(features))]
    arguments += ["--cpu", str(budget.cpu_seconds), "--address-space", str(budget.address_space)]
    arguments += ["--nice", str(budget.nice)]
    if cache_directory is not None:
        arguments += ["--cache", str(cache_directory)]
    return arguments


def cache_in(arguments: Sequence[str]) -> str:
    """The directory that a compiler was told to write to, "" for none."""
    return arguments[arguments.index("--cache") + 1] if "--cache" in arguments else ""


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED)}


def _watched(child: CompilerProcess, waiting: Waiting, budget: CompileBudget) -> tuple[bytes, bytes]:
    """What the compiler writes until its end. Raises NotCompiled where it goes over
    the budget, which ends it."""
    started, told = time.monotonic(), 0
    while True:
        written = child.communicate(_LOOK_EVERY)
        if written is not None:
            return written
        elapsed = time.monotonic() - started
        if elapsed >= told + 1:
            told = int(elapsed)
            waiting(float(told))
        over = _over(child, elapsed, budget)
        if over:
            raise NotCompiled(over, LIMIT)


def _over(child: CompilerProcess, elapsed: float, budget: CompileBudget) -> str:
    """Which limit a compiler is past, "" for none. Where its usage cannot be told, its own limits
    have to do."""
    if elapsed > budget.wall:
        return _too_long(budget, f"{budget.wall:g} s, though it had little CPU time")
    used = child.usage()
    if used is None:
        return ""
    if used.resident > budget.memory:
        return _too_large(budget)
    if used.cpu > budget.time:
        return _too_long(budget, f"{budget.time:g} s of CPU time")
    return ""


def _too_long(budget: CompileBudget, what: str) -> str:
    return f"takes longer to compile than {what}{_hint(budget, 'compile_time')}"


def _too_large(budget: CompileBudget) -> str:
    return f"needs more than {size_text(budget.memory)} of memory to be compiled{_hint(budget, 'compile_memory')}"


def _hint(budget: CompileBudget, setting: str) -> str:
    return f": raise `engine.{setting}`, or compile it with `wsgi-wasm compile`" if budget.by_request else ""


def _killed(number: int, budget: CompileBudget) -> NotCompiled:
    if number == signal.SIGXCPU:
        return NotCompiled(_too_long(budget, f"{budget.time:g} s of CPU time"), LIMIT)
    # Wasmtime aborts where it gets no memory.
    words = {
        signal.SIGKILL: "out of memory?",
        signal.SIGABRT: "its address space was used up, or a fault of Wasmtime's",
    }
    why = words.get(signal.Signals(number) if number in signal.valid_signals() else signal.SIGSEGV, "a crash")
    cause = OUTSIDE if number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP) else LIMIT
    return NotCompiled(f"cannot be compiled: the compiler was ended by signal {number} ({why})", cause)


def _parts(output: bytes) -> tuple[dict[str, Any] | None, bytes]:
    """What the compiler answered and the code behind it; None where it did not come so far."""
    size = int.from_bytes(output[:8], "little")
    if len(output) < 8 or len(output) - 8 < size:
        return None, b""
    return json.loads(output[8 : 8 + size]), output[8 + size :]


def answer(result: Mapping[str, Any], code: bytes = b"") -> list[bytes]:
    """What `_parts` takes apart."""
    head = json.dumps(result).encode()
    return [len(head).to_bytes(8, "little"), head, code]
