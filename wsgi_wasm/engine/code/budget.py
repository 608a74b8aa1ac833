"""What compiling a module may cost, by who caused it."""

from __future__ import annotations

import math
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class CompileBudget:
    """Bounds for one compilation: `time` in seconds of CPU time over all threads, `memory` in bytes
    that are resident.

    `nice` is added to the niceness of this process. `owner` names whoever shares a turn: of one
    owner, one module is compiled at a time on the whole machine; "" takes no turn. `by_request`
    tells that a request caused it, so it respects what is known of earlier failures, and a reason
    names the settings that bind it.
    """

    time: float
    memory: int
    nice: int = 0
    owner: str = ""
    by_request: bool = False

    @property
    def wall(self) -> float:
        """Seconds after which a compiler is ended, however little CPU time it was given."""
        return 5 * self.time

    @property
    def patience(self) -> float:
        """Seconds to wait for another process that compiles the same module."""
        return 2 * self.time

    @property
    def cpu_seconds(self) -> int:
        """For RLIMIT_CPU, which knows whole seconds; whoever watches the compiler is
        to be first."""
        return math.ceil(self.time) + 2

    @property
    def address_space(self) -> int:
        """For RLIMIT_AS, in bytes: generous, as most of what is reserved is never resident."""
        return 2 * self.memory + 1024 * MIB


COMMAND = CompileBudget(time=1800.0, memory=8192 * MIB)
"""For those who ask for it in as many words: `compile` and `interpreter build`."""


def of_request(time: float, memory: int) -> CompileBudget:
    """What a request may cause to be compiled, by the settings of the configuration (seconds,
    bytes)."""
    return CompileBudget(time=time, memory=memory, nice=5, by_request=True)


REQUEST = of_request(time=60.0, memory=1024 * MIB)
