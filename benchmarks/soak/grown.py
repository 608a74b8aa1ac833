"""What processes hold more of at the last rest than at the first one of the steady work, by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypedDict

from benchmarks.soak.holdings import Holdings
from benchmarks.soak.watch import Process, Sample

LEAST_MEMORY = 1 << 20
"""Bytes of one kind in one process from which they are told."""


class Grown(TypedDict):
    """One kind in all processes of a role that were there at every rest; `held` at each of the rests."""

    role: str
    what: str
    kind: str
    processes: int
    held: list[int]


def by_kind(*rests: Sample) -> list[Grown]:
    """In the order of their growth; descriptors and memory that have grown from the first rest to the last."""
    found: list[Grown] = []
    for role, lives in _by_role(rests).items():
        for what in ("descriptors", "memory"):
            held = [_sum(what, moment) for moment in zip(*lives, strict=True)]
            least = LEAST_MEMORY * len(lives) if what == "memory" else 1
            for kind in sorted(held[-1], key=lambda kind: held[0][kind] - held[-1][kind]):
                if held[-1][kind] - held[0][kind] >= least:
                    found.append(
                        Grown(role=role, what=what, kind=kind, processes=len(lives), held=[one[kind] for one in held])
                    )
    return found


def _by_role(rests: tuple[Sample, ...]) -> Mapping[str, list[list[Holdings]]]:
    """What each process held at every rest, for those that lived through them all."""
    found: dict[str, list[list[Holdings]]] = {}
    for last in rests[-1].processes:
        life = [one.holdings for one in _life(last, rests) if one.holdings is not None]
        if len(life) == len(rests):
            found.setdefault(last.role, []).append(life)
    return found


def _life(last: Process, rests: tuple[Sample, ...]) -> Iterator[Process]:
    return (one for rest in rests for one in rest.processes if one.pid == last.pid)


def _sum(what: str, moment: tuple[Holdings, ...]) -> Counter[str]:
    return sum((Counter(getattr(one, what)) for one in moment), Counter())
