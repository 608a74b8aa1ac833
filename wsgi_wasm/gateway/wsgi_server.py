"""What the WSGI server around us can do beyond PEP 3333: show its socket, be told by an exception
to hang up."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

from wsgi_wasm.cgi.forwarded import normal_address
from wsgi_wasm.errors import EngineError
from wsgi_wasm.gateway import body_deadlines

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

_UNBOUNDED = nullcontext()
_HANGUP = select.POLLRDHUP | select.POLLHUP | select.POLLERR


@lru_cache
def _timeval(seconds: float) -> bytes:
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))


class ClientConnection:
    """The client's connection, as far as the server shows it. gunicorn does; mod_wsgi does not."""

    __slots__ = ("_poll", "_socket", "raises")

    def __init__(self, environ: Environ) -> None:
        self._socket = environ.get("gunicorn.socket")
        self._poll: select.poll | None = None
        # mod_wsgi would append its own error page to what was sent; every other server closes
        # the connection.
        self.raises = "mod_wsgi.version" not in environ

    def gone(self) -> bool:
        """True once the client has closed its side. FIN counts: a half-closed connection
        looks the same."""
        if self._socket is None:
            return False
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._socket.fileno(), _HANGUP)
        return bool(self._poll.poll(0))

    def bound_sending(self, seconds: float) -> None:
        """Bound each wait for the client to take something."""
        own = self._socket
        if own is None:
            return
        if type(own) is socket.socket and own.gettimeout() is None:
            # The kernel's own bound: with Python's, each send would begin with a call of poll.
            with contextlib.suppress(OSError):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds))
        else:
            self.set_timeout(seconds)

    def reading_until(self, deadline: float) -> AbstractContextManager[None]:
        """Within the block, reads from the client end once `deadline` (monotonic clock, seconds)
        has passed; gunicorn's own worker threads would wait for ever."""
        if self._socket is None:
            return _UNBOUNDED
        return body_deadlines.deadlines.bounding(self, deadline)

    def stop_reading(self) -> None:
        """Take nothing more from the client; the connection ends with the answer."""
        own = self._socket
        if own is None:
            return
        with contextlib.suppress(OSError):
            if isinstance(own, socket.socket):
                # An SSLSocket's own method would send the answer without encryption.
                socket.socket.shutdown(own, socket.SHUT_RD)
            else:
                own.shutdown(socket.SHUT_RD)

    def set_timeout(self, seconds: float) -> None:
        """Bound each wait for the client."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(seconds)


def correct_peer(environ: Environ) -> None:
    """Make `REMOTE_ADDR` an address. At a Unix socket gunicorn gives the path that the peer has
    bound its end to, which may look like any address, and at a socket for both families IPv4 in
    the form of IPv6."""
    address = environ.get("REMOTE_ADDR")
    if not address:
        return
    if "REMOTE_PORT" not in environ and "gunicorn.socket" in environ:
        # or middleware around the gateway knows an address
        if _is_name(address, environ["gunicorn.socket"]):
            environ["REMOTE_ADDR"] = ""
    elif address.startswith("::ffff:"):
        environ["REMOTE_ADDR"] = str(normal_address(address) or address)


def _is_name(address: str, own: socket.socket) -> bool:
    """Whether an address is the name that the peer has given its own end."""
    try:
        name = own.getpeername()
    except OSError:
        return True  # it has gone, and nobody can tell
    return address == (name.decode("utf-8", "replace") if isinstance(name, bytes) else name)


def own_scheme(environ: Environ) -> str:
    """The scheme of gunicorn's connection itself, whatever fields of the request say."""
    return "https" if isinstance(environ["gunicorn.socket"], ssl.SSLSocket) else "http"


def refuse_gevent() -> None:
    """Raises EngineError where threads are greenlets: a switch inside a guest's call
    corrupts Wasmtime's stack."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise EngineError(
            "wsgi_wasm needs real threads, and gevent has patched `threading`: use the gthread worker "
            "(gunicorn --worker-class gthread --threads 8)"
        )
