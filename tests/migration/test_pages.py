"""The pages of `scan` and `compare` as a real browser shows them (Debian's Chromium, headless)."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from migration.answering import answer, answering
from wsgi_wasm.cli import main

pytestmark = pytest.mark.corpus

HOSTILE = "<script>document.title = 'ran'</script><img src='/loaded' onerror='document.title = 1'>&\"'\u202e"

# Loads the report in a frame, looks at it as only a script can, and leaves what it saw in its own text.
MEASURE = """<!doctype html><meta charset="utf-8"><iframe src="/report" width="%d" height="800"></iframe>
<pre id="seen"></pre>
<script>
document.querySelector("iframe").addEventListener("load", event => {
  const page = event.target.contentDocument, root = page.documentElement;
  const style = name => page.defaultView.getComputedStyle(page.querySelector(name));
  document.querySelector("#seen").textContent = JSON.stringify({
    wide: root.scrollWidth - root.clientWidth,
    title: page.title,
    heading: page.querySelector("h1").getBoundingClientRect().height,
    font: style("body").fontFamily,
    rows: page.querySelectorAll("tbody tr").length,
    bars: [...page.querySelectorAll("svg rect")].filter(bar => bar.getBoundingClientRect().width > 0).length,
    strange: page.querySelectorAll("script, img, iframe, object, link").length,
    text: page.body.innerText,
  });
});
</script>"""


@dataclass
class Viewer:
    """Serves one page, and shows it in a browser."""

    report: bytes = b""
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def look(self, tmp: Path, page: Path, width: int) -> dict[str, Any]:
        """What the page is like in a window of this width. Nothing but the page may be asked for."""
        self.report, self.asked = page.read_bytes(), []
        browser = shutil.which("chromium")
        assert browser is not None, "apt install chromium"
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp}/profile"),
                *("--virtual-time-budget=5000", "--dump-dom", f"http://127.0.0.1:{self.port}/measure?{width}"),
            ],
            capture_output=True,
            check=True,
            timeout=120,
        )
        found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout.decode(), re.DOTALL)
        assert found is not None, done.stderr.decode()[-2000:]
        seen: dict[str, Any] = json.loads(html.unescape(found[1]))
        assert set(self.asked) - {"/favicon.ico"} == {f"/measure?{width}", "/report"}
        return seen


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    made = Viewer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            width = int(self.path.partition("?")[2] or 0)
            body = made.report if self.path == "/report" else (MEASURE % width).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_of_a_comparison(width: int, viewer: Viewer, tmp_path: Path) -> None:
    native = {"/a": answer(f"one\n{HOSTILE}\n" + "x" * 5000, "200 OK", f"X-Evil: {HOSTILE.encode().decode('latin-1')}")}
    native["/b"] = answer("same")
    (tmp_path / "r.txt").write_text("/a\n/b\n", encoding="utf-8")
    page = tmp_path / "report.html"
    with answering(native) as theirs, answering({"/a": answer("other", "502 Bad"), "/b": answer("same")}) as ours:
        assert main(["compare", theirs.url, ours.url, str(tmp_path / "r.txt"), "--html", str(page)]) == 1
    seen = viewer.look(tmp_path, page, width)
    assert seen["wide"] == 0
    assert seen["title"] == "1 of 2 requests differ"
    assert "system-ui" in seen["font"]
    assert (seen["strange"], seen["bars"]) == (0, 6)
    for words in ("The bodies differ from byte 1 on.", "<script>document.title", "median", "status"):
        assert words in seen["text"]


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_of_a_scan(width: int, viewer: Viewer, tmp_path: Path) -> None:
    place = tmp_path / "cgi-bin"
    place.mkdir()
    for name in ("a.py", HOSTILE.replace("/", "|") + ".py", "w" * 200 + ".py"):
        (place / name).write_text("#!/usr/bin/python3\nimport socket\n", encoding="utf-8")
        (place / name).chmod(0o755)
    assert main(["scan", str(place), "--html", str(tmp_path / "report.html")]) == 0
    seen = viewer.look(tmp_path, tmp_path / "report.html", width)
    assert seen["wide"] == 0
    assert (seen["title"], seen["rows"], seen["strange"]) == ("3 programs: what can move", 3, 0)
    assert "<script>document.title" in seen["text"]
    assert "opens network connections: socket (line 2)" in seen["text"]
