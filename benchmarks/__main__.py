"""`python3 -m benchmarks`: installs what is missing, measures, and writes table, JSON and picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import PROJECT, install, options


def main(arguments: Sequence[str]) -> int:
    """0; 1 where a figure could not be had; 2 for a wrong command line."""
    chosen = options.parse(arguments)
    if chosen.list:
        print("\n".join([*(cell.label for cell in chosen.cells), *chosen.probes]))
        return 0
    if not (chosen.no_install or chosen.render or install.inside()):
        install.install()
        install.restart(list(arguments))
    # Only the environment has what these need.
    from benchmarks import report
    from benchmarks.results import Results
    from benchmarks.run import Suite

    if chosen.render:
        report.write(Results.load(chosen.render), chosen.output, save=False)
        return 0
    results = Suite(chosen).run()
    print(report.text(results))
    for path in report.write(results, chosen.output):
        print(f"written: {_short(path)}", file=sys.stderr)
    return 1 if results.failures() or not results.complete else 0


def _short(path: Path) -> Path:
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
