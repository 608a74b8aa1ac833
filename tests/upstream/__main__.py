"""`python -m tests.upstream --wasmtime DIR ...`: builds the programs, runs them, and prints how each went."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path

from . import builds
from .around import surroundings
from .cases import Suite, suites
from .page import page
from .running import Mismatch, run_case

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.upstream", description=__doc__)
    for name, build in builds.SUITES.items():
        if build.needs_checkout:
            parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=build.help)
        else:
            parser.add_argument(f"--{name}", action="store_true", help=build.help)
    parser.add_argument("--only", default="", metavar="REGEX", help="programs whose name it is found in")
    work = ROOT / "build" / "upstream"
    parser.add_argument("--work", type=Path, default=work, metavar="DIR", help="where they are built")
    parser.add_argument("--page", action="store_true", help="print docs/upstream.md, which is made of the cases alone")
    arguments = parser.parse_args()
    if arguments.page:
        print(page(suites()), end="")
        return 0
    logging.lastResort = None
    failed = 0
    for suite in suites():
        chosen = getattr(arguments, suite.name.replace("-", "_"))
        if chosen:
            checkout = chosen.resolve() if isinstance(chosen, Path) else None
            failed += _run(suite, checkout, arguments.work.resolve(), arguments.only)
    return 1 if failed else 0


def _run(suite: Suite, checkout: Path | None, work: Path, only: str) -> int:
    """How many cases went otherwise than they say."""
    chosen = [(case, name) for case in suite.cases for name in case.run if re.search(only, f"{name} {case.label}")]
    built = builds.SUITES[suite.name].build(checkout, work, [case for case, _ in chosen])
    failed = 0
    with surroundings([case.needs for case, _ in chosen]) as around:
        for case, name in chosen:
            title = f"{name} {case.label}".strip()
            try:
                run_case(case, name, built.find, built.apps, around)
            except Mismatch as mismatch:
                failed += 1
                print(f"FAILED  {title}\n        " + str(mismatch).replace("\n", "\n        "), flush=True)
            else:
                print(f"{'differs' if case.differs else 'ok':<7} {title}", flush=True)
    print(f"{suite.title}: {len(chosen)} runs, {failed} other than expected")
    return failed


if __name__ == "__main__":
    sys.exit(main())
