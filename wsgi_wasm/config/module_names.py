"""Names of modules that an interpreter imports. As `scalars` reads texts."""

from __future__ import annotations

import re

IMPORTED = r"[A-Za-z_][A-Za-z0-9_]*(?:(?:\.|::)[A-Za-z0-9_]+)*"

_LONGEST = 255


def imported(text: str) -> str:
    """The name of a module of a language."""
    if not re.fullmatch(IMPORTED, text) or len(text) > _LONGEST:
        raise ValueError("is not a module's name; write a name such as 'shop.pages', or 'Shop::Pages' for Perl")
    return text
