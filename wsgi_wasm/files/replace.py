"""Files that are written aside and put in place by a rename, so that whoever opens one finds it
whole.

One that is in place is never changed: another process may have it mapped.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

MAKING = ".making-"
"""How the names of files begin that are being written. What is left of them, as a process was
killed, is pruned."""


def replace(path: Path, data: bytes, mode: int) -> None:
    """Put a file with this content and these permissions in place, whatever the umask says.

    Nothing waits for the disk: after a power failure the file may be the old one, empty or
    damaged, and whoever reads it has to notice. Raises OSError; then the old file is still there,
    if there was one, and nothing else.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=MAKING)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
