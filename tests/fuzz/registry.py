"""Every target, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from fuzz.target import Target

MODULES = (
    "heads",
    "requests",
    "configuration",
    "manifests",
    "imports",
    "binaries",
    "hostapis",
    "workers",
    "moving",
    "calls",
    "hostcalls",
)


@cache
def targets() -> Mapping[str, Target]:
    found = {}
    for module in MODULES:
        for target in import_module(f"fuzz.{module}").TARGETS:
            assert target.name not in found, target.name
            found[target.name] = target
    return found
