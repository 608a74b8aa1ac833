"""HTTP clients for tests: an ordinary one, and one on a bare socket that sees bytes and can misbehave."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .process import TIMEOUT, wait_for

Fields = Sequence[tuple[str, str]] | Mapping[str, str]


class Truncated(Exception):
    """The connection ended before the body was whole; `body` holds what came."""

    def __init__(self, message: str, body: bytes) -> None:
        super().__init__(message)
        self.body = body


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response. `fields` keep order and spelling; `body` is without chunk framing. `raw_head` is empty for answers
    that came through http.client."""

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""
    raw_head: bytes = b""

    def field(self, name: str) -> str | None:
        """The first value of a field, or None."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    def all_fields(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        """The body as UTF-8, with replacement characters where it is none."""
        return self.body.decode("utf-8", "replace")


def pairs(fields: Fields) -> list[tuple[str, str]]:
    """Header fields as a list, whichever way they were given."""
    return list(fields.items()) if isinstance(fields, Mapping) else list(fields)


def request(
    address: tuple[str, int],
    method: str,
    target: str,
    *,
    body: bytes | None = None,
    fields: Fields = (),
    timeout: float = TIMEOUT,
) -> Answer:
    """One request on a connection of its own. Raises http.client.IncompleteRead for a body that was cut."""
    given = pairs(fields)
    names = {name.lower() for name, _ in given}
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.putrequest(method, target, skip_host="host" in names, skip_accept_encoding=True)
        for name, value in given:
            connection.putheader(name, value.encode("latin-1"))
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(
            status=response.status,
            reason=response.reason,
            fields=tuple(response.getheaders()),
            body=response.read(),
        )
    finally:
        connection.close()


def get(address: tuple[str, int], target: str, **options: Fields) -> Answer:
    """GET with optional `fields`."""
    return request(address, "GET", target, fields=options.get("fields", ()))


def get_compiled(address: tuple[str, int], target: str, **options: Fields) -> Answer:
    """GET, again while the answer is 503, as it is until the guest there is compiled. Raises ServerError."""
    answers = [get(address, target, **options)]

    def compiled() -> bool:
        if answers[-1].status == 503:
            answers.append(get(address, target, **options))
        return answers[-1].status != 503

    wait_for(f"{target} to be compiled", compiled)
    return answers[-1]


def wait_compiled(address: tuple[str, int], *targets: str) -> None:
    """Return once the guests there are compiled. Raises ServerError."""
    for target in targets:
        get_compiled(address, target)


def chunked(pieces: Sequence[bytes]) -> bytes:
    """Pieces in chunked coding (RFC 9112 7.1), the last chunk included."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


