"""`python -m tests.faults`: write what of the documentation is made from the table."""

from __future__ import annotations

from .documents import documents

if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
