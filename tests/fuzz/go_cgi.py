"""A model of how Go's net/http/cgi reads a program's answer, in its own words: what it takes, and where it gives up.

It knows no limit but that of a line, drops lines that it does not understand, and asks for a type or a status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LONGEST_LINE = 1024  # bytes
NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class NoAnswer(Exception):
    """The client gets an error, or nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class GoAnswer:
    """`status` is 0 until it is known; `skipped` are lines that it did not understand."""

    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    local_redirect: str | None = None
    skipped: list[bytes] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value for own, value in self.fields if own.lower() == name]


def go_answer(output: bytes) -> GoAnswer:
    """Raises NoAnswer."""
    answer = GoAnswer()
    lines, ended = 0, False
    while output and not ended:
        line, _, output = output.partition(b"\n")
        if len(line) >= LONGEST_LINE:
            raise NoAnswer("long line")
        line = line.removesuffix(b"\r")
        if line:
            lines += 1
            _take(line, answer)
        else:
            ended = True
    if not lines or not ended:
        raise NoAnswer("no head")
    location = (answer.values("location") or [""])[0]
    if location.startswith("/"):
        answer.local_redirect = location
        return answer
    if not answer.status:
        if location:
            answer.status = 302
        elif not any(answer.values("content-type")[:1]):
            raise NoAnswer("no type")
        else:
            answer.status = 200
    answer.body = output
    return answer


def _take(line: bytes, answer: GoAnswer) -> None:
    name, colon, value = line.partition(b":")
    if not colon or not NAME.fullmatch(name):
        answer.skipped.append(line)
        return
    value = value.strip(b" \t\r\n")
    if name != b"Status":
        answer.fields.append((name.decode("latin-1"), value.decode("latin-1")))
    elif re.match(rb"[+-]?[0-9]+\Z", value[:3]) and len(value) >= 3:
        answer.status = int(value[:3])
    else:
        raise NoAnswer("no status")
