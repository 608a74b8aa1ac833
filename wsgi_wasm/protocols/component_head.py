"""The head of a component's answer, which may come behind a part of the body.

A component that takes its body's stream before it gives its response away may still change that
response, and what it writes meanwhile goes past the adapter (`guestlib/adapter/response.c`). So the
adapter writes a mark first, and with the response another one before the head.
"""

from __future__ import annotations

from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.errors import BadGateway

MARK = b"\0wsgi-wasm head follows\n"  # as in response.c

MOST_EARLY = 1 << 20  # bytes of a body before its response


class ComponentHeadParser(HeadParser):
    """As `HeadParser`, and `body` begins with what came before the head."""

    must_say_status = True

    _early: bytearray | None = None  # everything from the first mark on, until the second one
    _written: bytes | None = None  # what was between the two

    def feed(self, data: bytes) -> Head | None:
        """As `HeadParser.feed`."""
        if self._early is None:
            if data[:1] != b"\0" or self._buffer:
                return super().feed(data)
            self._early = bytearray()
        if self._written is None:
            rest = self._behind_marks(self._early, data)
            if rest is None:
                return None
            data = rest
        head = super().feed(data)
        if head is not None:
            self.body = (self._written or b"") + self.body
        return head

    def _behind_marks(self, early: bytearray, data: bytes) -> bytes | None:
        """What has come of the head, None before the second mark. Raises BadGateway."""
        start = max(len(early) - len(MARK), len(MARK))  # the mark may straddle two pieces
        early += data
        if not MARK.startswith(early[: len(MARK)]):
            raise BadGateway("the head begins with NUL")
        end = early.find(MARK, start)
        if (end if end >= 0 else len(early)) > MOST_EARLY + len(MARK):
            raise BadGateway(f"the guest wrote more than {MOST_EARLY >> 20} MiB before it returned its response")
        if end < 0:
            return None
        self._written = bytes(early[len(MARK) : end])
        return bytes(early[end + len(MARK) :])
