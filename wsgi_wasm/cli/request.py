"""The request of `wsgi-wasm run`, as a server would hand it over."""

from __future__ import annotations

import argparse
import io
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from werkzeug.test import EnvironBuilder

from wsgi_wasm.cli.source import UserError
from wsgi_wasm.config import Config, Hardening, Log, Route, with_routes
from wsgi_wasm.engine.code.budget import COMMAND
from wsgi_wasm.gateway.wsgi_server import Environ


def read_data(data: str | None) -> bytes | None:
    """The request body that `--data` means. Raises UserError."""
    if data is None or not data.startswith("@"):
        return None if data is None else os.fsencode(data)
    if data == "@":
        raise UserError("--data @ needs the name of a file, or - for standard input")
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise UserError(f"{data[1:]}: {error.strerror}") from None


def as_typed(text: str) -> str:
    """The bytes of an argument as they were typed, whatever the locale, each as one character: what
    PEP 3333 calls a native string."""
    return os.fsencode(text).decode("latin-1")


def make_environ(options: argparse.Namespace, body: bytes | None) -> Environ:
    """The WSGI environ of the request. Raises UserError where no such request can be made."""
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
        raise UserError(f"this request cannot be made: {error}") from None
    raw = as_typed(options.path)
    path, mark, query = raw.partition("?")
    environ.update(
        SCRIPT_NAME="",
        PATH_INFO=unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        QUERY_STRING=query if mark else "",
        REQUEST_URI=raw,
        RAW_URI=raw,
        REMOTE_ADDR="127.0.0.1",
    )
    if body is not None:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def patient(config: Config) -> Config:
    """The same site, of which each request waits until its module is compiled. This process is
    nobody's server, and is not confined as one."""

    def waits(route: Route) -> Route:
        return replace(route, limits=replace(route.limits, queue_timeout=COMMAND.wall))

    return replace(with_routes(config, waits), harden=Hardening(), log=Log())
