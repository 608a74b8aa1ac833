"""What test guests print."""

from __future__ import annotations


def variables(text: str) -> dict[str, str]:
    """The environment that `env` and `tell` have printed, with `BODY` of the latter."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
