"""How this process starts programs of the host: by a function that is set once, as a server within
walls can start none itself, and what crosses to whoever starts them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from wsgi_wasm.config.granted import HostCommand
from wsgi_wasm.errors import Unavailable

Start: TypeAlias = Callable[[HostCommand, Sequence[str], Sequence[int]], socket.socket]
"""Has a command started with arguments and three streams; gives the connection on which packets of
JSON say what became of it: `{"pid": N}` or `{"errno": N}` or `{"error": TEXT}`, then `{"status": N,
"timeout": BOOL}`. It ends with the connection. Raises Unavailable."""

_start: Start | None = None


def start_programs_by(start: Start) -> None:
    """From now on, have programs started by this function."""
    global _start
    _start = start


def start(command: HostCommand, arguments: Sequence[str], streams: Sequence[int]) -> socket.socket:
    """As `Start`."""
    if _start is None:
        raise Unavailable("nothing in this process starts programs")
    return _start(command, arguments, streams)


def words_of(command: HostCommand) -> dict[str, Any]:
    """A command as JSON has it."""
    return {
        "path": str(command.path),
        "args": list(command.args),
        "env": dict(command.env),
        "cwd": str(command.cwd),
        "timeout": command.timeout,
        "memory": command.memory,
        "max_output": command.max_output,
        "concurrency": command.concurrency,
    }


def command_of(words: Mapping[str, Any]) -> HostCommand:
    """The reverse. Raises KeyError, TypeError."""
    paths = {name: Path(words[name]) for name in ("path", "cwd")}
    return HostCommand(**{**words, **paths, "args": tuple(words["args"])})
