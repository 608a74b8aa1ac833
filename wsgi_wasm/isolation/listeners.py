"""Loopback sockets that a child has from its beginning, for requests that its guests make.

The engine's HTTP client connects to no other port than these. A gateway that serves such a guest
leases one, and takes the connections itself: the child has none of what is sent on them.
"""

from __future__ import annotations

import contextlib
import socket
import threading

MOST = 32  # gateways, which are the server's processes


class Listeners:
    """The sockets of one child, and who has them."""

    def __init__(self, count: int) -> None:
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(count)]
        self._free = list(self.sockets)
        self._leased: dict[object, socket.socket] = {}
        self._changing = threading.Lock()

    def ports(self) -> list[int]:
        """Of all of them."""
        return [int(one.getsockname()[1]) for one in self.sockets]

    def lease(self, who: object) -> socket.socket | None:
        """A socket for this connection of a gateway, until it ends; None where there is
        none left."""
        with self._changing:
            if who not in self._leased and self._free:
                self._leased[who] = self._free.pop()
            return self._leased.get(who)

    def give_back(self, who: object) -> None:
        """The connection has ended. What waits on its socket was for a gateway that is gone."""
        with self._changing:
            listener = self._leased.pop(who, None)
            if listener is not None:
                listener.setblocking(False)
                with contextlib.suppress(OSError):
                    while True:
                        listener.accept()[0].close()
                self._free.append(listener)
