"""The head of a request on its way through the forwarder: from Wasmtime's client, and
to the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wsgi_wasm.config.allowed_hosts import WELL_KNOWN_PORTS
from wsgi_wasm.hostapi.destinations import Destination

# Fields of a request that are the forwarder's to write; the connection to it says nothing of the
# one that it makes.
_OWN_FIELDS = (b"host", b"connection", b"keep-alive", b"proxy-connection", b"upgrade")


_LENGTH = b"wsgi-wasm-length:"  # what the adapter calls `content-length`
_CHUNKED = b"transfer-encoding:"


def parsed(head: bytes) -> tuple[bytes, str, bytes, list[bytes]]:
    """Method, the ticket's word, the target without it, and the lines of the
    fields. Raises ValueError.

    A full stop behind the word says that the method is GET; it comes with a body, which is
    an empty one.
    """
    line, *fields = head[:-4].split(b"\r\n")
    method, target, _ = line.split(b" ")
    slash = target.index(b"/", 1)
    word = target[1:slash].decode("ascii")
    if word.endswith("."):
        method = b"GET"
    return method, word.removesuffix("."), target[slash:], fields


def without_length(method: bytes, fields: Sequence[bytes]) -> tuple[list[bytes], int | None]:
    """The lines without the one in which the adapter gives the body's length, and that; None where
    it gives none.

    A GET without it has no body, as Wasmtime's client would have it. Raises ValueError.
    """
    lengths = [line.partition(b":")[2].strip() for line in fields if line.lower().startswith(_LENGTH)]
    kept = [line for line in fields if not line.lower().startswith((_LENGTH, _CHUNKED))]
    if not lengths:
        return (kept, 0) if method == b"GET" and len(kept) < len(fields) else (list(fields), None)
    (text,) = lengths
    if not text.isdigit():
        raise ValueError(f"{text!r} is not a valid length")
    return kept, int(text)


def rewritten(method: bytes, target: bytes, fields: Iterable[bytes], to: Destination, length: int | None) -> bytes:
    """The head of the request to the server itself."""
    kept = [line for line in fields if line.partition(b":")[0].strip().lower() not in _OWN_FIELDS]
    host = f"[{to.host}]" if ":" in to.host else to.host
    port = "" if to.port == WELL_KNOWN_PORTS[to.scheme] else f":{to.port}"
    own = [f"host: {host}{port}".encode(), b"connection: close"]
    if length is not None:
        own.append(b"content-length: %d" % length)
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, target), *own, *kept, b"", b""])
