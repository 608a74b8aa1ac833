"""What docs/legacy.md says of Python programs: those of `tests/python/programs`, whose answers a test
compares with the native ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PLACE = Path(__file__).resolve().parents[1] / "python" / "programs"
BEGIN, END = "<!-- begin: Python (python -m tests.legacy) -->", "<!-- end: Python -->"


def section() -> str:
    """The table."""
    programs: dict[str, dict[str, Any]] = yaml.safe_load((PLACE / "programs.yaml").read_text("utf-8"))
    lines = ["| program | what it is | interpreter | result |", "|---|---|---|---|"]
    for one in programs.values():
        # the first package is the one that the others are for
        version = (PLACE / one["requirements"]).read_text("ascii").split("\n")[0].partition("==")[2]
        keys = "`packages`" + (", `library`" if one.get("library") else "") + (", `preload`" if one["preload"] else "")
        lines.append(f"| {one['title']} {version} | {one['kind']} | {keys} | the same answers as natively |")
    return "\n".join([BEGIN, "", *lines, "", END])
