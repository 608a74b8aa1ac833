"""Send one request through the gateway, in this process, and print the answer.

The status line, head and body go to standard output. What the guest writes to standard error, and
what the request cost, go to standard error. FILE is a configuration file, a Spin manifest, a
module, or a directory. PATH may have a query.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import time
from typing import Any

from wsgi_wasm.app import Gateway
from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.features import add_features
from wsgi_wasm.cli.profile import profile
from wsgi_wasm.cli.request import as_typed, make_environ, patient, read_data
from wsgi_wasm.cli.source import load_site
from wsgi_wasm.cli.terminal import say, writing
from wsgi_wasm.cli.unmatched import no_route
from wsgi_wasm.config import Config
from wsgi_wasm.config.scalars import TOKEN
from wsgi_wasm.errors import Cut
from wsgi_wasm.gateway.dispatcher import not_found
from wsgi_wasm.gateway.wsgi_server import Environ

EXAMPLES = """\
  wsgi-wasm run site.yaml '/hello/world?name=x'
  wsgi-wasm run hello.wasm                          the module alone, at /
  wsgi-wasm run site.yaml /form --data name=x       POST; @FILE sends a file, @- standard input
  wsgi-wasm run site.yaml / --host shop.example --header 'Cookie: a=b'
  wsgi-wasm run --body --fail site.yaml /feed.xml   the body alone; exit status 1 from status 400 on
  wsgi-wasm run --profile 1000 site.yaml /hello     where the time goes
"""

_TIMES = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `run`."""
    parser.add_argument("file", metavar="FILE", type=file_name, help="site.yaml, spin.toml, a module, or a directory")
    parser.add_argument("path", metavar="PATH", nargs="?", default="/", type=_path, help="path and query (default: /)")
    add_features(parser)
    parser.add_argument("-X", "--method", type=_method, help="default: GET, with --data POST")
    parser.add_argument("-H", "--header", action="append", default=[], type=header, metavar="'NAME: VALUE'")
    parser.add_argument(
        "-d",
        "--data",
        metavar="TEXT|@FILE|@-",
        help="the body (@FILE, @-); sent as a form unless a header sets another type",
    )
    parser.add_argument("--host", default="localhost", help="the Host field, which selects the virtual host")
    parser.add_argument("-I", "--head", action="store_true", help="send a HEAD request")
    parser.add_argument("--body", action="store_true", help="print only the body")
    parser.add_argument(
        "-f", "--fail", action="store_true", help="exit with status 1 if the answer's status is 400 or above"
    )
    parser.add_argument(
        "--profile",
        nargs="?",
        const=_TIMES,
        type=int,
        metavar="N",
        help=f"send the request N times (default: {_TIMES}) and print where the time goes",
    )


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} does not start with a slash")
    return text


def header(text: str) -> tuple[str, str]:
    """`Name: value`, with the value's bytes as WSGI has them. Raises ArgumentTypeError."""
    name, colon, value = as_typed(text).partition(":")
    if not colon or not re.fullmatch(TOKEN, name.strip()) or "\n" in text or "\r" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not 'Name: value'")
    return name.strip(), value.strip(" \t")


def _method(text: str) -> str:
    if not re.fullmatch(TOKEN, text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a request method")
    return text.upper()


def run(options: argparse.Namespace) -> int:
    """0 when an answer came. Raises ConfigError, UserError, EngineError."""
    if options.profile is not None and options.profile < 1:
        options.usage("argument --profile: N must be at least 1")
    config = load_site(options.file, options.features)
    return _run_once(config, options) if options.profile is None else profile(config, options)


def _run_once(config: Config, options: argparse.Namespace) -> int:
    body = read_data(options.data)
    _log_to_stderr()
    gateway = Gateway(patient(config), not_found)
    environ = make_environ(options, body)
    answer = Printer(options.body)
    started = time.perf_counter()
    cut = ""
    try:
        for part in gateway(environ, answer.start_response):
            answer.write(part)
        answer.end()
    except Cut as error:
        cut = str(error)
        answer.end()
    elapsed = time.perf_counter() - started
    if cut:
        say(f"the answer is cut off here: {cut}")
    if "wsgi_wasm.route" not in environ:
        say(*no_route(config, options.host, environ["PATH_INFO"]))
    say(cost(environ, elapsed))
    return 1 if cut or (options.fail and answer.status >= 400) else 0


class Printer:
    """The server's side of WSGI: prints each piece when it comes."""

    def __init__(self, body_alone: bool) -> None:
        self.status = 0
        self._body_alone = body_alone
        self._head = b""
        self._out = sys.stdout.buffer

    def start_response(self, status: str, fields: list[tuple[str, str]], error: Any = None) -> Any:
        """PEP 3333."""
        self.status = int(status.split()[0])
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields), "", ""]
        self._head = b"" if self._body_alone else "\n".join(lines).encode("latin-1")
        return self.write

    def write(self, data: bytes) -> None:
        """A piece of the body, after the head."""
        with writing():
            self._out.write(self._head + data)
            self._head = b""
            self._out.flush()

    def end(self) -> None:
        """The head, where there was no body."""
        self.write(b"")


def cost(environ: Environ, elapsed: float) -> str:
    """Route, end and time of a request on one line."""
    words = [f"route {environ.get('wsgi_wasm.route', '-')}", f"outcome {environ.get('wsgi_wasm.outcome', '-')}"]
    words.append(f"wall {elapsed * 1000:.2f} ms")
    if "wsgi_wasm.cpu_us" in environ:
        words.append(f"guest {environ['wsgi_wasm.guest_us'] / 1000:.2f} ms")
        words.append(f"guest cpu {environ['wsgi_wasm.cpu_us'] / 1000:.2f} ms")
    return ", ".join(words)


class _Plain(logging.Formatter):
    """A guest's line as it is; a message of the gateway with its level."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == "wsgi_wasm.guest" and isinstance(record.args, tuple) and len(record.args) == 3:
            return f"stderr: {record.args[2]}"
        return f"{record.levelname.lower()}: {record.getMessage()}"


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain())
    log = logging.getLogger("wsgi_wasm")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
