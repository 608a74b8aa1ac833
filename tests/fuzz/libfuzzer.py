"""Runs one target of libFuzzer's, in Python or in C, and reads what it says of itself."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT = 60  # seconds for one input, which is then a finding
MEMORY = 2048  # MiB of resident memory, above which an input is one, too

_STATUS = re.compile(r"^#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+)")
_DONE = re.compile(r"^stat::number_of_executed_units:\s+(\d+)")


@dataclass(slots=True)
class Outcome:
    """What a run has come to so far. `coverage` and `features` are libFuzzer's: edges that were reached, and those with
    how often. `cpu` is in seconds, too, and what speed is by: other processes may want the machine."""

    name: str
    inputs: int = 0
    coverage: int = 0
    features: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    kept: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def speed(self) -> float:
        return self.inputs / (self.cpu or self.seconds or 1.0)


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds, and inputs; 0 is without an end."""

    seconds: float
    inputs: int


def run(
    name: str,
    command: Sequence[str],
    work: Path,
    start: tuple[Iterable[bytes], Sequence[bytes], int],
    budget: Budget,
    show: Callable[[Outcome], None],
) -> Outcome:
    """`start` is seeds, words, and an input's most bytes. What is reached is kept in `work/corpus` for the next run."""
    seeds, words, longest = start
    for folder in ("corpus", "seeds", "findings"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (work / "seeds" / f"{number:04}").write_bytes(seed[:longest])
    dictionary = work / "words"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words if word and len(word) <= 60), "ascii")
    options = [
        *(f"-max_len={longest}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}", "-print_final_stats=1"),
        *(f"-artifact_prefix={work / 'findings'}/", f"-max_total_time={int(budget.seconds)}"),
        *("-reload=0", f"-report_slow_units={TIMEOUT}", f"-runs={budget.inputs or -1}"),
    ]
    if words:
        options.append(f"-dict={dictionary}")
    outcome, known = Outcome(name), {*(work / "findings").iterdir()}
    started, before = time.monotonic(), _cpu_of_children()
    with (
        (work / "log").open("w", encoding="utf-8", errors="replace") as log,
        subprocess.Popen(
            [*command, str(work / "corpus"), str(work / "seeds"), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={
                **os.environ,
                "WSGI_WASM_NATIVE": "0",
                "PYTHONWARNINGS": "error,ignore::ResourceWarning",
                "TMPDIR": str(work),
            },
        ) as child,
    ):
        assert child.stdout is not None
        for line in child.stdout:
            log.write(line)
            outcome.seconds = time.monotonic() - started
            _read(line, outcome)
            show(outcome)
    outcome.seconds, outcome.cpu = time.monotonic() - started, _cpu_of_children() - before
    outcome.findings = sorted(str(path) for path in {*(work / "findings").iterdir()} - known)
    outcome.kept = sum(1 for _ in (work / "corpus").iterdir())
    if child.returncode and not outcome.findings:
        outcome.findings.append(f"ended with status {child.returncode}: see {work / 'log'}")
    return outcome


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _read(line: str, outcome: Outcome) -> None:
    status = _STATUS.match(line)
    if status is not None:
        outcome.inputs, outcome.coverage, outcome.features = int(status[1]), int(status[3]), int(status[4])
    done = _DONE.match(line)
    if done is not None:
        outcome.inputs = int(done[1])


def _escaped(word: bytes) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)
