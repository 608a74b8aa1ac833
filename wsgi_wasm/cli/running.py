"""What `wsgi-wasm run` does: one WSGI call, as a server would make it."""

from __future__ import annotations

import argparse
import io
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

from wsgi_wasm.app import Gateway
from wsgi_wasm.cli.source import UserError
from wsgi_wasm.cli.terminal import say
from wsgi_wasm.config import Config, Route
from wsgi_wasm.engine.code.compiler import WALL_TIME
from wsgi_wasm.errors import Cut
from wsgi_wasm.gateway.wsgi_server import Environ


def run_once(config: Config, options: argparse.Namespace) -> int:
    """The exit status. Raises UserError, EngineError."""
    body = read_data(options.data)
    _log_to_stderr()
    gateway = Gateway(patient(config))
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
        say(f"the answer breaks off here: {cut}")
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
        self._out.write(self._head + data)
        self._head = b""
        self._out.flush()

    def end(self) -> None:
        """The head, where there was no body."""
        self.write(b"")


def read_data(data: str | None) -> bytes | None:
    """The request body that `--data` means. Raises UserError."""
    if data is None or not data.startswith("@"):
        return None if data is None else data.encode("utf-8", "surrogateescape")
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise UserError(f"{data[1:]}: {error.strerror}") from None


def make_environ(options: argparse.Namespace, body: bytes | None) -> Environ:
    """The WSGI environ of the request. Raises UserError where werkzeug is not there."""
    try:
        from werkzeug.test import EnvironBuilder
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: pip install werkzeug") from None
    fields = list(options.header)
    if body is not None and not any(name.lower() == "content-type" for name, _ in fields):
        fields.append(("Content-Type", "application/x-www-form-urlencoded"))
    stream: BinaryIO | None = None if body is None else io.BytesIO(body)
    try:
        builder = EnvironBuilder(
            method="HEAD" if options.head else options.method or ("GET" if body is None else "POST"),
            base_url=f"http://{options.host}/",
            headers=fields,
            input_stream=stream,
        )
        environ: Environ = builder.get_environ()
    except ValueError as error:
        raise UserError(f"no such request can be made: {error}") from None
    path, mark, query = options.path.partition("?")
    raw = options.path.encode("utf-8", "surrogateescape").decode("latin-1")
    environ.update(
        SCRIPT_NAME="",
        PATH_INFO=unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("latin-1"),
        QUERY_STRING=query.encode("utf-8", "surrogateescape").decode("latin-1") if mark else "",
        REQUEST_URI=raw,
        RAW_URI=raw,
        REMOTE_ADDR="127.0.0.1",
    )
    if body is not None:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def patient(config: Config) -> Config:
    """The same site, of which each request waits until its module is compiled."""

    def waits(route: Route) -> Route:
        return replace(route, limits=replace(route.limits, queue_timeout=WALL_TIME))

    return replace(
        config,
        routes=tuple(map(waits, config.routes)),
        hosts={host: tuple(map(waits, routes)) for host, routes in config.hosts.items()},
    )


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
