"""`python3 -m benchmarks.soak`: installs what is missing, soaks, and writes JSON, picture and logs.

Exit status: 0, 1 where the verdict is bad, 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from benchmarks import BUILD, install
from benchmarks.soak import COMBINATIONS


def seconds(text: str) -> float:
    """`90`, `90s`, `2m`, `1h`."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 30s, 5m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python3 -m benchmarks.soak", description="Soak the gateway.")
    add = made.add_argument
    add("--time", type=seconds, default=120.0, help="for all combinations together (default 2m), and some for rests")
    add("--only", action="append", default=[], metavar="TEXT", help=f"combinations: {', '.join(COMBINATIONS)}")
    add("--rivals", action="store_true", help="the hostile mix on the gateway, wasmtime serve and mod_cgid instead")
    add("--latency", action="store_true", help="the 99th percentile of a good route beside hostile guests instead")
    add("--crash", action="store_true", help="10,000 requests beside a child that is aborted all the time instead")
    add("--alone", action="store_true", help="what thousands of requests of each kind leave in one process instead")
    add("--requests", type=int, default=10_000, metavar="N", help="of --crash, and of each kind of --alone")
    add("--output", type=Path, default=BUILD / "soak", metavar="DIR", help="where JSON, picture and logs go")
    add("--render", type=Path, metavar="JSON", help="soak nothing: text and picture from an earlier run's JSON")
    add("--no-install", action="store_true", help="use this Python and what is there")
    return made


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    if not options.no_install and not install.inside():
        install.install()
        install.restart(list(arguments), "benchmarks.soak")
    # Only the environment has what these need.
    from benchmarks.soak import alone, latency, picture, report, rivals
    from benchmarks.soak.run import Run, run

    chosen = [name for name in COMBINATIONS if not options.only or any(text in name for text in options.only)]
    if not chosen:
        parser().error(f"no combination has that name; there are {', '.join(COMBINATIONS)}")
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    if options.latency or options.crash:
        return measured(options, output, latency)
    if options.alone:
        left = alone.alone(options.requests, say, output / "alone.log")
        keep(output / "alone.json", [dataclasses.asdict(one) for one in left])
        return int(any(one.is_leak for one in left))
    if options.rivals:
        standings = rivals.compare(say, only=options.only)
        keep(output / "rivals.json", [dataclasses.asdict(one) for one in standings])
        print(rivals.table(standings))
        return 0
    if options.render:
        found = Run.load(options.render)
    else:
        found = run(chosen, options.time, output)
        (output / "soak.json").write_text(json.dumps(found.to_json(), indent=1) + "\n", "utf-8")
    (output / "soak.svg").write_text(picture.picture(found), "utf-8")
    print(report.text(found))
    return 1 if found.faults else 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measured(options: argparse.Namespace, output: Path, latency: ModuleType) -> int:
    """The measurements beside the soak; 1 where a good request failed."""
    failed = False
    if options.latency:
        found = [
            dataclasses.asdict(one) for isolate in (False, True) for one in latency.beside_hostile_guests(say, isolate)
        ]
        failed |= any(one["failed"] for one in found)
        keep(output / "latency.json", found)
    if options.crash:
        found = latency.beside_a_crashing_child(say, options.requests)
        failed |= any(set(one["neighbours"]) != {"right"} for one in found)
        keep(output / "crash.json", found)
    return int(failed)


def keep(path: Path, found: Sequence[object]) -> None:
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    for one in found:
        print(json.dumps(one))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
