"""Inputs that are kept: what was found once, and what is hard to come by. `corpus/NAME.txt` has one row a line, a
Python literal of bytes, which may be repeated (`b"[" * 5000`) and added to; lines that begin with `#` say why the next
ones are there."""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent / "corpus"


def rows(name: str) -> list[bytes]:
    """The corpus of a target, empty without a file."""
    path = HERE / f"{name}.txt"
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            try:
                found.append(_value(ast.parse(line, mode="eval").body))
            except (SyntaxError, TypeError) as error:
                raise TypeError(f"{path}:{number}: {error}") from None
    return found


def _value(node: ast.expr) -> bytes:
    match node:
        case ast.Constant(value=bytes() as value):
            return value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left) + _value(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int() as times)):
            return _value(left) * times
    raise TypeError("not bytes")
