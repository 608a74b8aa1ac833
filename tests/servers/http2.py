"""A client that speaks as much HTTP/2 without TLS (RFC 9113, prior knowledge) as one request takes."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from .process import TIMEOUT

DATA, HEADERS, RESET, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
_INDEXED_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # RFC 7541 A
_STATUS_INDEXES = range(8, 15)


class Refused(Exception):
    """The stream or the connection was ended without an answer."""


@dataclass(frozen=True, slots=True)
class Http2Answer:
    """Status and body of a response."""

    status: int
    body: bytes


def ask_http2(
    address: tuple[str, int],
    method: str,
    path: str,
    pieces: Sequence[bytes] | None = None,
    *,
    fields: Sequence[tuple[str, str]] = (),
    trailers: Sequence[tuple[str, str]] = (),
) -> Http2Answer:
    """One request on a connection of its own, its body in DATA frames of these `pieces`, each at most 16 KiB and all
    together 64 KiB; None ends the request with its head. Raises Refused."""
    host = f"{address[0]}:{address[1]}"
    head = [(":method", method), (":scheme", "http"), (":path", path), (":authority", host), *fields]
    with socket.create_connection(address, timeout=TIMEOUT) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0))
        flags = END_HEADERS | (END_STREAM if pieces is None else 0)
        connection.sendall(_frame(HEADERS, flags, 1, _block(head)))
        for number, piece in enumerate(pieces or (), 1):
            last = number == len(pieces or ()) and not trailers
            connection.sendall(_frame(DATA, END_STREAM if last else 0, 1, piece))
        if trailers:
            connection.sendall(_frame(HEADERS, END_HEADERS | END_STREAM, 1, _block(trailers)))
        return _answer(connection)


def _answer(connection: socket.socket) -> Http2Answer:
    status, body = 0, b""
    with connection.makefile("rb") as source:
        while head := source.read(9):
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            payload = source.read(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(_frame(SETTINGS, ACK, 0))
            elif kind in (RESET, GOAWAY):
                raise Refused(f"frame {kind}: {payload!r}")
            elif kind == HEADERS and stream == 1 and not status:
                status = _status(payload)
            elif kind == DATA:
                body += payload
            if kind in (DATA, HEADERS) and flags & END_STREAM and stream == 1:
                return Http2Answer(status, body)
    raise Refused("the connection was closed")


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _block(fields: Sequence[tuple[str, str]]) -> bytes:
    """Literal fields without indexing and Huffman coding (RFC 7541 6.2.2)."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(text: str) -> bytes:
    data = text.encode("latin-1")
    assert len(data) < 127
    return bytes((len(data),)) + data


def _status(block: bytes) -> int:
    """The status, which comes first: an indexed field, or a literal one whose value is three digits, Huffman coded or
    not (RFC 7541 5.2 and B: digits are codes of 5 and 6 bits)."""
    while block[0] & 0xE0 == 0x20:  # a change of the table's size
        block = block[1:]
    if block[0] & 0x80:
        return _INDEXED_STATUS[block[0] & 0x7F]
    assert (block[0] & 0x3F if block[0] & 0x40 else block[0] & 0x0F) in _STATUS_INDEXES
    value = block[2 : 2 + (block[1] & 0x7F)]
    return int(_huffman_digits(value) if block[1] & 0x80 else value)


def _huffman_digits(value: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in value)
    digits = ""
    while len(digits) < 3:
        short = bits[:5] in ("00000", "00001", "00010")
        digits += str(int(bits[:5], 2)) if short else str(int(bits[:6], 2) - 0b011001 + 3)
        bits = bits[5 if short else 6 :]
    return digits
