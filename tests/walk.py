"""Does what a page of the docs says: `python3 -m tests.walk PAGE`, as root, on a machine that may be changed.

Runs each `sh` block of the page in its order, in the directory that this is started in, and looks in its output for
the lines of the `text` block that follows. The last line of a block is tried again for a while, as servers reload in
the background. Prints how long each block took. Python's own modules are enough.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PARTS = re.compile(r"^#+ (?P<heading>[^\n]+)$|^```(?P<language>sh|text)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

TRIES = 60


class StepError(Exception):
    """A step of a page did not end as the page says."""


@dataclass(frozen=True)
class Step:
    """A block of commands, the heading above it, and lines of its output, in their order."""

    heading: str
    commands: str
    expected: tuple[str, ...] = ()


def steps(text: str) -> Iterator[Step]:
    """The steps of a page."""
    heading, waiting = "", None
    for part in _PARTS.finditer(text):
        if part["language"] == "text" and waiting is not None:
            yield Step(waiting.heading, waiting.commands, tuple(part["body"].splitlines()))
            waiting = None
            continue
        if waiting is not None and part["language"] == "sh":
            yield waiting
            waiting = None
        if part["heading"]:
            heading = part["heading"]
        elif part["language"] == "sh":
            waiting = Step(heading, part["body"])
    if waiting is not None:
        yield waiting


def missing(expected: Sequence[str], output: str) -> str:
    """The first of these lines that is not in the output behind those before it; "" where all are."""
    left = iter(output.splitlines())
    return next((line for line in expected if line not in left), "")


def take(step: Step, environ: Mapping[str, str], folder: Path | None = None) -> str:
    """What a step printed. Raises StepError where a command fails, or its answer is another one."""
    *first, last = step.commands.splitlines()
    printed = ""
    output = _run("\n".join(first), environ, folder)
    for left in reversed(range(TRIES)):
        try:
            printed = _run(last, environ, folder)
            wrong = missing(step.expected, output + printed)
        except StepError as error:
            wrong = str(error)
        if not wrong:
            return output + printed
        if left:
            time.sleep(1)
    raise StepError(f"{output}{printed}\n{step.heading}: there is no line {wrong!r}")


def _run(commands: str, environ: Mapping[str, str], folder: Path | None) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        raise StepError(f"{done.stdout}\nstatus {done.returncode}")
    return done.stdout


def walk(page: Path) -> int:
    """The exit status: 1 where a step fails."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    begun = time.monotonic()
    for step in steps(page.read_text("utf-8")):
        started = time.monotonic()
        try:
            take(step, environ)
        except StepError as error:
            print(error, flush=True)
            return 1
        print(f"{time.monotonic() - started:7.1f} s  {step.heading}", flush=True)
    print(f"{time.monotonic() - begun:7.1f} s  {page}, the whole", flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    sys.exit(walk(parser.parse_args().page))
