"""Loads and runs programs and components without a gateway around them. Run as a script with limits of the process, it
says what became of each, or ends as the process does."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.compiling import Compiled, compile_source
from wsgi_wasm.engine.guest import Guest, Invocation, Linked
from wsgi_wasm.engine.hostcalls.host_api import NO_BINDINGS
from wsgi_wasm.engine.linking import Artefact, Linker
from wsgi_wasm.errors import WsgiWasmError


@dataclass
class Limits:
    """Of a route."""

    timeout: float = 5.0
    cpu: float = 5.0
    memory: int = 128 << 20
    max_output: int = 1 << 20
    queue_timeout: float = 5.0


class Nobody:
    """A client that takes everything."""

    label = "test"
    errors_left = 1 << 20

    def output(self, data: bytes) -> None: ...
    def error_output(self, data: bytes) -> None: ...
    def gone(self) -> bool:
        return False


INVOCATION = Invocation([b"guest"], [], None, Nobody())


def program(body: str = "", memory: int | str = 1, fields: str = "") -> str:
    """A program whose memory begins with so many pages, or has these limits."""
    return f'(module {fields} (memory (export "memory") {memory}) (func (export "_start") {body}))'


def component(instances: int = 0, tables: int = 0, memories: int = 0, pages: int = 0, body: str = "") -> str:
    """A component with so many instances in it besides its own, tables and memories in one of them, and pages of
    memory that these begin with."""
    of_tables = "(table 0 1 funcref)" * tables
    return f"""(component
      (core module $t {of_tables}) (core module $m (memory {pages} 20)) (core module $n)
      (core instance (instantiate $t)) {"(core instance (instantiate $m))" * memories}
      {"(core instance (instantiate $n))" * instances}
      (core module $code (func (export "run") (result i32) {body} i32.const 0))
      (core instance $c (instantiate $code))
      (func $run (result (result)) (canon lift (core func $c "run")))
      (instance $r (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $r)))"""


def compiled(text: str, features: frozenset[str] = frozenset()) -> Compiled:
    return compile_source(ModuleSource(Path("x.wat")), features, lambda path: text.encode())


def linker(instances: int, features: frozenset[str] = frozenset()) -> Linker:
    return Linker(features, instances, lambda: ())


def load(one: Compiled, by: Linker) -> Linked:
    """Raises ModuleError, NoRoom."""
    return by.linked(one.facts, Artefact(one.code))


def guest_of(linked: Linked, limits: Limits | None = None) -> Guest:
    return linked.guest(limits or Limits(), (), lambda: NO_BINDINGS)


def written_to() -> int:
    """Bytes of the process that count for RLIMIT_DATA; compiling has taken some."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))


def main() -> None:
    """Compile all, then set the limits (in bytes; RLIMIT_DATA beyond what is taken), then load and run all."""
    instances, limits = int(sys.argv[1]), json.loads(sys.argv[2])
    texts = (program(), program(memory=40), component(), component(100, 20, 20), component(1, 0, 1, pages=20))
    modules = [compiled(text) for text in texts]
    import wsgi_wasm.engine.component.linked  # noqa: F401 - it must not be what there is no room for

    for name, value in limits.items():
        value += written_to() if name == "RLIMIT_DATA" else 0
        resource.setrlimit(getattr(resource, name), (value, value))
    by = linker(instances)
    kept = []
    for one in modules:
        try:
            kept.append(load(one, by))
            print(str(guest_of(kept[-1]).run(INVOCATION)))
        except WsgiWasmError as error:
            print(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
