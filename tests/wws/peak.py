"""What a hostile worker's answer costs the server at the worst: `python tests/wws/peak.py`, or with the kinds to try.

One request each, of as much JSON as `max_output` allows where nothing is said about it, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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


def answer(kind: str, size: int) -> bytes:
    """At most `size` bytes of JSON."""
    before, again, behind = (part.encode() for part in KINDS[kind])
    return before + again * ((size - len(before) - len(behind)) // len(again)) + behind


def peaks(kinds: list[str]) -> dict[str, int]:
    """Bytes that the process grows by at most while it serves each, in a process of their own."""
    command = [sys.executable, __file__, "--here", *kinds]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return dict(zip(kinds, map(int, done.stdout.split()), strict=True))


def _measure(kinds: list[str], folder: Path) -> None:
    from werkzeug.test import Client

    from guests.build import guest
    from wsgi_wasm import create_app

    site = folder / "site.yaml"
    route = f"{{module: {guest('worker')}, interface: wws, dirs: {{/answers: {folder}}}, queue_timeout: 60s}}"
    site.write_text(f"routes: {{/w: {route}}}", encoding="utf-8")
    app = create_app(site)
    size = app.config.routes[0].limits.max_output
    (folder / "small").write_bytes(answer("text", 100))

    def serve(name: str) -> None:
        answer = Client(app).get(f"/w?answer={name}", buffered=False)
        answer.close()
        if answer.status_code not in (200, 502):
            raise SystemExit(answer.text)

    serve("small")
    for kind in kinds:
        with (folder / "large").open("wb") as file:
            file.write(answer(kind, size))
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the highest mark becomes what there is now
        before = _high_water()
        serve("large")
        print(_high_water() - before, flush=True)


def _high_water() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        with tempfile.TemporaryDirectory() as place:
            _measure(sys.argv[2:], Path(place))
    else:
        for kind, peak in peaks(sys.argv[1:] or list(KINDS)).items():
            print(f"{kind:10} {peak / MIB:8.0f} MiB")
