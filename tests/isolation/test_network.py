"""A network of a child's own, as on kernels whose Landlock knows no ports."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from wsgi_wasm.isolation.network import own_network


def in_a_fork(what: Callable[[], None]) -> int:
    """The status of a process that does this; 1 where it raises."""
    pid = os.fork()
    if pid == 0:
        try:
            what()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_only_what_is_listened_on_in_it_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:

        def inside() -> None:
            assert own_network()
            with socket.create_server(("127.0.0.1", 0)) as own:
                socket.create_connection(own.getsockname(), 5).close()
            for address in (outside.getsockname(), ("192.0.2.1", 80)):
                try:
                    socket.create_connection(address, 5)
                except OSError:
                    continue
                raise AssertionError(f"{address} was reached")

        assert in_a_fork(inside) == 0


def test_a_socket_of_it_works_where_it_is_handed_to() -> None:
    ours, theirs = socket.socketpair()

    def inside() -> None:
        assert own_network()
        with socket.create_server(("127.0.0.1", 0)) as own:
            socket.send_fds(theirs, [b"x"], [own.fileno()])
            with socket.create_connection(own.getsockname(), 5) as connection:
                assert connection.recv(5) == b"hello"

    pid = os.fork()
    if pid == 0:
        try:
            inside()
            os._exit(0)
        finally:
            os._exit(1)
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    with socket.socket(fileno=descriptors[0]) as listener, ours, theirs:
        connection, _ = listener.accept()
        with connection:
            connection.send(b"hello")
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
