"""Reads files that somebody else wrote: regular ones alone, without waiting for anybody."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.messages import reason

MOST_BYTES = 4 << 20  # of one file


class NoRegularFile(OSError):
    """A pipe, a device, a directory."""


def read_start(file: Path, most: int) -> bytes:
    """The first bytes of a regular file. Raises NoRegularFile, OSError, ValueError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NoRegularFile(0, "is not a regular file")
        return opened.read(most)


def read_text(file: Path) -> str:
    """A configuration's content. Bytes that are not UTF-8 become lone surrogates. Raises
    ConfigError for what cannot be one."""
    try:
        data = read_start(file, MOST_BYTES + 1)
    except NoRegularFile as error:
        raise ConfigError([Problem(str(file), 0, 0, reason(error))]) from None
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(str(file), 0, 0, f"cannot be read: {reason(error)}")]) from None
    if len(data) > MOST_BYTES:
        raise ConfigError([Problem(str(file), 0, 0, f"is larger than {MOST_BYTES >> 20} MiB")])
    if b"\0" in data:
        raise ConfigError([Problem(str(file), data[: data.index(b"\0")].count(b"\n") + 1, 1, "is binary")])
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
