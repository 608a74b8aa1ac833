"""How a run ended. A leaf of the engine."""

from __future__ import annotations

import enum
from dataclasses import dataclass

# wasmtime_trap_code_t, in the words that a log should use
TRAPS = {
    0: "stack overflow",
    1: "out-of-bounds memory access",
    2: "misaligned atomic access",
    3: "out-of-bounds table access",
    4: "indirect call to null",
    5: "indirect call with the wrong type",
    6: "integer overflow",
    7: "integer division by zero",
    8: "invalid conversion to integer",
    9: "unreachable instruction",
    10: "interrupted",
    11: "out of fuel",
}


class End(enum.Enum):
    """Why the guest no longer runs. `key` is the member's name in records and access logs."""

    key: str

    def __init__(self, words: str) -> None:
        self.key = self._name_.lower()  # worked out once: each request asks for it

    RETURNED = "returned"
    EXITED = "exited"
    TRAPPED = "trapped"
    TIMEOUT = "exceeded its timeout"
    CPU = "exceeded its cpu time"
    OUTPUT = "wrote more than max_output"
    STOPPED = "was stopped"


class Stop(Exception):
    """Ends the guest for a limit of ours; `end` says which."""

    def __init__(self, end: End, detail: str = "") -> None:
        super().__init__(detail or end.value)
        self.end = end
        self.detail = detail


_WELL = (End.RETURNED, End.EXITED)  # a constant, as each request asks


@dataclass(slots=True)
class Outcome:
    """The end of one run.

    `code` is the exit status (0 for a return), `detail` the name of the trap or the reason of a
    stop. `cpu` is the thread's CPU time and `wall` the elapsed time between the first instruction
    and the last; `queued` is the time that it had to wait for an instance of the pool. All are in
    seconds. `failure` is what a callback of the host raised while the guest ran, if that ended the
    run. `rest` is output that was not handed to the client while the guest ran.
    """

    end: End
    code: int = 0
    detail: str = ""
    cpu: float = 0.0
    wall: float = 0.0
    queued: float = 0.0
    failure: BaseException | None = None
    rest: bytes = b""

    def take_failure(self) -> BaseException | None:
        """The failure, which from now on is the caller's alone. An exception refers to the frames
        that it has come through, and these to the outcome: as long as it is kept, so is all of the
        request, until the collector looks for cycles."""
        failure, self.failure = self.failure, None
        return failure

    @property
    def well(self) -> bool:
        """True where the guest itself came to its end, with whatever exit status."""
        return self.end in _WELL

    def __str__(self) -> str:
        text = self.end.value
        if self.end is End.EXITED:
            return f"exited with status {self.code}"
        return f"{text}: {self.detail}" if self.detail else text
