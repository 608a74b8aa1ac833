"""Reads JSON in UTF-8 piece by piece, so that no more of it becomes text at a time
than one piece."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from wsgi_wasm.errors import BadGateway

MAX_NAMES = 10_000  # in one object, where the caller names no number
MAX_SKIPPED = 10_000  # tokens in values that nobody wants
MAX_DEPTH = 64  # of what stands in them
MAX_TEXT = 1 << 20  # bytes in UTF-8 of what becomes text, which may take four times that

_SPACE = re.compile(rb"[ \t\n\r]*")
_TOKEN = re.compile(rb'[\[\]{}:,]|-?[0-9][0-9eE+.\-]*|true|false|null|(?=")')

_DECODER = json.JSONDecoder()
# bytes of a string's first piece, and of the longest of those that follow
_SHORT, _LONG = 1 << 10, 1 << 16
_HIGH = re.compile(r"\\u[dD][89abAB]..\Z", re.DOTALL)  # the first half of a pair of surrogates


class JsonReader:
    """Goes once through a JSON text. `at` is the place of the next value, in bytes."""

    def __init__(self, text: bytes | bytearray) -> None:
        self._text = text
        self.at = 0
        self._skipped = 0

    def _blank(self) -> bytes | bytearray:
        """Past white space, to the next byte; nothing at the end."""
        match = _SPACE.match(self._text, self.at)
        assert match is not None
        self.at = match.end()
        return self._text[self.at : self.at + 1]

    def fault(self, wanted: str) -> BadGateway:
        found = self._text[self.at : self.at + 40].decode("utf-8", "replace")
        return BadGateway(f"not the JSON of a worker: {wanted} at byte {self.at}, found {found!a}")

    def take(self, character: bytes) -> bool:
        if self._blank() != character:
            return False
        self.at += 1
        return True

    def names(self, what: str, most: int = MAX_NAMES) -> Iterator[str]:
        """The names in an object, of which repeated ones count too; the caller reads or skips
        each one's value."""
        if not self.take(b"{"):
            raise self.fault(f"{what} must be an object")
        if self.take(b"}"):
            return
        for _ in range(most):
            name = self.string("a name")
            if not self.take(b":"):
                raise self.fault("expected :")
            yield name
            if self.take(b","):
                continue
            if not self.take(b"}"):
                raise self.fault("expected , or }")
            return
        raise BadGateway(f"more than {most} names in {what}")

    def string(self, what: str) -> str:
        """A string of at most `MAX_TEXT` bytes."""
        return self.data(what, MAX_TEXT).decode("utf-8")

    def data(self, what: str, most: int | None = None) -> bytearray:
        """A string in UTF-8, of at most so many bytes."""
        value = bytearray()
        for piece in self._pieces(what):
            value += piece
            if most is not None and len(value) > most:
                raise BadGateway(f"{what} is longer than {most} bytes")
        return value

    def _pieces(self, what: str) -> Iterator[bytes]:
        """The parts of a string, without its escapes."""
        if not self.take(b'"'):
            raise self.fault(f"{what} must be a string")
        size, start = _SHORT, self.at - 1
        while True:
            text, last = self._ahead(size)
            try:
                # The quote behind it ends the piece, if nothing in it does; in the last piece
                # something has to.
                value, end = _DECODER.raw_decode(f'"{text}' if last else f'"{text}"')
            except json.JSONDecodeError as error:
                self.at = self.at + len(text[: error.pos - 1].encode()) if error.pos else start
                raise self.fault(f"{what}: {error.msg.removesuffix(' at')}") from None
            try:
                yield value.encode("utf-8")
            except UnicodeEncodeError:
                raise BadGateway(f"{what} contains half of a surrogate pair") from None
            self.at += len(text[: end - 1].encode())
            if end <= len(text) + 1:
                return
            size = min(4 * size, _LONG)

    def _ahead(self, size: int) -> tuple[str, bool]:
        """The next piece of a string and what may follow it, and whether the whole text ends with
        that. A piece ends at no place inside a character, an escape or a pair of surrogates."""
        data = self._text[self.at : self.at + size]
        last = self.at + len(data) == len(self._text)
        try:
            text, _ = codecs.utf_8_decode(data, "strict", last)
        except UnicodeDecodeError as error:
            raise BadGateway(f"the answer is not UTF-8, at byte {self.at + error.start}") from None
        if not last:
            backslash = text.rfind("\\", max(0, len(text) - 5))
            if _begins_escape(text, backslash):
                text = text[:backslash]
            if _HIGH.match(text, len(text) - 6) and _begins_escape(text, len(text) - 6):
                text = text[:-6]
        return text, last

    def strings(self, what: str, most: int) -> list[bytearray]:
        """A string, or a list of them."""
        if not self.take(b"["):
            return [self.data(what, MAX_TEXT)]
        values: list[bytearray] = []
        if self.take(b"]"):
            return values
        while True:
            values.append(self.data(what, MAX_TEXT))
            if len(values) > most:
                raise BadGateway(f"more than {most} values for {what}")
            if self.take(b"]"):
                return values
            if not self.take(b","):
                raise self.fault("expected , or ]")

    def match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        self._blank()
        match = pattern.match(self._text, self.at)
        if match is None:
            raise self.fault(what)
        self.at = match.end()
        return match[0]

    def skip(self) -> None:
        """Past one value of any kind, whose grammar is of no interest."""
        depth = 0
        while True:
            token = self.match(_TOKEN, "expected a value")
            if not token:
                for _ in self._pieces("a text"):
                    pass
            self._skipped += 1
            if self._skipped > MAX_SKIPPED:
                raise BadGateway("too much data in fields that are not part of a worker's answer")
            depth += (token in (b"[", b"{")) - (token in (b"]", b"}"))
            if depth > MAX_DEPTH:
                raise BadGateway(f"nested more than {MAX_DEPTH} levels deep")
            if depth < 0:
                raise self.fault("expected a value")
            if depth == 0 and token not in (b",", b":"):
                return

    def end(self) -> None:
        if self._blank():
            raise self.fault("there is something after the answer")


def _begins_escape(text: str, at: int) -> bool:
    """Whether the backslash there, if there is one, is not itself escaped."""
    before = text[: at + 1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
