"""Variables and suffixes of several sections, merged as httpd does it.

It merges sections of one kind (directories, locations) with each other before it merges them with
what was before, and in that forgets what they remove: UnsetEnv and RemoveHandler reach beyond their
own kind only where one section alone says anything of the sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wsgi_wasm.importers.apache.reading import ConfigItem
from wsgi_wasm.importers.report import ImportReport, SourceLine


class Said(NamedTuple):
    """A value and the line that says it."""

    value: str
    place: SourceLine


class EnvVariable(NamedTuple):
    """A variable of SetEnv; of PassEnv, without a value."""

    value: str | None
    place: SourceLine


@dataclass(slots=True)
class EnvSection:
    """What one section says of variables: those that it sets, and those that it removes."""

    variables: dict[str, EnvVariable] = field(default_factory=dict)
    removed: dict[str, SourceLine] = field(default_factory=dict)


@dataclass(slots=True)
class SuffixSection:
    """What one section says of suffixes: their handlers, and those that it removes."""

    handlers: dict[str, Said] = field(default_factory=dict)
    removed: dict[str, SourceLine] = field(default_factory=dict)


def merged_env(
    before: dict[str, EnvVariable], walk: Sequence[EnvSection], report: ImportReport
) -> dict[str, EnvVariable]:
    """The variables after the sections of one kind. In a section, what is set stays set."""
    base, merged = dict(before), dict[str, EnvVariable]()
    for section in walk:
        for name, place in section.removed.items():
            if merged.pop(name, None) or (len(walk) == 1 and base.pop(name, None)):
                report.kept(place, "not in `env`")
        merged |= section.variables
    return base | merged


def merged_suffixes(before: dict[str, Said], walk: Sequence[SuffixSection], report: ImportReport) -> dict[str, Said]:
    """The handlers of suffixes after the sections of one kind. In a section, what is removed is
    gone, whatever the order of its lines."""
    base, merged = dict(before), dict[str, Said]()
    for section in walk:
        merged |= section.handlers
        for suffix, place in section.removed.items():
            known = [merged.pop(suffix, None), base.pop(suffix, None) if len(walk) == 1 else None]
            if any(known):
                report.kept(place, "these suffixes have no handler")
    return base | merged


def add_variables(env: EnvSection, item: ConfigItem) -> None:
    """A line of SetEnv, UnsetEnv or PassEnv."""
    args, place = item.args, item.place
    if item.name == "unsetenv":
        for name in args:
            env.variables.pop(name, None)
            env.removed[name] = place
    elif item.name == "passenv":
        env.variables |= {name: EnvVariable(None, place) for name in args}
    elif args:
        env.variables[args[0]] = EnvVariable(args[1] if len(args) > 1 else "", place)
