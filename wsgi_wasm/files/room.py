"""Whether there is room: a file can be made in a directory, and written to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from wsgi_wasm.files.replace import MAKING
from wsgi_wasm.messages import reason

PROBE = 1 << 18  # bytes


def unwritable(directory: Path) -> str:
    """Why a file of 256 KiB cannot be written in a directory, "" where it can.

    It is written and removed, as nothing else tells of quotas, limits of the process and disks that
    fail.
    """
    try:
        with tempfile.TemporaryFile(dir=directory, prefix=MAKING, buffering=0) as file:
            left = PROBE
            while left:
                left -= os.write(file.fileno(), bytes(left))
    except OSError as error:
        return reason(error)
    return ""
