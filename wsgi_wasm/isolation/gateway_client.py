"""What a run in a child has in place of a client and a body: the connection to the gateway, and
what has come over it."""

from __future__ import annotations

import io
import os
import select
from collections.abc import Sequence

from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.isolation import messages as m
from wsgi_wasm.isolation.frames import Channel, Closed, FrameKind


class GatewayClient:
    """As `engine.guest.Client`: the run's output goes to the gateway, which has the client."""

    def __init__(self, channel: Channel, message: m.RunMessage) -> None:
        self.label = message.label
        self.errors_left = message.errors_left
        self._channel = channel
        self._cancelled = False
        self.running = True

    def output(self, data: bytes) -> None:
        """As `Client.output`."""
        self._channel.send(FrameKind.OUTPUT, data)

    def error_output(self, data: bytes) -> None:
        """As `Client.error_output`."""
        self.errors_left -= len(data)
        self._channel.send(FrameKind.ERRORS, data)

    def gone(self) -> bool:
        """As `Client.gone`. While a guest runs, nothing comes unasked but CANCEL and the end."""
        return self._cancelled or not self._channel.is_quiet()

    def ask(self, question: bytes) -> bytes:
        """As `Asking.ask`."""
        self._channel.send(FrameKind.CALL, question)
        frame = self._channel.receive()
        if frame.kind != FrameKind.REPLY:
            self._cancelled = True
            raise Stop(End.STOPPED, "the client has disconnected")
        return frame.payload

    def dropped(self, number: int) -> None:
        """As `Asking.dropped`."""
        if self.running:
            self._channel.send(FrameKind.DROP, number.to_bytes(4, "little"))


class FileBody:
    """A body in a file, for a component. The engine opens such files by their path, and the walls
    do not let it, so that it is given the bytes as they are read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int, /) -> bytes:
        """As `BodySource.read`."""
        return os.read(self._descriptor, size)

    def stop(self) -> None:
        """As `BodySource.stop`: a file is read at once."""


class PipeBody:
    """A body that the gateway fills a pipe with while it comes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)

    def read(self, size: int, /) -> bytes:
        """As `BodySource.read`."""
        ready = select.poll()
        for descriptor in (self._descriptor, self._stop):
            ready.register(descriptor, select.POLLIN)
        if any(descriptor == self._stop for descriptor, _ in ready.poll()):
            return b""
        return os.read(self._descriptor, size)

    def stop(self) -> None:
        """As `BodySource.stop`."""
        os.eventfd_write(self._stop, 1)

    def close(self) -> None:
        """After the run."""
        os.close(self._stop)


def body_of(
    message: m.RunMessage, descriptors: Sequence[int], is_component: bool
) -> io.BytesIO | io.FileIO | FileBody | PipeBody | None:
    if message.body == m.NO_BODY:
        return None
    if message.body == m.INLINE:
        return io.BytesIO(message.inline)
    if not descriptors:
        raise Closed("a body without its descriptor")
    if message.body == m.PIPE:
        return PipeBody(descriptors[0])
    return FileBody(descriptors[0]) if is_component else io.FileIO(descriptors[0], "rb", closefd=False)
