"""What is remembered of a module that could not be compiled: why, and when to try again.

It is kept beside the place of the artefact, so that neither every request nor every worker tries
what one of them has tried. A failure that is the module's own stands for long. One that came from a
limit or from outside (no memory, no process to be had) is tried again after pauses that grow.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Self

from wsgi_wasm.engine.code.budget import CompileBudget
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.files.stamp import identity

_PACKAGE = Path(__file__).parents[2]

MODULE, LIMIT, OUTSIDE, HERE = "module", "limit", "outside", "here"

# First pause in seconds, what it is multiplied by each time, and the longest one.
_PAUSES = {
    MODULE: (86400.0, 1.0, 86400.0),
    LIMIT: (120.0, 4.0, 86400.0),
    OUTSIDE: (5.0, 2.0, 600.0),
    HERE: (5.0, 2.0, 60.0),
}


class NotCompiled(ModuleError):
    """A module could not be compiled. `cause` is MODULE where it is the module's own fault, LIMIT
    where a limit ended the compiler, OUTSIDE where something else did, HERE where this process
    could not even start it."""

    def __init__(self, message: str, cause: str = OUTSIDE) -> None:
        super().__init__(message)
        self.cause = cause


def judge() -> str:
    """Changes when this package does, which may find other things wrong with a module then."""
    try:
        return _judge()
    except OSError:
        return ""  # no descriptors left, say


@cache
def _judge() -> str:
    """Raises OSError."""
    digest = hashlib.sha256()
    for room in ("binary", "engine"):
        for path in sorted(_PACKAGE.joinpath(room).rglob("*.py")):
            digest.update(f"{path.name} {identity(path.stat())}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Failure:
    """The last of `attempts` that failed, at a time in seconds since the epoch. `time` and `memory`
    are the limits that it had, `judge` tells the code that found it."""

    reason: str
    cause: str
    attempts: int
    at: float
    time: float
    memory: int
    judge: str

    @classmethod
    def of(cls, error: ModuleError, budget: CompileBudget, before: Failure | None) -> Self:
        """What is to be remembered after an attempt within `budget`; `before` is what was known."""
        cause = error.cause if isinstance(error, NotCompiled) else MODULE
        attempts = before.attempts + 1 if before is not None and before.cause == cause else 1
        return cls(str(error), cause, attempts, time.time(), budget.time, budget.memory, judge())

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """The reverse of `to_json`; None for anything else."""
        try:
            known = cls(**json.loads(data))
        except (ValueError, TypeError, RecursionError):
            return None
        numbers = (known.attempts, known.at, known.time, known.memory)
        texts = (known.reason, known.cause, known.judge)
        if not all(type(one) in (int, float) for one in numbers) or not all(type(one) is str for one in texts):
            return None
        return known if known.cause in _PAUSES else None

    def to_json(self) -> bytes:
        """As it is kept."""
        return json.dumps(asdict(self)).encode()

    def wait(self, budget: CompileBudget) -> float:
        """Seconds until it may be tried again within this budget, 0 for now."""
        if self.judge != judge():
            return 0.0
        if self.cause == LIMIT and (budget.time > self.time or budget.memory > self.memory):
            return 0.0
        first, factor, longest = _PAUSES[self.cause]
        pause = min(first * factor ** min(self.attempts - 1, 30), longest)
        passed = time.time() - self.at
        return max(0.0, pause - passed) if passed >= 0 else 0.0  # the clock was set back

    def error(self) -> NotCompiled:
        """The error that it was."""
        return NotCompiled(self.reason, self.cause)
