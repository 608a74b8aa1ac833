"""Write a site's YAML from the configuration of another system.

Comments beside each route list what cannot be carried over, and a report has every line of the
source with what became of it. Lines that need your decision are also printed. Read them before you
serve the site.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.defines import add_defines, defines
from wsgi_wasm.cli.source import UserError
from wsgi_wasm.cli.terminal import say
from wsgi_wasm.importers import FORMATS, REPORTED, importer
from wsgi_wasm.importers.imported import Options
from wsgi_wasm.importers.report import DECIDE, ImportReport
from wsgi_wasm.messages import escaped, printable

DECISIONS = 4
"""The exit status where lines need a person."""

_MOST_SHOWN = 50  # decisions on the terminal; the report has all

EXAMPLES = """\
  wsgi-wasm import spin shop/spin.toml               to standard output
  wsgi-wasm import spin shop/spin.toml -o site.yaml  paths in it are relative to its directory
  wsgi-wasm import wws project -o site.yaml          a project folder
  wsgi-wasm import apache /etc/apache2/apache2.conf -o site.yaml --report report.txt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `import`."""
    known = ", ".join(f"{name} (FILE is {file})" for name, file in FORMATS.items())
    parser.add_argument("format", metavar="FORMAT", choices=tuple(FORMATS), help=known)
    parser.add_argument("file", metavar="FILE", type=file_name, help="the configuration to convert")
    parser.add_argument("-o", "--output", metavar="OUT", type=file_name, help="a new file instead of standard output")
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=file_name,
        help="a file for what became of each line; JSON if it ends in .json",
    )
    add_defines(parser, "apache")


def run(options: argparse.Namespace) -> int:
    """0 when it is written, `DECISIONS` where lines of the source need a decision."""
    output: Path | None = options.output
    for path in (output, options.report):
        if path is not None and os.path.lexists(path):
            raise UserError(f"{escaped(path)}: File exists")
    if options.report is not None and options.format not in REPORTED:
        raise UserError(f"--report: an import from {options.format} says in comments what became of the source")
    base = Path.cwd() if output is None else output.absolute().parent
    made = importer(options.format).convert(options.file, base, Options(defines(options.define)))
    if output is None:
        print(made.text, end="")
    else:
        _write(output, made.text, _rights(options.file, made.report))
    if options.report is not None:
        _write(options.report, made.report.json() if options.report.suffix == ".json" else made.report.text())
    _say_decisions(made.report)
    if output is not None:
        say(f"{output} was written. Read it, then run: wsgi-wasm check {output}")
    return DECISIONS if made.report.decisions else 0


def _rights(source: Path, report: ImportReport) -> int:
    """Who may read the site: nobody who may not read the source, whose secrets are in it."""
    rights = 0o666
    for file in {source, *(place.file for place, _ in report)}:
        with suppress(OSError):
            rights &= os.stat(file).st_mode | 0o600
    return rights


def _write(path: Path, text: str, rights: int = 0o666) -> None:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, rights)

    try:
        with open(path, "x", encoding="utf-8", opener=opener) as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{escaped(path)}: {error.strerror}") from None


def _say_decisions(report: ImportReport) -> None:
    decisions = [(place, fate) for place, fate in report if fate.verdict == DECIDE]
    for place, fate in decisions[:_MOST_SHOWN]:
        print(f"{place}: {printable(fate.text)}", file=sys.stderr)
        print(f"    {printable('; '.join(fate.notes))}", file=sys.stderr)
    if decisions:
        count = "1 line needs" if len(decisions) == 1 else f"{len(decisions)} lines need"
        say(f"{count} your decision; --report FILE has what became of every line")
