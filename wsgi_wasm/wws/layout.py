"""Which file of a project folder answers which path (Wasm Workers Server 1.7, crates/router).

A worker's URL is its path without the suffix; segments that are `index` fall away. `[name]` stands
for one segment and `[...name]` for one or more. Folders and files whose name begins with `_` or a
dot, and `public`, hold no workers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

_PARAMETER = re.compile(r"\[(\.\.\.)?(\w+)\]")


class WorkerMatch(NamedTuple):
    """The worker's file, relative to the project, and what its parameters stand for."""

    file: str
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class _FilePattern:
    file: str
    segments: tuple[str, ...]

    @property
    def order(self) -> tuple[object, ...]:
        """Fixed paths first, then those with parameters, a fixed segment before one, then tails,
        longer ones first."""
        kinds = tuple(_kind(segment) for segment in self.segments)
        kind = max(kinds, default=0)
        length = -len(kinds) if kind == 2 else len(kinds)
        return kind, length, kinds, self.file

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        params: dict[str, str] = {}
        for position, own in enumerate(self.segments):
            if position >= len(segments):
                return None
            parameter = _PARAMETER.fullmatch(own)
            if parameter is None:
                if own != segments[position]:
                    return None
            elif not segments[position]:
                return None  # `//` names nothing
            elif parameter[1]:
                params[parameter[2]] = "/".join(segments[position:])
                return params
            else:
                params[parameter[2]] = segments[position]
        return params if len(segments) == len(self.segments) else None


class Layout:
    """The workers of one project. `files` are paths relative to it, with `/`
    between their parts."""

    def __init__(self, files: Iterable[str]) -> None:
        patterns = [_FilePattern(file, _segments(file)) for file in files if is_worker(file)]
        patterns.sort(key=lambda pattern: pattern.order)
        self._fixed: Mapping[tuple[str, ...], _FilePattern] = {
            pattern.segments: pattern for pattern in reversed(patterns) if pattern.order[0] == 0
        }
        self._others = [pattern for pattern in patterns if pattern.order[0] != 0]
        self.files = [pattern.file for pattern in patterns]

    def find(self, path: str) -> WorkerMatch | None:
        """The worker for a decoded path, None where there is none. A slash at its end
        does not matter."""
        segments = tuple(path.strip("/").split("/")) if path.strip("/") else ()
        fixed = self._fixed.get(segments)
        if fixed is not None:
            return WorkerMatch(fixed.file, {})
        for pattern in self._others:
            params = pattern.match(segments)
            if params is not None:
                return WorkerMatch(pattern.file, params)
        return None


def is_worker(file: str) -> bool:
    """Whether a file of the project may be a worker, by its name alone."""
    return not any(part.startswith(("_", ".")) or part == "public" for part in PurePosixPath(file).parts)


def _segments(file: str) -> tuple[str, ...]:
    path = PurePosixPath(file)
    parts = (*path.parts[:-1], path.name[: -len(path.suffix)] if path.suffix else path.name)
    return tuple(part for part in parts if part != "index")


def _kind(segment: str) -> int:
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None:
        return 0
    return 2 if parameter[1] else 1
