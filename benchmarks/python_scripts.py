"""What an unmodified Python CGI script costs: pre-booted, behind the gateway in one process, against the machine's own
Python, started anew for it (fork, exec, wait, without a server).

`python benchmarks/python_scripts.py [--rounds N] [--requests N] [--python PATH]`; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
os.environ.setdefault("WSGI_WASM_CACHE", str(PROJECT / "build" / "cache"))

from wsgi_wasm import create_app  # noqa: E402
from wsgi_wasm.interpreters.build import build  # noqa: E402
from wsgi_wasm.interpreters.python import INTERPRETER  # noqa: E402

EXAMPLES = PROJECT / "examples" / "python-cgi" / "cgi-bin"


@dataclass(frozen=True, slots=True)
class Script:
    """What is asked of which script. `sent` is a form in a POST, nothing in a GET."""

    text: str
    query: str = ""
    sent: bytes = b""


SCRIPTS: Mapping[str, Script] = {
    "print alone": Script('print("Content-Type: text/plain\\n\\nhello")\n'),
    "a page from a query": Script(
        "import html, os\n"
        "from urllib.parse import parse_qs\n"
        'name = parse_qs(os.environ["QUERY_STRING"])["name"][0]\n'
        'print(f"Content-Type: text/html\\n\\n<h1>Hello, {html.escape(name)}!</h1>")\n',
        query="name=world",
    ),
    "JSON from a database": Script(
        "import datetime, json, sqlite3\n"
        'print("Content-Type: application/json\\n")\n'
        'db = sqlite3.connect(":memory:")\n'
        'db.execute("create table visits (at text)")\n'
        'db.execute("insert into visits values (?)", [datetime.date(2026, 1, 2).isoformat()])\n'
        'print(json.dumps(db.execute("select * from visits").fetchall()))\n'
    ),
    "the example greet.py": Script((EXAMPLES / "greet.py").read_text("utf-8"), sent=b"name=Ada"),
    "the example wc.py": Script((EXAMPLES / "wc.py").read_text("utf-8"), sent=b"one two three"),
}


def environ(script: Script) -> dict[str, str]:
    """The request's variables, as CGI and WSGI both have them."""
    found = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "POST" if script.sent else "GET",
        "QUERY_STRING": script.query,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/script.py",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
    }
    if script.sent:
        found |= {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(script.sent))}
    return found


def preboot(folder: Path, script: Script) -> Callable[[], bytes]:
    """One request to a gateway of its own; gives the body."""
    site = folder / "site.yaml"
    site.write_text("routes: {/: {directory: scripts, interpreters: {.py: python}}}\n", encoding="utf-8")
    app = create_app(site)

    def start(status: str, fields: object, error: object = None) -> Callable[[bytes], object]:
        if not status.startswith("200"):
            raise SystemExit(f"the gateway answered {status}")
        return written.append

    written: list[bytes] = []

    def ask() -> bytes:
        written.clear()
        request = {**environ(script), "wsgi.input": io.BytesIO(script.sent), "wsgi.errors": sys.stderr}
        request |= {"wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.multithread": True}
        return b"".join([*written, *app(request, start)])

    return ask


def native(folder: Path, script: Script, python: str) -> Callable[[], bytes]:
    """One process of the interpreter; gives the body."""
    path = str(folder / "scripts" / "script.py")
    variables = {**environ(script), "PATH": "/usr/bin:/bin", "SCRIPT_NAME": "/script.py", "PATH_INFO": ""}

    def ask() -> bytes:
        inward, outward = os.pipe(), os.pipe()
        os.write(inward[1], script.sent)
        os.close(inward[1])
        actions = [
            (os.POSIX_SPAWN_DUP2, inward[0], 0),
            (os.POSIX_SPAWN_DUP2, outward[1], 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),  # the native `cgi` warns that it will go
        ]
        child = os.posix_spawn(python, [python, path], variables, file_actions=actions)
        os.close(inward[0])
        os.close(outward[1])
        with open(outward[0], "rb") as output:
            answer = output.read()
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit(f"{python} ended with {os.waitstatus_to_exitcode(status)}")
        return answer.replace(b"\r\n\r\n", b"\n\n", 1).partition(b"\n\n")[2]

    return ask


def cpu() -> float:
    """Seconds of this process, and of its children that have ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def cost(ask: Callable[[], bytes], requests: int) -> float:
    """CPU milliseconds of one request."""
    before = cpu()
    for _ in range(requests):
        ask()
    return (cpu() - before) / requests * 1e3


def measure(script: Script, options: argparse.Namespace) -> tuple[float, float]:
    """The least of the interleaved rounds, in milliseconds: of the native interpreter and of ours."""
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-benchmark-") as name:
        folder = Path(name)
        (folder / "scripts").mkdir()
        (folder / "scripts" / "script.py").write_text(script.text, encoding="utf-8")
        theirs, ours = native(folder, script, options.python), preboot(folder, script)
        if theirs() != ours():
            raise SystemExit("the two do not answer the same")
        rounds = [(cost(theirs, options.requests), cost(ours, options.requests)) for _ in range(options.rounds)]
    return min(one for one, _ in rounds), min(other for _, other in rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=40, help="in each round, of each kind (default 40)")
    parser.add_argument("--python", default="/usr/bin/python3", help="the native one (default /usr/bin/python3)")
    options = parser.parse_args()
    build(INTERPRETER, Path(os.environ["WSGI_WASM_CACHE"]))
    print("CPU milliseconds a request, the least of interleaved rounds")
    print(f"{'script':<24}{'native':>10}{'pre-booted':>12}{'ratio':>8}")
    for name, script in SCRIPTS.items():
        theirs, ours = measure(script, options)
        print(f"{name:<24}{theirs:>10.2f}{ours:>12.2f}{ours / theirs:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
