"""The option `--define` of commands that read an httpd.conf."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from wsgi_wasm.cli.source import UserError


def add_defines(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option, which holds for `what` alone."""
    parser.add_argument(
        "-D",
        "--define",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help=f"for {what}: what `httpd -D` and its environment define",
    )


def defines(texts: Iterable[str]) -> dict[str, str | None]:
    """The names that it gives, with their values. Raises UserError."""
    return dict(map(_defined, texts))


def _defined(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not name:
        raise UserError("--define takes NAME or NAME=VALUE")
    return name, value if equals else None
