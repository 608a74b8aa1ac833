"""`python -m fuzz.guests_run FIRST COUNT DIRECTORY`: compiles and runs changed guests, and says how each ended."""

from __future__ import annotations

import gc
import logging
import os
import resource
import sys
from io import BytesIO
from pathlib import Path

from engine.loading import Limits, Nobody
from fuzz.guests import MEMORY, mutant
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.compiling import compile_source
from wsgi_wasm.engine.guest import Invocation
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS
from wsgi_wasm.engine.linking import Artefact, Linker, Refused
from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.hostapi import APIS

NO_FEATURES: frozenset[str] = frozenset()
MOST_OUTPUT = 1 << 16


LIMITS = Limits(timeout=0.03, cpu=0.03, memory=4 << 20, max_output=MOST_OUTPUT)


class Reader(Nobody):
    """Somebody who takes what comes, and counts."""

    errors_left = 1 << 10
    taken = 0

    def output(self, data: bytes) -> None:
        self.taken += len(data)


def main(first: int, count: int, directory: Path) -> None:
    """Ends with the status of Python where something is no refusal of ours."""
    logging.getLogger("wsgi_wasm").setLevel(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    linker = Linker(NO_FEATURES, 2, lambda: APIS)
    source = ModuleSource(directory / "guest.wasm")
    descriptors = 0
    for which in range(first, first + count):
        print(_one(mutant(which), source, linker), flush=True)
        if which == first + count // 4:  # by now engines are there, and the threads that they have
            gc.collect()
            descriptors = len(os.listdir("/proc/self/fd"))
    gc.collect()
    left = len(os.listdir("/proc/self/fd"))
    assert left <= descriptors + 8, f"{left} descriptors, and {descriptors} before"
    # What the process came to, not what it reserves: that is terabytes of addresses.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    assert most <= MEMORY, f"{most >> 20} MiB"
    print("whole", flush=True)


def _one(data: bytes, source: ModuleSource, linker: Linker) -> str:
    try:
        compiled = compile_source(source, NO_FEATURES, lambda file: data)
        linked = linker.linked(compiled.facts, Artefact(compiled.code))
        guest = linked.guest(LIMITS, (), lambda: NO_BINDINGS)
    except (WsgiWasmError, Refused) as error:
        return f"refused: {' '.join(str(error).split()[:3])}"
    client = Reader()
    try:
        outcome = guest.run(Invocation((b"guest",), (b"A=b",), BytesIO(b"body"), client))
    except WsgiWasmError as error:
        return f"not run: {type(error).__name__}"
    if outcome.failure is not None and not isinstance(outcome.failure, WsgiWasmError):
        raise outcome.failure
    assert client.taken + len(outcome.rest) <= MOST_OUTPUT
    assert outcome.cpu < 5.0, outcome
    return f"ran: {outcome.end.key}"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
