"""What admits one HTTP request of a guest to the forwarder."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from wsgi_wasm.hostapi.destinations import Destination

if TYPE_CHECKING:
    import asyncio


class Refuse(Protocol):
    def __call__(self, wanted: Destination, addresses: Sequence[str] = (), *, label: str = "") -> None:
        """Log a refusal to a run of this label."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One request that may be made, once.

    `admit_address` checks what the name resolves to. `deadline` is on the monotonic clock. `end` is
    called when the request is over, or will never be. `within` serves it in this process, on its
    own socket and thread; None is for other servers. `about` says in the log who makes it, and
    `refuse` that the addresses of a name are not allowed.
    """

    destination: Destination
    admit_address: Callable[[Destination, str], bool]
    deadline: float
    max_bytes: int
    end: Callable[[], None]
    within: Callable[[socket.socket], None] | None = None
    about: str = ""
    refuse: Refuse | None = None
    word: str = field(default_factory=lambda: secrets.token_hex(16))
    task: asyncio.Task[None] | None = None
