"""The command line of sendmail(8), as far as it is about a message that is read from standard
input: what Sendmail, Postfix and Exim have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Options that take a value, in the same word or as the next one.
_WITH_VALUE = frozenset("fFrBCDdhLNOopqRVX")
# Other things than to send a message: modes (-bd, -bs, ...) and the queue.
_OTHER_MODES = frozenset(("-bp", "-bi", "-bd", "-bD", "-bh", "-bH", "-bs", "-bt", "-bv", "-bz"))
_REFUSED = frozenset("CDXq")  # files of the host, and the queue


class Unusable(ValueError):
    """A command line that sends no message, and why."""


class MailCall(NamedTuple):
    """What a call asks for: the envelope's sender, the name for a From field, who is to get it;
    whether the fields of the message say that, too, and whether a line with one dot ends it."""

    sender: str | None
    full_name: str
    recipients: tuple[str, ...]
    from_fields: bool
    dot_ends: bool


def parse(arguments: Sequence[str]) -> MailCall:
    """Raises Unusable."""
    sender: str | None = None
    full_name, from_fields, dot_ends = "", False, True
    recipients: list[str] = []
    at = iter(arguments)
    for word in at:
        if word == "--":
            recipients += at
        elif not word.startswith("-") or word == "-":
            recipients.append(word)
        elif word in _OTHER_MODES or word[1:2] in _REFUSED:
            raise Unusable(f"the option {word} is not supported")
        elif word[1:] in ("t", "ti", "it"):
            from_fields, dot_ends = True, dot_ends and word == "-t"
        elif word in ("-i", "-oi"):
            dot_ends = False
        elif word[1] in "fr":
            sender = _value(word, at)
        elif word[1] == "F":
            full_name = _value(word, at)
        elif word[1] in _WITH_VALUE and word[1] not in "bo":
            _value(word, at)
        elif word == "-o":
            dot_ends = dot_ends and _value(word, at) != "i"
    return MailCall(sender, full_name, tuple(recipients), from_fields, dot_ends)


def _value(word: str, at: Iterator[str]) -> str:
    value = word[2:] or next(at, None)
    if value is None:
        raise Unusable(f"the option {word} needs a value")
    return value