class Connection:
    """A socket that speaks HTTP/1.1 only as far as it is told to."""

    def __init__(
        self, address: tuple[str, int], *, timeout: float = TIMEOUT, receive_buffer: int | None = None
    ) -> None:
        """`receive_buffer` in bytes: a small one lets a slow reader stop the server soon."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:  # before connect, or the window is already agreed
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self._host = f"{address[0]}:{address[1]}"
        self._pending = b""
        self._method = "GET"

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.socket.sendall(data)

    def send_request(self, method: str, target: str | bytes, *, fields: Fields = (), body: bytes = b"") -> None:
        """A request head with `Host` and, for a body, `Content-Length`, unless `fields` name them; then `body`."""
        self._method = method
        line = target if isinstance(target, bytes) else target.encode("latin-1")
        given = pairs(fields)
        names = {name.lower() for name, _ in given}
        if "host" not in names:
            given.insert(0, ("Host", self._host))
        if body and not names & {"content-length", "transfer-encoding"}:
            given.append(("Content-Length", str(len(body))))
        head = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in given)
        self.send(method.encode("latin-1") + b" " + line + b" HTTP/1.1\r\n" + head + b"\r\n" + body)

    def read_some(self, size: int = 65536) -> bytes:
        """What is there, at least one byte; b"" at the end of the connection. Framing included."""
        if self._pending:
            data, self._pending = self._pending[:size], self._pending[size:]
            return data
        return self.socket.recv(size)

    def readable(self, timeout: float) -> bool:
        """Whether something is there to read within `timeout` seconds."""
        return bool(self._pending or select.select([self.socket], [], [], timeout)[0])

    def read_until(self, marker: bytes, limit: int = 1 << 20) -> bytes:
        """Everything up to and with `marker`; what follows is kept for the next read. Raises Truncated without it."""
        data = b""
        while marker not in data:
            piece = self.read_some()
            data += piece
            if not piece or len(data) > limit:
                raise Truncated(f"no {marker!r}", data)
        head, _, rest = data.partition(marker)
        self._pending = rest + self._pending
        return head + marker

    def read_until_end(self) -> bytes:
        """Everything that comes before the server closes the connection, or resets it."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while piece := self.read_some():
                data += piece
        return data

    def read_exactly(self, size: int) -> bytes:
        """Just `size` bytes. Raises Truncated when there are fewer."""
        data = bytearray()
        while len(data) < size:
            piece = self.read_some(size - len(data))
            if not piece:
                raise Truncated(f"{len(data)} of {size} bytes", bytes(data))
            data += piece
        return bytes(data)

    def read_head(self) -> Answer:
        """The head of the next answer, interim ones (1xx) skipped; `body` is left unread."""
        while True:
            raw = self.read_until(b"\r\n\r\n")
            status_line, *lines = raw[:-4].decode("latin-1").split("\r\n")
            _, status, *reason = status_line.split(" ", 2)
            split = (line.partition(":") for line in lines)
            fields = tuple((name, value.strip(" \t")) for name, _, value in split)
            if not status.startswith("1"):
                return Answer(status=int(status), reason="".join(reason), fields=fields, raw_head=raw)

    def pieces(self, head: Answer) -> Iterator[tuple[float, bytes]]:
        """The body as it comes, without framing: arrival (`time.monotonic()`) and bytes of each chunk or read.

        Raises Truncated where the framing shows that something is missing.
        """
        if self._method == "HEAD" or head.status in (204, 304):
            return
        length = head.field("Content-Length")
        if (head.field("Transfer-Encoding") or "").lower() == "chunked":
            yield from self._chunks()
        else:
            yield from self._plain(None if length is None else int(length))

    def _chunks(self) -> Iterator[tuple[float, bytes]]:
        while True:
            size = int(self.read_until(b"\r\n")[:-2].split(b";")[0], 16)
            data = self.read_exactly(size + 2)[:-2]
            if not size:
                return
            yield time.monotonic(), data

    def _plain(self, length: int | None) -> Iterator[tuple[float, bytes]]:
        left = length
        while left is None or left > 0:
            data = self.read_some(65536 if left is None else min(left, 65536))
            if not data and left:
                raise Truncated(f"{left} bytes missing", b"")
            if not data:
                return
            left = None if left is None else left - len(data)
            yield time.monotonic(), data

    def read_answer(self) -> Answer:
        """The next answer, whole. Raises Truncated (with what came of the body) when it was cut."""
        head = self.read_head()
        body = bytearray()
        try:
            for _, piece in self.pieces(head):
                body += piece
        except Truncated as error:
            raise Truncated(str(error), bytes(body) + error.body) from None
        return Answer(
            status=head.status, reason=head.reason, fields=head.fields, body=bytes(body), raw_head=head.raw_head
        )

    def ended(self) -> bool:
        """Whether the server closes the connection (a reset counts) before it sends anything more; waits for either."""
        try:
            data = self.read_some(1)
        except ConnectionError:
            return True
        self._pending = data + self._pending
        return not data

    def abort(self) -> None:
        """Close by a reset, as a killed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close, also before the answer is whole."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
