"""Keeps cookies and passwords out of reports: what was sent as one, or came back as one, is taken
out of every text that is shown, wherever a program has repeated it."""

from __future__ import annotations

import binascii
import hashlib
import html
import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from urllib.parse import quote, unquote

HIDDEN = "(hidden)"
_SECRET_FIELD = re.compile(r"cookie|authorization|token|secret|password|api[-_]?key|session|csrf|xsrf|signature", re.I)
_LEAST = 4  # characters; shorter values would be found everywhere
_MOST = 1000  # values


def is_secret(name: str) -> bool:
    """Whether a field of this name is for two parties alone."""
    return bool(_SECRET_FIELD.search(name))


class Hidden:
    """The values that are hidden in what is shown of one request. A digest with the `key` of the
    run tells two of them apart."""

    def __init__(self, key: bytes) -> None:
        self._values: set[str] = set()
        self._key = key

    def learn(self, fields: Iterable[tuple[str, str]]) -> None:
        """The values of one message's fields."""
        for name, value in fields:
            if is_secret(name):
                self._take(value)
                for part in _parts(name, value):
                    self._take(part)

    def _take(self, value: str) -> None:
        forms = {value, quote(value), quote(value, safe=""), unquote(value), html.escape(value)}
        if len(self._values) < _MOST:
            self._values |= {form for form in forms if len(form) >= _LEAST}

    def learn_changed(self, change: Callable[[str], str]) -> None:
        """The same values as `change` leaves them, for texts that it has been applied to."""
        self._values |= {form for form in map(change, self._values) if len(form) >= _LEAST}

    def hide(self, text: str) -> str:
        """The text without any of them."""
        # The longest first, of which others may be a part.
        for value in sorted(self._values, key=len, reverse=True):
            if value in text:
                text = text.replace(value, HIDDEN)
        return text

    def shown(self, name: str, value: str) -> str:
        """A field's value as a report may have it."""
        if not is_secret(name):
            return self.hide(value)
        if name.lower() != "set-cookie":
            return self._digest(value)
        cookie, semicolon, rest = value.partition(";")
        label, _, secret = cookie.partition("=")
        return f"{label}={self._digest(secret)}{semicolon}{self.hide(rest)}"

    def _digest(self, value: str) -> str:
        digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), key=self._key, digest_size=3).hexdigest()
        return f"(hidden {digest})"


def _parts(name: str, value: str) -> Iterable[str]:
    if "cookie" in name.lower():
        pairs = value.split(";")[: 1 if name.lower() == "set-cookie" else None]
        return [pair.partition("=")[2].strip().strip('"') for pair in pairs]
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "basic":
        return [rest]
    try:
        user = b64decode(rest, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return [rest]
    return [rest, user, user.partition(":")[2]]
