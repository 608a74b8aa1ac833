"""Changed modules and components, compiled, looked at and run in a process of its own.

What comes of each is a word: what it was refused for, or how it ended. The process must live: no abort, no crash, no
descriptor left open, no memory without a bound. Changes keep the sections' sizes right, so that many of them reach the
compiler and some of them run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from fuzz.binaries import components, modules
from fuzz.calls import text
from fuzz.libfuzzer import Budget, Outcome
from fuzz.mutations import ODD_BYTES
from wsgi_wasm.engine.runtime import wat_to_wasm

NAME = "guests"
PROMISE = (
    "changed modules and components, compiled and run: refused in words, or run within their limits; the process "
    "lives, and keeps neither descriptors nor memory"
)
BATCH = 200  # inputs of one process
LONGEST = 120.0  # seconds for one input, which is then a finding
MEMORY = 1 << 30  # bytes of resident memory that a batch may come to

CORE_MODULE, COMPONENT = 1, 4  # sections of a component that hold others
CODE, DATA = 10, 11  # sections of a module
CONSTANTS = (0x41, 0x42)  # i32.const and i64.const, whose numbers follow

Section = tuple[int, bytes]


@cache
def seeds() -> Sequence[bytes]:
    return [*modules(), *components(), *running()]


@cache
def running() -> Sequence[bytes]:
    """Guests that come to an end of their own."""
    return [wat_to_wasm(source.encode()) for source in (text(), MIXED, *PROGRAMS)]


# A program with some of everything: loops, calls through a table, memory, numbers, output.
MIXED = """(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1 4)
    (data (i32.const 64) "Content-Type: text/plain\\n\\n") (data (i32.const 16) "\\40\\00\\00\\00\\1a\\00\\00\\00")
    (table 3 5 funcref) (elem (i32.const 0) $a $b $c)
    (global $n (mut i64) (i64.const 9))
    (func $a (param i32) (result i32) (i32.add (local.get 0) (i32.const 3)))
    (func $b (param i32) (result i32) (i32.mul (local.get 0) (i32.const 5)))
    (func $c (param i32) (result i32) (i32.div_u (i32.const 1000) (local.get 0)))
    (func (export "_start") (local $i i32)
        (local.set $i (i32.const 7))
        (loop $next
            (i32.store (i32.const 512) (call_indirect (param i32) (result i32)
                (local.get $i) (i32.rem_u (local.get $i) (i32.const 3))))
            (global.set $n (i64.sub (global.get $n) (i64.const 1)))
            (f64.store (i32.const 520) (f64.sqrt (f64.convert_i32_u (local.get $i))))
            (v128.store (i32.const 544) (i32x4.splat (local.get $i)))
            (br_if $next (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (memory.fill (i32.const 1024) (i32.const 65) (i32.const 40))
        (drop (memory.grow (i32.const 1)))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))))"""

# Components that run: an empty one, one that calls the host, one that traps, one that never ends.
PROGRAMS = tuple(
    f"""(component
        (import "wasi:cli/exit@0.2.0" (instance $exit (export "exit" (func (param "status" (result))))))
        (core module $m (func (export "run") (result i32) {body}))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $cli (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $cli)))"""
    for body in ("i32.const 0", "i32.const 1", "unreachable", "loop br 0 end i32.const 0", "i32.const 7")
)


def number(value: int) -> bytes:
    """LEB128."""
    found = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        found.append(low | (0x80 if value else 0))
        if not value:
            return bytes(found)


def sections(source: bytes) -> list[Section]:
    """As far as they make sense."""
    found, at = [], 8
    while at < len(source):
        identity, at, size, shift = source[at], at + 1, 0, 0
        while at < len(source):
            byte, at = source[at], at + 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 35:
                break
        found.append((identity, source[at : at + size]))
        at += size
    return found


def joined(head: bytes, parts: Sequence[Section]) -> bytes:
    return head + b"".join(bytes([identity]) + number(len(body)) + body for identity, body in parts)


def mutant(which: int) -> bytes:
    """Input number `which`, always the same one."""
    chance = random.Random(which)
    if chance.random() < 0.6:
        source = chance.choice(running())
        for _ in range(chance.choice((1, 2, 4, 8))):
            source = retuned(source, chance)
        return source
    source = chance.choice(seeds())
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        source = changed(source, chance)
    return source


def retuned(source: bytes, chance: random.Random) -> bytes:
    """Other numbers in the code and in the data, as many as validation does not mind."""
    parts = sections(source)
    for at, (identity, body) in enumerate(parts):
        if identity == CORE_MODULE and body[:4] == b"\0asm":
            parts[at] = identity, retuned(body, chance)
        elif identity == CODE and (places := [i + 1 for i in range(len(body) - 1) if body[i] in CONSTANTS]):
            data, place = bytearray(body), chance.choice(places)
            data[place] = (data[place] & 0x80) | chance.randrange(128)
            parts[at] = identity, bytes(data)
        elif identity == DATA and body and chance.random() < 0.3:
            data = bytearray(body)
            data[chance.randrange(len(data))] = chance.randrange(256)
            parts[at] = identity, bytes(data)
    return joined(source[:8], parts)


def changed(source: bytes, chance: random.Random) -> bytes:
    parts = sections(source)
    if not parts or chance.random() < 0.02:
        return _bytes(source, chance)
    at = chance.randrange(len(parts))
    identity, body = parts[at]
    match chance.randrange(12):
        case 0:
            del parts[at]
        case 1:
            parts.insert(chance.randrange(len(parts)), parts[at])
        case 2:
            other = sections(chance.choice(seeds()))
            parts[at] = chance.choice(other or parts)
        case 3:
            parts.insert(at, (chance.randrange(14), chance.randbytes(chance.randrange(8))))
        case _ if identity in (CORE_MODULE, COMPONENT) and body[:4] == b"\0asm":
            parts[at] = identity, changed(body, chance)
        case _:
            parts[at] = identity, _bytes(body, chance)
    return joined(source[:8], parts)


def _bytes(body: bytes, chance: random.Random) -> bytes:
    data = bytearray(body)
    at = chance.randint(0, len(data))
    match chance.randrange(5):
        case 0:
            data[at : at + 1] = [chance.choice((*ODD_BYTES, 0x0B, 0x20, 0x41, 0x10, 0x40, 0x3F, 0xFC, 0xFD))]
        case 1:
            data[at : at + 1] = [chance.randrange(256)]
        case 2:
            data[at:at] = number(chance.choice((0, 1, 127, 128, 65535, 65536, 1 << 31, (1 << 32) - 1, 1 << 63)))
        case 3:
            del data[at : at + chance.randint(1, 4)]
        case _ if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


class Finding(Exception):
    """The number of an input, and what it did to its process."""

    def __init__(self, which: int, what: str) -> None:
        super().__init__(f"input {which}: {what}")
        self.which = which


def run_batch(first: int, count: int) -> Counter[str]:
    """How the inputs ended, by words. Raises Finding."""
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-fuzz-") as name, (Path(name) / "errors").open("w+b") as errors:
        command = [sys.executable, "-m", "fuzz.guests_run", str(first), str(count), name]
        paths = [str(Path(__file__).parents[1]), *filter(None, sys.path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONFAULTHANDLER": "1"}
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)
        try:
            return _followed(child, first, lambda: _said(errors.name))
        finally:
            child.kill()
            child.wait()


def _followed(child: subprocess.Popen[bytes], first: int, said: Callable[[], str]) -> Counter[str]:
    assert child.stdout is not None
    found: Counter[str] = Counter()
    which, whole = first, False
    with child.stdout as lines:
        old = signal.signal(signal.SIGALRM, lambda *_: child.kill())
        try:
            signal.setitimer(signal.ITIMER_REAL, LONGEST)
            for line in lines:
                signal.setitimer(signal.ITIMER_REAL, LONGEST)
                word = line.decode().strip()
                whole = word == "whole"
                if not whole:
                    found[word] += 1
                    which += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
    if child.wait() or not whole:
        raise Finding(which, f"the process ended with {child.returncode}:\n{said()}")
    return found


def _said(name: str) -> str:
    return Path(name).read_text("utf-8", "replace")[-4000:]


def campaign(work: Path, budget: Budget, show: Callable[[Outcome], None]) -> Outcome:
    """Batches until the time is over, from where the last run ended."""
    outcome, started = Outcome(NAME), time.monotonic()
    place = work / "next"
    first = int(place.read_text("ascii")) if place.exists() else 1_000_000
    ends: Counter[str] = Counter()
    while time.monotonic() - started < budget.seconds and not (budget.inputs and outcome.inputs >= budget.inputs):
        before = os.times()
        try:
            ends += run_batch(first, BATCH)
        except Finding as finding:
            path = work / f"input-{finding.which}.wasm"
            path.write_bytes(mutant(finding.which))
            outcome.findings.append(f"{path}: {finding}")
        after = os.times()
        first += BATCH
        place.write_text(str(first), "ascii")
        outcome.inputs += BATCH
        outcome.seconds = time.monotonic() - started
        outcome.cpu += after.children_user + after.children_system - before.children_user - before.children_system
        show(outcome)
    (work / "log").write_text("".join(f"{times:8} {word}\n" for word, times in ends.most_common()), "utf-8")
    return outcome
