"""A site that wraps an application which tries what a hostile process would: `/try/NAME` answers with what came of it.

For any server: where it has no hooks of ours, the last line confines the process. The variables ATTEMPTS (the directory
of `attempts.py`) and WORLD come from the test.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

sys.path.insert(0, os.environ["ATTEMPTS"])
attempts: Any = importlib.import_module("attempts")

from wsgi_wasm import app, create_app  # noqa: E402

attempts.walled = True
WORLD = attempts.World(**json.loads(os.environ["WORLD"]))


def attacker(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    name = environ["PATH_INFO"].rpartition("/")[2]
    result = attempts.tried(attempts.ATTEMPTS[name], WORLD) if name in attempts.ATTEMPTS else "no attempt"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [result.encode()]


if os.environ.get("NO_SPAWNER"):
    vars(app)["start_spawner"] = lambda configs: False
if os.environ.get("EARLY_THREAD"):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
application: Any = create_app(os.environ["WSGI_WASM_CONFIG"], attacker)
if os.environ.get("WRAPPED"):
    gateway = application

    def application(environ: Any, start_response: Any) -> Any:
        return gateway(environ, start_response)
