"""Writes the section of docs/legacy.md that comes from these tests' data: `python -m tests.legacy`."""

from __future__ import annotations

from .page import PAGE, updated

if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text("utf-8")), "utf-8")
