"""What hostile workers and clients cost the server at the worst: `python tests/wws/peak.py`, or with the kinds to try.

One request each, in a process of its own: an answer as large as `max_output` allows where nothing is said about it, or
a body as large as `max_body` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
MIB = 1 << 20

# What stands before, again and again, and behind. One wide character makes a Python string take four bytes for each.
KINDS = {
    "text": ('{"headers":{},"status":200,"kv":{},"data":"', "x", '"}'),
    "wide text": ('{"headers":{},"status":200,"kv":{},"data":"\U0001f600', "x", '"}'),
    "letters": ('{"headers":{},"status":200,"kv":{},"data":"\U0001f600', "\xe9", '"}'),
    "quotes": ('{"headers":{},"status":200,"kv":{},"data":"\U0001f600', '\\"', '"}'),
    "escapes": ('{"headers":{},"status":200,"kv":{},"data":"\U0001f600', "\\u00e9", '"}'),
    "base64": ('{"headers":{},"status":200,"kv":{},"base64":true,"data":"', "AAAA", '"}'),
    "header": ('{"data":"","status":200,"kv":{},"headers":{"x":"\U0001f600', "x", '"}}'),
    "kv": ('{"data":"","status":200,"headers":{},"kv":{"x":"\U0001f600', "x", '"}}'),
    "name": ('{"data":"","status":200,"headers":{},"kv":{},"\U0001f600', "x", '":1}'),
    "unknown": ('{"data":"","status":200,"headers":{},"kv":{},"x":"\U0001f600', "x", '"}'),
    "no end": ('{"data":"\U0001f600', "x", ""),
}

# The same for bodies, which are no JSON yet.
BODIES = {
    "body of text": ("", "x", ""),
    "body of wide text": ("\U0001f600", "x", ""),
    "body of quotes": ("\U0001f600", '"', ""),
    "body of controls": ("\U0001f600", "\x01", ""),  # six bytes of JSON for each
    "body of bytes": ("", "x", "\udcff"),
}


def data(kind: str, size: int) -> bytes:
    """At most `size` bytes of JSON or body."""
    before, again, behind = (part.encode("utf-8", "surrogateescape") for part in {**KINDS, **BODIES}[kind])
    return before + again * ((size - len(before) - len(behind)) // len(again)) + behind


def peak(kind: str) -> int:
    """Bytes that a process grows by at most while it serves this one."""
    command = [sys.executable, __file__, "--here", kind]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    return int(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _measure(kind: str, folder: Path) -> int:
    from werkzeug.test import Client

    from guests.build import guest
    from hostcalls.resident import peak_of
    from wsgi_wasm import create_app

    site = folder / "site.yaml"
    route = f"{{module: {guest('worker')}, interface: wws, dirs: {{/answers: {folder}}}, queue_timeout: 60s}}"
    site.write_text(f"routes: {{/w: {route}}}", encoding="utf-8")
    app = create_app(site)
    limits = app.config.routes[0].limits
    body = data(kind, limits.max_body) if kind in BODIES else b""
    (folder / "small").write_bytes(data("text", 100))
    (folder / "large").write_bytes(b"" if body else data(kind, limits.max_output))

    def serve(name: str, body: bytes = b"") -> None:
        answer = Client(app).post(f"/w?answer={name}", data=body, buffered=False)
        answer.close()
        if answer.status_code not in (200, 502):
            raise SystemExit(answer.text)

    serve("small")
    _, grown = peak_of(partial(serve, "small" if body else "large", body))
    return int(grown * MIB)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        with tempfile.TemporaryDirectory() as place:
            print(_measure(sys.argv[2], Path(place)))
    else:
        for kind in sys.argv[1:] or [*KINDS, *BODIES]:
            print(f"{kind:17} {peak(kind) / MIB:8.0f} MiB", flush=True)
