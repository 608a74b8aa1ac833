"""The benchmark suite: `make bench`, or `python3 -m benchmarks --help`. README.md says how it measures."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
HERE = PROJECT / "benchmarks"
BUILD = PROJECT / "build" / "benchmarks"
"""The environment, compiled guests, and by default the results."""

sys.path.append(str(PROJECT / "tests"))  # servers are started by what the tests start them with
