"""Write a site's YAML from the configuration of another system.

Comments beside each route list what cannot be carried over. Read them before you serve the site.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wsgi_wasm.cli.source import UserError
from wsgi_wasm.cli.terminal import say
from wsgi_wasm.importers import FORMATS, importer
from wsgi_wasm.messages import escaped

EXAMPLES = """\
  wsgi-wasm import spin shop/spin.toml               to standard output
  wsgi-wasm import spin shop/spin.toml -o site.yaml  paths in it are relative to its directory
  wsgi-wasm import wws project -o site.yaml          a project folder
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `import`."""
    known = ", ".join(f"{name} (FILE is {file})" for name, file in FORMATS.items())
    parser.add_argument("format", metavar="FORMAT", choices=tuple(FORMATS), help=known)
    parser.add_argument("file", metavar="FILE", type=Path, help="the configuration to convert")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="write a new file instead of standard output")


def run(options: argparse.Namespace) -> int:
    """0 when it is written."""
    output: Path | None = options.output
    text = importer(options.format).convert(options.file, Path.cwd() if output is None else output.absolute().parent)
    if output is None:
        print(text, end="")
        return 0
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{escaped(output)}: {error.strerror}") from None
    say(f"{output} was written. Read it, then run: wsgi-wasm check {output}")
    return 0
