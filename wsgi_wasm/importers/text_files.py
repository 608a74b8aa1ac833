"""Reads configurations that somebody else wrote."""

from __future__ import annotations

from pathlib import Path

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.files.regular import NotRegular, opened
from wsgi_wasm.messages import reason

MOST_BYTES = 4 << 20  # of one file


def read_text(file: Path) -> str:
    """A configuration's content. Bytes that are not UTF-8 become lone surrogates. Raises
    ConfigError for what cannot be one."""
    try:
        with opened(file) as one:
            data = one.read(MOST_BYTES + 1)
    except NotRegular:
        raise ConfigError([Problem(str(file), 0, 0, "is not a regular file")]) from None
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(str(file), 0, 0, f"cannot be read: {reason(error)}")]) from None
    if len(data) > MOST_BYTES:
        raise ConfigError([Problem(str(file), 0, 0, f"is larger than {MOST_BYTES >> 20} MiB")])
    if b"\0" in data:
        raise ConfigError([Problem(str(file), data[: data.index(b"\0")].count(b"\n") + 1, 1, "is binary")])
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
