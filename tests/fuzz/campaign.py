"""A run over many targets: what is shown meanwhile, and the table at its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from fuzz import guests, native_build
from fuzz.corpus import rows
from fuzz.libfuzzer import Budget, Outcome, run
from fuzz.registry import targets


def known() -> Mapping[str, str]:
    """Names and promises, in the order in which they are run."""
    ours = {native_build.NAME: native_build.PROMISE, guests.NAME: guests.PROMISE}
    return {name: one.promise for name, one in targets().items()} | ours


@dataclass(frozen=True, slots=True)
class Campaign:
    """`work` has a directory for each target: `corpus`, what was found (`findings`), libFuzzer's words (`log`), and
    `total.json` of all runs with this corpus."""

    work: Path
    seconds: float
    inputs: int

    def run(self, names: Sequence[str]) -> int:
        """1 where something was found."""
        outcomes = []
        with suppress(KeyboardInterrupt):  # then the table is of what there is
            for number, name in enumerate(names, 1):
                show = partial(_show, f"[{number}/{len(names)}] ")
                outcome = self._one(name, Budget(self.seconds, self.inputs), show)
                self._add(outcome)
                outcomes.append(outcome)
                show(outcome, whole=True)
        print(self._table(outcomes))
        return int(any(outcome.findings for outcome in outcomes))

    def _one(self, name: str, budget: Budget, show: Callable[[Outcome], None]) -> Outcome:
        work = self.work / name
        work.mkdir(parents=True, exist_ok=True)
        if name == guests.NAME:
            return guests.campaign(work, budget, show)
        if name == native_build.NAME:
            program = native_build.build_libfuzzer(work / "program")
            return run(name, [str(program)], work, (rows(name), (), native_build.LONGEST), budget, show)
        target = targets()[name]
        command = [sys.executable, "-m", "tests.fuzz.python_run", name]
        seeds = [*target.seeds(), *rows(name)]
        return run(name, command, work, (seeds, target.words, target.longest), budget, show)

    def _total(self, name: str) -> dict[str, float]:
        path = self.work / name / "total.json"
        found: dict[str, float] = json.loads(path.read_text("utf-8")) if path.exists() else {"inputs": 0, "cpu": 0.0}
        return found

    def _add(self, outcome: Outcome) -> None:
        total = self._total(outcome.name)
        total = {"inputs": total["inputs"] + outcome.inputs, "cpu": total["cpu"] + outcome.cpu}
        directory = self.work / outcome.name
        (directory / "total.json").write_text(json.dumps(total), "utf-8")
        (directory / "last.json").write_text(json.dumps(asdict(outcome)), "utf-8")

    def _table(self, outcomes: Sequence[Outcome]) -> str:
        lines = [
            "",
            "| target | inputs | in all runs | inputs/s of CPU | edges | features | corpus | findings |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for one in outcomes:
            total = int(self._total(one.name)["inputs"])
            lines.append(
                f"| {one.name} | {one.inputs:,} | {total:,} | {one.speed:,.0f} | {one.coverage} | {one.features} "
                f"| {one.kept} | {len(one.findings)} |"
            )
        for one in outcomes:
            lines += [f"{one.name}: {finding}" for finding in one.findings]
        return "\n".join(lines)


def _show(before: str, outcome: Outcome, whole: bool = False) -> None:
    """A line that is written over on a terminal; elsewhere only the last one of each target."""
    terminal = sys.stderr.isatty()
    if not (terminal or whole):
        return
    text = (
        f"{before}{outcome.name}: {outcome.inputs:,} inputs in {outcome.seconds:.0f} s, {outcome.coverage} edges, "
        f"{outcome.features} features{', FOUND ' + ', '.join(outcome.findings) if outcome.findings else ''}"
    )
    print(f"\r\033[K{text}" if terminal else text, end="\n" if whole else "", file=sys.stderr, flush=True)
