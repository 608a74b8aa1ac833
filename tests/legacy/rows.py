"""The programs: what docs/legacy.md says of each, and what a test needs to run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
RESULTS: Mapping[str, str] = MappingProxyType(
    {
        "same": "the same answers as natively",
        "differs": "runs; what differs is named",
        "native": "does not run here: `native: true`",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program. The comment at the top of `perl.yaml` says what is what; `package` and `version` are Debian's."""

    name: str
    program: str
    package: str
    version: str
    about: str
    result: str
    reason: str = ""
    script: str = ""
    packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    prepare: str = ""
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    route: Mapping[str, Any] = field(default_factory=dict)
    requests: str = ""
    contains: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""


def programs(language: str) -> list[Program]:
    """Those of one language."""
    entries: dict[str, dict[str, Any]] = yaml.safe_load((HERE / f"{language}.yaml").read_text("utf-8"))
    return [Program(name=name, **entry) for name, entry in entries.items()]
