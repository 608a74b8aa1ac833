"""Spin's route patterns: `/shop`, `/users/:id`, `/assets/...`.

A pattern matches the path as the client wrote it, undecoded and segment by segment: a word matches
itself, `:name` exactly one segment, `/...` (or `/*`) at the end whatever is left, nothing included.
One slash at the end of a path does not count. Of several patterns that match, the first difference
decides, segment by segment: a word goes before `:name`, and `:name` before `/...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from wsgi_wasm.messages import quote

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# no '#', '*', '/', '?', space
_WORD = re.compile(r"[\x21-\x22\x24-\x29\x2b-\x2e\x30-\x3e\x40-\x7e]+")

WELL_KNOWN = "/.well-known/spin/"


class RoutePattern(NamedTuple):
    """A route as written, the same behind the application's `base`, with a slash before and none at
    the end, and its parts. `segments` hold `:` before names."""

    raw: str
    clean: str
    segments: tuple[str, ...]
    wild: bool
    base: str = ""

    @property
    def order(self) -> tuple[int, ...]:
        """Sorts patterns so that the first one that matches is the one that Spin takes."""
        ranks = [1 if segment.startswith(":") else 0 for segment in self.segments]
        return (*ranks, 2) if self.wild else tuple(ranks)

    @property
    def prefix(self) -> str:
        """The route without the `/...` at its end, as Spin words it."""
        return self.raw.removesuffix("/...")

    @property
    def has_names(self) -> bool:
        """Whether a part of it stands for any word."""
        return any(segment.startswith(":") for segment in self.segments)


class RouteMatch(NamedTuple, Generic[T]):
    """What a path matched: the pattern and its target, what each `:name` stood for, and the
    rest for `/...`."""

    pattern: RoutePattern
    target: T
    names: tuple[tuple[str, str], ...]
    rest: str


def parse_base(text: str) -> str:
    """The path before every route, "" for none. Raises ValueError, worded to follow
    the quoted text."""
    pattern = parse_pattern(text)
    if pattern.wild or pattern.has_names:
        raise ValueError("is not a plain path")
    return pattern.clean


def parse_pattern(text: str, base: str = "") -> RoutePattern:
    """`base` is as `parse_base` gives it. Raises ValueError, worded to follow the quoted text."""
    clean = base + (text if text.startswith("/") else f"/{text}").removesuffix("/")
    segments = clean.split("/")[1:]
    wild = bool(segments) and segments[-1] in ("...", "*")
    if wild:
        segments = segments[:-1]
    for segment in segments:
        if segment.startswith(":"):
            if not _NAME.fullmatch(segment[1:]):
                raise ValueError(f"contains {quote(segment)}; a name has only letters, digits, '_' and '-'")
        elif not _WORD.fullmatch(segment):
            raise ValueError(
                f"contains {quote(segment)}, which is never part of a path" if segment else "has an extra slash"
            )
        elif segment == "...":
            raise ValueError("has '...' in the middle; it is only allowed at the end")
    return RoutePattern(text, clean, tuple(segments), wild, base)


class PatternTable(Generic[T]):
    """The patterns of one application. `shadowed` are targets that the same pattern takes away,
    each with its taker: of two equal routes the last one counts."""

    def __init__(self, entries: Iterable[tuple[str, T]], base: str = "") -> None:
        taken: dict[tuple[str, ...], tuple[RoutePattern, T]] = {}
        self.shadowed: list[tuple[str, T, T]] = []
        for text, target in entries:
            pattern = parse_pattern(text, base)
            # What a name is called makes no other route of it.
            key = (*(":" if segment.startswith(":") else segment for segment in pattern.segments), "..." * pattern.wild)
            if key in taken:
                self.shadowed.append((text, taken[key][1], target))
            taken[key] = (pattern, target)
        # Stable, so what is of the same rank stays in the manifest's order.
        self._entries = sorted(taken.values(), key=lambda entry: entry[0].order)

    def match(self, path: str) -> RouteMatch[T] | None:
        """The best pattern for `path`, which is raw and begins with a slash."""
        slash = len(path) > 1 and path.endswith("/")
        segments = path.removesuffix("/").split("/")[1:]
        for pattern, target in self._entries:
            names = _names(pattern, segments)
            if names is not None:
                rest = "".join(f"/{segment}" for segment in segments[len(pattern.segments) :]) if pattern.wild else ""
                ends_in_slash = pattern.wild and (slash or path == "/")
                return RouteMatch(pattern, target, names, rest + "/" if ends_in_slash else rest)
        return None


def _names(pattern: RoutePattern, segments: Sequence[str]) -> tuple[tuple[str, str], ...] | None:
    """What the names stand for where `pattern` fits these segments, else None."""
    own = pattern.segments
    if len(segments) < len(own) or (len(segments) > len(own) and not pattern.wild):
        return None
    names = []
    for mine, given in zip(own, segments, strict=False):
        if mine.startswith(":"):
            if not given:
                return None
            names.append((mine[1:], given))
        elif mine != given:
            return None
    return tuple(names)
