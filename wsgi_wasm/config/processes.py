"""Texts to values, as in `scalars`: which process guests run in, and as whom."""

from __future__ import annotations

import re

from wsgi_wasm.config.scalars import label

USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"


def isolation(text: str) -> bool | str:
    """`true`, `false`, or the name of a process."""
    return text == "true" if text in ("true", "false") else label(text)


def user(text: str) -> str:
    """The name of a user of the machine."""
    if not re.fullmatch(USER, text):
        raise ValueError("is not a user's name")
    return text
