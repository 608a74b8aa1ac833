"""The options `--json` and `--html` of commands that report on a site."""

from __future__ import annotations

import argparse
from pathlib import Path

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.source import UserError
from wsgi_wasm.files.replace import replace
from wsgi_wasm.messages import escaped, reason


def add_forms(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--html", metavar="FILE", type=file_name, help="write a page that stands by itself")


def write_page(path: Path, text: str) -> None:
    """A report, whole or not at all. Raises UserError."""
    try:
        replace(path, text.encode("utf-8"), 0o644)
    except OSError as error:
        raise UserError(f"{escaped(path)}: cannot be written: {reason(error)}") from None
