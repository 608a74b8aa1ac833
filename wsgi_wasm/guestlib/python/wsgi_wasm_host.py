"""Asks the host, by the channel (docs/channel.md), for what WASI does not have."""

import errno
import os
import struct

from componentize_py_types import Err
from wit_world.imports import channel

OFFERED = 1
SYSLOG = 0x500
PBKDF2, SCRYPT = 0x700, 0x701


def ask(operation: int, request: bytes = b"") -> bytes:
    """The host's answer. Raises OSError: the numbers are those of `errno` here, wasi-libc's."""
    try:
        return channel.call(operation, request)
    except Err as error:
        raise OSError(error.value, os.strerror(error.value)) from None


def offered() -> set[str]:
    """What the route grants."""
    return set(ask(OFFERED).decode().split("\0")[:-1])


def words(form: str, *numbers: int) -> bytes:
    """Numbers in a request."""
    return struct.pack(f"<{form}", *numbers)


def refused(name: str, number: int = errno.EPERM) -> OSError:
    """The error of a function that cannot do anything here. Its hint goes to the log."""
    error = OSError(number, f"{name}: {os.strerror(number)}")
    error.wsgi_wasm_name = name
    return error


def refusing(name: str, number: int = errno.EPERM):
    """A function that only fails."""

    def function(*_arguments, **_named):
        raise refused(name, number)

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    return function
