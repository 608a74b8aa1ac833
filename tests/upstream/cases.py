"""The cases, as data: `*.yaml` beside this file. What stands there is asserted of each run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and the answer that it gets here.

    `body` and `answer` are texts; MEGABYTE stands for a megabyte that is no text. `answer` is the whole body, `holds`
    are parts of it, `lines` all its lines in whatever order. `cut`: the connection is closed in the middle.
    """

    path: str = "/"
    method: str = "GET"
    host: str = "localhost"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    status: int = 200
    fields: Mapping[str, str | None] = field(default_factory=dict)
    answer: str | None = None
    holds: tuple[str, ...] = ()
    lines: tuple[str, ...] | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One program, or several that behave alike, and one way to run them.

    A route with these settings is made, in a directory with these files; those without text are directories. `app` is
    a Spin application's directory in the checkout, `amend` what becomes of texts in its manifest, and `needs` the
    number that Spin's harness has for a database. Of a program that only prints, `exit` is the status it ends with,
    None where it ends otherwise. `log` are words that the gateway's log must hold, `refused` words of the error for an
    application that is not loaded. `differs` says what upstream expects in its place, `because` why.
    """

    run: tuple[str, ...]
    label: str = ""
    app: str | None = None
    amend: Mapping[str, str] = field(default_factory=dict)
    route: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    ask: tuple[Ask, ...] = (Ask(),)
    needs: str = ""
    exit: int | None = 0
    log: tuple[str, ...] = ()
    refused: str = ""
    differs: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one project."""

    name: str
    title: str
    version: str
    cases: tuple[Case, ...]
    left_out: Mapping[str, str]  # other programs of the same place, and why


def suites() -> list[Suite]:
    """All of them. Raises TypeError for a key that there is not."""
    return [_suite(path.stem, yaml.safe_load(path.read_text("utf-8"))) for path in sorted(HERE.glob("*.yaml"))]


def _suite(name: str, data: dict[str, Any]) -> Suite:
    cases = tuple(_case(entry) for entry in data.pop("cases"))
    return Suite(name=name, cases=cases, left_out=data.pop("left_out", {}), **data)


def _case(entry: dict[str, Any]) -> Case:
    run = entry.pop("run")
    asked = [_ask(one) for one in entry.pop("ask", [{}])]
    words = tuple(entry.pop("log", ()))
    return Case(run=tuple([run] if isinstance(run, str) else run), ask=tuple(asked), log=words, **entry)


def _ask(entry: dict[str, Any]) -> Ask:
    for name in ("holds", "lines"):
        if name in entry:
            entry[name] = tuple(entry[name])
    if "headers" in entry:
        entry["headers"] = tuple((name, value) for name, value in entry["headers"])
    return Ask(**entry)
