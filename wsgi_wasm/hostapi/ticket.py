"""What admits one HTTP request of a guest to the forwarder."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgi_wasm.hostapi.destinations import Destination

if TYPE_CHECKING:
    import asyncio


@dataclass(eq=False, slots=True)
class Ticket:
    """One request that may be made, once.

    `admit_address` checks what the name resolves to. `deadline` is on the monotonic clock. `end` is
    called when the request is over, or will never be. `within` serves it in this process, on its
    own socket and thread; None is for other servers. `about` says in the log who makes it.
    """

    destination: Destination
    admit_address: Callable[[Destination, str], bool]
    deadline: float
    max_bytes: int
    end: Callable[[], None]
    within: Callable[[socket.socket], None] | None = None
    about: str = ""
    word: str = field(default_factory=lambda: secrets.token_hex(16))
    task: asyncio.Task[None] | None = None
