"""Frames on a socket between the gateway and a child: one byte of kind, four of length, payload.

The child's side of it is a guest's, should that break out of the engine. So the gateway takes no
descriptor from a child, bounds each frame, and believes no more than a frame's own form says.
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_FRAME = 160 << 20  # bytes: a host function takes and gives at most 128 MiB
_HEADER = struct.Struct("<BI")
_PIECE = 1 << 18
_MAX_DESCRIPTORS = 4
_ANCILLARY = socket.CMSG_SPACE(_MAX_DESCRIPTORS * 4)
_SMALL = 1 << 14  # bytes that are copied into one piece rather than sent from several
_MAX_VECTORS = 64  # of one sendmsg; the kernel takes 1024


class FrameKind:
    """What a frame is. The first six go to the child.

    Plain numbers, as each request compares a dozen of them, and a member of an enum takes the
    interpreter ten times as long to find.
    """

    RUN = 1  # a request; a descriptor with it where the body is a file or a pipe
    GUEST = 2  # what the child has asked for with UNKNOWN; its code is the descriptor with it
    REPLY = 3  # to CALL
    CANCEL = 4  # nobody waits for the answer any more
    LISTEN = 5  # asks for a socket on which the gateway can take connections of guests
    LEASED = 6  # answers it, with the socket
    UNKNOWN = 7  # the guest of RUN has not come yet
    OUTPUT = 8
    ERRORS = 9  # standard error
    CALL = 10  # a function of the host
    DROP = 11  # the guest has dropped a handle
    END = 12  # the outcome
    REFUSED = 13  # the guest cannot be run at all, and why


class Closed(Exception):
    """The other side has ended."""


class Misbehaved(Closed):
    """What the other side sends makes no sense, or is more than it may send."""


class Frame(NamedTuple):
    kind: int
    payload: bytes
    descriptors: Sequence[int] = ()


class Channel:
    """One side. Used by one thread at a time, but for `send`, where callers see to that."""

    def __init__(self, connection: socket.socket, *, takes_descriptors: bool = False) -> None:
        self.socket = connection
        self._takes = takes_descriptors
        self._buffer = bytearray(_PIECE)
        self._begin = self._end = 0  # of what has been received and not been given out
        self._descriptors: list[int] = []
        self._ready = select.poll()
        self._ready.register(connection, select.POLLIN | select.POLLRDHUP)

    def fileno(self) -> int:
        """Of the socket."""
        return self.socket.fileno()

    def close(self) -> None:
        """Give up the connection, and descriptors that nobody has taken."""
        self.socket.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def send(self, kind: int, *parts: bytes | memoryview, descriptors: Iterable[int] = ()) -> None:
        """One frame, whole. Raises Closed."""
        size = sum(map(len, parts))
        vectors: list[bytes | memoryview] = [_HEADER.pack(kind, size), *parts]
        rights = array.array("i", descriptors) if descriptors else None
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        try:
            if size <= _SMALL and not rights:
                # Most frames: less work for the interpreter and the kernel than a vector.
                whole = b"".join(vectors)
                sent = self.socket.send(whole)
                vectors = [memoryview(whole)[sent:]] if sent < len(whole) else []
            while vectors:
                sent = self.socket.sendmsg(vectors[:_MAX_VECTORS], ancillary)
                ancillary = []
                while vectors and sent >= len(vectors[0]):
                    sent -= len(vectors.pop(0))
                if sent:
                    vectors[0] = memoryview(vectors[0])[sent:]
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self) -> Frame:
        """The next frame. Raises Closed, Misbehaved; TimeoutError where the socket has a time for
        that, and then nothing is lost."""
        while self._end - self._begin < _HEADER.size:
            self._more(_HEADER.size)
        kind, size = _HEADER.unpack_from(self._buffer, self._begin)
        if size > MAX_FRAME:
            raise Misbehaved(f"a frame of {size} bytes")
        whole = _HEADER.size + size
        while self._end - self._begin < whole:
            self._more(whole)
        begin = self._begin + _HEADER.size
        payload = bytes(memoryview(self._buffer)[begin : begin + size])
        self._begin += whole
        if self._begin == self._end:
            self._begin = self._end = 0
            if len(self._buffer) > _PIECE:
                self._buffer = bytearray(_PIECE)
        descriptors, self._descriptors = self._descriptors, []
        return Frame(kind, payload, descriptors)

    def is_quiet(self) -> bool:
        """Whether nothing has come, neither bytes nor the end."""
        return self._end == self._begin and not self._ready.poll(0)

    def _more(self, wanted: int) -> None:
        """Receive something, with room for a frame of `wanted` bytes."""
        if self._begin and self._begin + wanted > len(self._buffer):
            self._buffer[: self._end - self._begin] = self._buffer[self._begin : self._end]
            self._begin, self._end = 0, self._end - self._begin
        if wanted > len(self._buffer):
            # Grown by what has come, so that a length alone takes no memory.
            self._buffer.extend(bytes(min(wanted, 2 * len(self._buffer)) - len(self._buffer)))
        with memoryview(self._buffer) as view:
            try:
                size = self._receive_into(view[self._end :])
            except BlockingIOError:
                raise TimeoutError from None
            except OSError as error:
                raise Closed(str(error)) from None
        if not size:
            raise Closed("the connection has ended")
        self._end += size

    def _receive_into(self, view: memoryview) -> int:
        if not self._takes:
            return self.socket.recv_into(view)
        size, ancillary, _, _ = self.socket.recvmsg_into([view], _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._descriptors.extend(array.array("i", data[: len(data) - len(data) % 4]))
        return size


def closing(descriptors: Iterable[int]) -> None:
    """Close what a frame brought and nobody wants."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
