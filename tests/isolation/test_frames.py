"""Frames between the gateway and a child, whole and broken."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from wsgi_wasm.isolation.frames import MAX_FRAME, Channel, Closed, FrameKind


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


@pytest.mark.parametrize("size", [0, 1, 5, 262_139, 262_144, 3_000_000])
def test_a_frame_arrives_whole(pair: Pair, size: int) -> None:
    ours, theirs = pair
    data = os.urandom(size)
    sending = threading.Thread(target=lambda: Channel(theirs).send(FrameKind.OUTPUT, data[:10], data[10:]))
    sending.start()
    channel = Channel(ours)
    assert channel.receive() == (FrameKind.OUTPUT, data, [])
    sending.join()
    assert channel.is_quiet()


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_wherever_it_is_cut(pair: Pair, step: int) -> None:
    ours, theirs = pair
    stream = b"".join(struct.pack("<BI", kind, len(data)) + data for kind, data in ((8, b"one"), (9, b""), (8, b"two")))

    def send() -> None:
        for at in range(0, len(stream), step):
            theirs.send(stream[at : at + step])

    sending = threading.Thread(target=send)
    sending.start()
    channel = Channel(ours)
    assert [channel.receive()[:2] for _ in range(3)] == [(8, b"one"), (9, b""), (8, b"two")]
    sending.join()


def test_a_frame_that_is_too_long(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(struct.pack("<BI", FrameKind.OUTPUT, MAX_FRAME + 1))
    with pytest.raises(Closed, match="a frame of"):
        Channel(ours).receive()


def test_a_length_alone_takes_no_memory(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(struct.pack("<BI", FrameKind.OUTPUT, MAX_FRAME))
    theirs.close()
    channel = Channel(ours)
    with pytest.raises(Closed):
        channel.receive()
    assert len(channel._buffer) < 1 << 20


def test_the_end_is_not_quiet(pair: Pair) -> None:
    ours, theirs = pair
    channel = Channel(ours)
    assert channel.is_quiet()
    theirs.close()
    assert not channel.is_quiet()
    with pytest.raises(Closed):
        channel.receive()


def test_descriptors_go_with_a_frame(pair: Pair) -> None:
    ours, theirs = pair
    read, write = os.pipe()
    Channel(theirs).send(FrameKind.RUN, b"x", descriptors=[read])
    frame = Channel(ours, takes_descriptors=True).receive()
    os.write(write, b"through")
    assert os.read(frame.descriptors[0], 10) == b"through"
    for descriptor in (read, write, *frame.descriptors):
        os.close(descriptor)


def test_the_gateway_takes_none(pair: Pair) -> None:
    """A child that sends descriptors can neither fill the gateway's table nor hand it something of its own."""
    ours, theirs = pair
    read, write = os.pipe()
    before = len(os.listdir("/proc/self/fd"))
    Channel(theirs).send(FrameKind.END, b"x", descriptors=[read])
    assert Channel(ours).receive() == (FrameKind.END, b"x", [])
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(read)
    os.close(write)
