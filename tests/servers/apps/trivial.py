"""A WSGI application that imports nothing of ours: the harness is tested with it.

/          what the process says about itself
/stream    a line by write(), then, when the file named by the query is there, another
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., Callable[[bytes], object]]) -> Iterable[bytes]:
    """See above."""
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] != "/stream":
        return [f"pid={os.getpid()} value={os.environ.get('TRIVIAL_VALUE', '')}\n".encode()]
    write(b"first\n")
    deadline = time.monotonic() + 30
    while not os.path.exists(environ["QUERY_STRING"]):
        if time.monotonic() > deadline:
            return [b"nobody opened the gate\n"]
        time.sleep(0.01)
    return [b"second\n"]
