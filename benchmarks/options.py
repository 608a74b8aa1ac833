"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import BUILD
from benchmarks.contenders import HOMES, NO_LOAD, OTHERS, PROBES, SERVERS, cells, contenders, foreign
from benchmarks.workloads import WORKLOADS

LOADS = (*(workload.name for workload in WORKLOADS), NO_LOAD)
QUICK_SERVERS = ("gunicorn-gthread", "mod_wsgi-embedded", "mod_cgid", "node")
QUICK_LOADS = ("hello", "environment", "lines")

EPILOG = f"""\
servers:    {" ".join(HOMES)}
            {" ".join(OTHERS)}
workloads:  {" ".join(LOADS)}
probes:     {" ".join(PROBES)}   (named with --workloads, too)

A full run takes about 20 minutes. Nothing else should run on the machine meanwhile.
"""


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(known)}")
        return names

    return parse


def _numbers(text: str) -> list[int]:
    return [_positive(item) for item in text.split(",")]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _rival(text: str) -> tuple[str, str]:
    name, found, url = text.partition("=")
    # The load goes to nobody else: a server elsewhere has not agreed to it, and its CPU time cannot be seen from here.
    here = urlsplit(url).hostname in ("127.0.0.1", "localhost")
    if not found or not name or not url.startswith("http://") or not here:
        raise argparse.ArgumentTypeError("must be NAME=http://127.0.0.1:PORT/PATH, a server of this machine")
    return name, url


def parser() -> argparse.ArgumentParser:
    """Defaults that depend on `--quick` are filled in by `parse`."""
    made = argparse.ArgumentParser(
        prog="python3 -m benchmarks",
        description="Measure what a request costs: guests, the same programs natively, and other servers, in one run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--quick", action="store_true", help="two minutes: fewer servers, workloads, clients and rounds")
    add("--servers", type=_names(SERVERS), metavar="A,B", help="only these")
    add("--workloads", type=_names((*LOADS, *PROBES)), metavar="A,B", help="only these, and only these probes")
    add("--clients", type=_numbers, metavar="N,M", help="only these numbers of connections, of 1, 8 and 64")
    add("--only", action="append", default=[], metavar="TEXT", help="only figures whose name in --list holds TEXT")
    add("--rounds", type=_positive, metavar="N", help="interleaved rounds (default 4)")
    add("--seconds", type=_positive, default=1, metavar="N", help="of load for one figure in one round (default 1)")
    add("--workers", type=_positive, default=2, metavar="N", help="processes of each server that has some (default 2)")
    add("--rival", type=_rival, action="append", default=[], metavar="NAME=URL", help="a running server to compare")
    add("--in-process", action="store_true", help="only the part that needs no server")
    add("--list", action="store_true", help="name the figures that would be measured, and stop")
    add("--output", type=Path, default=BUILD / "results", metavar="DIR", help="where table, JSON and picture go")
    add("--render", type=Path, metavar="JSON", help="measure nothing: table and picture from an earlier run's JSON")
    add("--no-install", action="store_true", help="use this Python and what is there; leave out what is missing")
    return made


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, complete: `cells` and `probes` are what is to be measured."""
    options = parser().parse_args(arguments)
    quick = options.quick
    options.servers = options.servers or list(QUICK_SERVERS if quick else SERVERS)
    options.clients = options.clients or ([1, 8] if quick else [1, 8, 64])
    options.rounds = options.rounds or (2 if quick else 4)
    chosen = options.workloads or list(QUICK_LOADS if quick else (*LOADS, *PROBES))
    if options.in_process:
        chosen = ["in-process"]
    options.loads = [name for name in chosen if name in LOADS]
    options.probes = [name for name in chosen if name in PROBES]
    options.cells = cells(contenders(), options.servers, options.loads, options.clients, options.only)
    options.cells += [foreign(name, url, count) for name, url in options.rival for count in options.clients]
    return options
