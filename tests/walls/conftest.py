"""A world to attack, and the way to attack it from within walls."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from servers.packages import package_parent

from .attempts import Order, World

TESTS = Path(__file__).parents[1]


@dataclass
class Outcome:
    """What `apply` said, what came of each attempt, how the process ended, and its errors."""

    said: dict[str, list[str]]
    status: int
    errors: str
    attempts: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("outside", "readable", "writable"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"file")
    for name in ("secret", "removable", "moveable", "emptied"):
        (tmp_path / "outside" / name).write_bytes(b"secret")
    (tmp_path / "readable" / "link").symlink_to(tmp_path / "outside" / "secret")
    with ExitStack() as stack:
        listening = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100)) for _ in range(2)]
        abstract = f"wsgi-wasm-test-{os.getpid()}-{tmp_path.name}"
        for address in ("\0" + abstract, str(tmp_path / "socket")):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.bind(address)
            one.listen(100)
        reading, writing = os.pipe()
        stack.callback(os.close, writing)
        stack.callback(os.close, reading)
        victim = stack.enter_context(
            subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[reading])
        )
        yield World(
            outside=str(tmp_path / "outside"),
            readable=str(tmp_path / "readable"),
            writable=str(tmp_path / "writable"),
            pid=victim.pid,
            descriptor=reading,
            port=listening[0].getsockname()[1],
            other_port=listening[1].getsockname()[1],
            abstract=abstract,
            unix=str(tmp_path / "socket"),
        )
        victim.kill()


@pytest.fixture
def attacked() -> Callable[[Order], Outcome]:
    def attack(order: Order, **options: Any) -> Outcome:
        environ = {**os.environ, "PYTHONPATH": f"{TESTS}:{package_parent()}", "SECRET": "of the server"}
        done = subprocess.run(
            [sys.executable, "-m", "walls.attempts"],
            input=order.as_json(),
            capture_output=True,
            text=True,
            env=environ,
            timeout=120,
            pass_fds=[order.world.descriptor],
            check=False,
            **options,
        )
        said, *attempts = [json.loads(line) for line in done.stdout.splitlines()] or [{}]
        return Outcome(said, done.returncode, done.stderr, dict(attempts))

    return attack
