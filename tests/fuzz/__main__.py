"""`python3 -m tests.fuzz [TARGET ...]`: installs what is missing, fuzzes one target after the other, and prints what
came of it. A run goes on from the corpus of the one before, in `build/fuzz`.

Exit status: 0, 1 where something was found, 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from . import install


def seconds(text: str) -> float:
    """`90`, `90s`, `1m`, `1h`."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|m|h|)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 30s, 5m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m tests.fuzz", description=__doc__.partition(":")[2])
    parser.add_argument("target", nargs="*", help="what to fuzz (default: everything)")
    parser.add_argument("--time", type=seconds, default=60.0, help="for each target: 30s, 5m, 1h (default: 1m)")
    parser.add_argument("--inputs", type=int, default=0, metavar="N", help="at most N inputs for each target")
    parser.add_argument("--work", type=Path, default=install.BUILD, metavar="DIR", help="where corpora are kept")
    parser.add_argument("--list", action="store_true", help="list the targets and what each promises")
    parser.add_argument("--no-install", action="store_true", help="use this Python, and what is there")
    options = parser.parse_args(arguments)
    if not options.no_install and not install.inside():
        install.install()
        install.restart(arguments)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from fuzz.campaign import Campaign, known

    if unknown := set(options.target) - set(known()):
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(known())}")
    if options.list:
        for name, promise in known().items():
            print(f"{name:20} {promise}")
        return 0
    campaign = Campaign(options.work.resolve(), options.time, options.inputs)
    return campaign.run(options.target or list(known()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
