"""Look at a directory of CGI programs, or at those that an httpd.conf names, and say what can move.

Nothing is run and nothing is written but what --html names. What a program needs is told from the
names in it: functions, modules, paths. The exit status is 0, whatever was found.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.columns import fitted
from wsgi_wasm.cli.defines import add_defines, defines
from wsgi_wasm.cli.forms import add_forms, write_page
from wsgi_wasm.cli.progress import Counting
from wsgi_wasm.cli.source import UserError
from wsgi_wasm.cli.terminal import Style, plural, say, tell
from wsgi_wasm.messages import escaped
from wsgi_wasm.migration.places import ProgramPlace, places_of_httpd
from wsgi_wasm.migration.scan import PlaceScan, scan
from wsgi_wasm.migration.scan_report import COLOURS, as_json, as_page, needs_text, summary
from wsgi_wasm.migration.ways import WAYS
from wsgi_wasm.version import __version__

EXAMPLES = """\
  wsgi-wasm scan /usr/lib/cgi-bin
  wsgi-wasm scan /etc/apache2/apache2.conf      the directories of ScriptAlias and ExecCGI
  wsgi-wasm scan cgi-bin --html report.html     a page to show around
  wsgi-wasm scan cgi-bin --json | jq '.places[].programs[] | select(.way == "native") | .path'
"""

_MOST_NOTES = 20
_PIPE_WIDTH = 110  # columns where there is no terminal
_COLOURS = {"good": "green", "warn": "yellow", "bad": "red", "soft": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `scan`."""
    parser.add_argument("place", metavar="DIR|HTTPD.CONF", type=file_name, help="a directory, or an httpd.conf")
    add_defines(parser, "an httpd.conf")
    add_forms(parser)


def run(options: argparse.Namespace) -> int:
    """0 when it was looked at. Raises UserError."""
    places, remarks = _places(options.place, defines(options.define))
    counting = Counting("looking at files")
    with counting:
        scans = [scan(place, counting.at) for place in places]
    if options.html is not None:
        write_page(options.html, as_page(scans, remarks, __version__))
    if options.json:
        tell(*json.dumps(as_json(scans, remarks), indent=2).split("\n"))
    else:
        tell(*_lines(scans, Style(sys.stdout)))
        notes = [*remarks, *(remark for one in scans for remark in one.remarks)]
        say(*(f"note: {note}" for note in notes[:_MOST_NOTES]))
        if len(notes) > _MOST_NOTES:
            say(f"note: there are {len(notes) - _MOST_NOTES} more notes, which --json and --html show")
    if options.html is not None:
        say(f"{escaped(options.html)} was written")
    return 0


def _places(given: Path, names: Mapping[str, str | None]) -> tuple[list[ProgramPlace], list[str]]:
    if given.is_dir():
        return [ProgramPlace(given)], []
    found = places_of_httpd(given, names)
    if not found.places:
        say(*found.remarks)
        raise UserError(f"{escaped(given)}: no ScriptAlias and no directory with ExecCGI that could be read")
    return found.places, found.remarks


def _painted(rows: Sequence[Sequence[str]], style: Style, row: int, column: int, text: str) -> str:
    if not row:
        return style("dim", text)
    return style(_COLOURS[COLOURS[rows[row][2]]], text) if column == 2 and text else text


def _lines(scans: Sequence[PlaceScan], style: Style) -> Iterator[str]:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH
    for one in scans:
        url = f" at {escaped(one.place.url)}" if one.place.url else ""
        yield style("bold", f"{escaped(one.place.directory)}{url}: {plural(len(one.programs), 'program')}")
        rows = [("PROGRAM", "LANGUAGE", "WAY", "HOW", "NEEDS")]
        rows += [
            (p.path, p.kind.language or p.kind.interpreter, p.way.name, p.way.how, "; ".join(needs_text(p)))
            for p in one.programs
        ]
        if one.programs:
            yield from fitted(rows, width, partial(_painted, rows, style))
        if one.others:
            yield style("dim", f"{plural(sum(one.others.values()), 'file')} besides, which are no programs")
        yield ""
    counts = summary(scans)
    total = sum(counts.values())
    yield f"{plural(total, 'program')}: " + "; ".join(f"{n} {WAYS[way]}" for way, n in counts.items() if n or not total)
