"""Python scripts under Apache, where the server's user is another and owns the cache."""

from __future__ import annotations

import os
from pathlib import Path

from python.cases import interpreter_cache
from servers.client import request
from servers.fixtures import serve
from servers.process import wait_for

SITE = "routes: {/s: {directory: scripts, interpreters: {.py: python}, queue_timeout: 60s}}"
ECHO = """
import sys
print("Content-Type: application/octet-stream\\n", flush=True)
sys.stdout.buffer.write(sys.stdin.buffer.read())
"""

PATIENCE = 100.0  # seconds, more than `queue_timeout`: a busy machine compiles for long


def answered(address: tuple[str, int]) -> bool:
    return request(address, "GET", "/s/echo.py", timeout=PATIENCE).status != 503


def test_a_script_under_mod_wsgi(open_tmp: Path) -> None:
    cache = interpreter_cache(open_tmp)
    (open_tmp / "scripts").mkdir()
    (open_tmp / "scripts" / "echo.py").write_text(ECHO, encoding="utf-8")
    (open_tmp / "site.yaml").write_text(SITE, encoding="utf-8")
    body = os.urandom(2 << 20)
    with serve("mod_wsgi-daemon", open_tmp / "site.yaml", open_tmp, ready="/nothing", cache=cache) as server:
        wait_for("the interpreter to be compiled", lambda: answered(server.address), timeout=5 * PATIENCE)
        assert request(server.address, "POST", "/s/echo.py", body=body).body == body
