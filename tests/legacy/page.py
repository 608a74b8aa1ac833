"""The page docs/legacy.md, from the tests' data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from . import perl_section, python_section

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "legacy.md"
BEGIN, END = "<!-- begin: C and C++ (python -m tests.legacy) -->", "<!-- end: C and C++ -->"


def programs() -> list[dict[str, Any]]:
    """The programs in C and C++."""
    known: list[dict[str, Any]] = yaml.safe_load((HERE / "programs.yaml").read_text("utf-8"))
    return known


def section() -> str:
    """What the page has about them."""
    rows = ["| program | what it does | Debian's package | build | result |", "|---|---|---|---|---|"]
    recipes = []
    for one in programs():
        tested = bool(one.get("requests")) or "tests/" in one["does"]
        result = "answers as expected" if tested else "not tested"
        rows.append(f"| {one['name']} | {one['does']} | `{one['package']}` | {one.get('build', '-')} | {result} |")
        if one.get("commands"):
            commands = "\n".join(f"$ {command}" for command in one["commands"])
            recipes.append(f"### {one['name']}\n\n```console\n$ apt-get source {one['package']}\n{commands}\n```")
    return "\n".join([BEGIN, "", *rows, "", "\n\n".join(recipes), "", END])


def updated(text: str) -> str:
    """The page with its sections as they have to be."""
    sections = [(BEGIN, END, section())]
    sections += [(one.BEGIN, one.END, one.section()) for one in (perl_section, python_section)]
    for begin, end, made in sections:
        before, _, rest = text.partition(begin)
        text = before + made + rest.partition(end)[2]
    return text
