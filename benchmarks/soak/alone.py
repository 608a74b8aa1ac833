"""What a request leaves behind: each kind thousands of times in one process, without the collector of cycles.

What is kept by a cycle counts as kept here, and no pool of the server's or other requests hide it.
"""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import accounting
from benchmarks.in_process import environ
from benchmarks.soak.site import SiteFolder, scratch

WARM, LEAST = 0.3, 10  # of the requests, and so many: before they are counted
TOLERATED = 1 << 20
"""Bytes in all for one kind: threads of Wasmtime's own come and go with guests that open files."""

Ask = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Left:
    """What `requests` of one kind have left; `memory` in bytes."""

    kind: str
    requests: int
    memory: int
    descriptors: int

    @property
    def is_leak(self) -> bool:
        return self.memory > TOLERATED or self.descriptors > 0


class Leaving:
    """A server's `write` for a client that leaves after the first piece."""

    def __init__(self) -> None:
        self._written = 0

    def __call__(self, data: bytes) -> None:
        self._written += 1
        if self._written > 1:
            raise BrokenPipeError("the client has left")


class BrokenOff(io.RawIOBase):
    """A body of a client that has reset its connection."""

    def readinto(self, buffer: Any) -> int:
        raise ConnectionResetError("the client has left")


def asking(path: str, body: bytes | type[io.RawIOBase] | None = None, *, leaves: bool = False) -> Ask:
    """A request as a server makes it. What it raises is part of it."""
    name, _, query = path.partition("?")
    fixed = environ() | {
        "REQUEST_METHOD": "GET" if body is None else "POST",
        "PATH_INFO": name,
        "QUERY_STRING": query,
        "RAW_URI": path,
    }
    if body is not None:
        fixed["CONTENT_LENGTH"] = str(len(body) if isinstance(body, bytes) else 1000)

    def start(status: str, fields: object, error: object = None) -> Callable[[bytes], None]:
        return Leaving() if leaves else lambda data: None

    def ask(gateway: Any) -> object:
        source = io.BytesIO(body or b"") if body is None or isinstance(body, bytes) else body()
        try:
            return sum(map(len, gateway({**fixed, "wsgi.input": source}, start)))
        except Exception as error:
            return type(error)

    return ask


# By name, with how many for each of those that are asked for: some take long.
KINDS: Mapping[str, tuple[Ask, float]] = {
    "program": (asking("/good/program?id=1&lines=1"), 1),
    "upload": (asking("/good/upload?id=1&lines=1", bytes(50_000)), 1),
    "streamed upload": (asking("/good/streamed?id=1&lines=1", bytes(50_000)), 1),
    "key-value": (asking("/good/pairs?set=key&id=1"), 1),
    "component": (asking("/good/component/echo", b"abc"), 1),
    "trap": (asking("/bad/trap?kind=oob"), 1),
    "broken head": (asking("/bad/head?head=broken"), 1),
    "component traps": (asking("/bad/component/trap"), 1),
    "body too large": (asking("/bad/upload", bytes(2000)), 1),
    "recursion on the stack": (asking("/hostile/recurse_calls"), 1),
    "recursion in memory": (asking("/hostile/recurse"), 0.1),
    "descriptors": (asking("/hostile/manyfds?path=/data/file"), 1),
    "flood": (asking("/hostile/flood?bytes=10000000000"), 0.1),
    "component's handles": (asking("/hostile/component/handles-forever"), 0.05),
    "client leaves": (asking("/client/flood?bytes=90000000", leaves=True), 0.1),
    "body breaks off": (asking("/good/streamed?id=1", BrokenOff), 1),
}


def alone(requests: int, say: Callable[[str], None], log: Path) -> list[Left]:
    """In a process of its own, whose memory nobody else has touched; it logs into the file `log`."""
    with scratch() as place, log.open("w") as messages:
        folder = SiteFolder(place, isolate=False)
        folder.lay_out("gunicorn")
        command = [sys.executable, "-m", "benchmarks.soak.alone", str(folder.site), str(requests)]
        environment = {**os.environ, "WSGI_WASM_CACHE": str(folder.cache), "TMPDIR": str(folder.temporary)}
        found = []
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=messages, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                found.append(Left(**json.loads(line)))
                say(f"{found[-1].kind}: {found[-1].memory} bytes after {found[-1].requests} requests")
        if child.returncode:
            raise RuntimeError(f"the process has ended with status {child.returncode}; see {log}")
    return found


def _measured(gateway: Any, kind: str, ask: Ask, requests: int) -> Left:
    for _ in range(max(LEAST, int(requests * WARM))):
        ask(gateway)
    before = _held()
    for _ in range(requests):
        ask(gateway)
    memory, descriptors = (new - old for new, old in zip(_held(), before, strict=True))
    return Left(kind, requests, memory, descriptors)


def _held() -> tuple[int, int]:
    return accounting.memory(os.getpid())["anonymous"], len(os.listdir("/proc/self/fd"))


def main(site: Path, requests: int) -> None:
    from wsgi_wasm import create_app

    gateway = create_app(site)
    for ask, _ in KINDS.values():
        ask(gateway)
    gc.collect()
    gc.disable()
    for kind, (ask, share) in KINDS.items():
        print(json.dumps(asdict(_measured(gateway, kind, ask, max(1, int(requests * share))))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
