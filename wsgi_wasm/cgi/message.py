"""What travels between the parts: the head of an answer, and what its status means. A leaf: imports
nothing of the package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

REASONS: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}
BODYLESS = frozenset({204, 205, 304})  # statuses without a body, whatever is written (RFC 9110 15)


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header fields of a guest's answer, checked and filtered (RFC 3875 6.3),
    ready for WSGI.

    `fields` keep the guest's order and hold neither `Status` nor `Content-Length`; names and values
    are latin-1 strings. `content_length` is what the guest announced, None where it did not.
    `local_redirect` is the path and query of a local redirect (RFC 3875 6.2.2), else None; `fields`
    are then empty. `implied`: the guest has said no status.
    """

    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    content_length: int | None = None
    local_redirect: str | None = None
    implied: bool = False

    def inheriting(self, status: int) -> Head:
        """The same answer with this status, whose `Location` leads nowhere by itself."""
        fields = self.fields if self.local_redirect is None else (("Location", self.local_redirect),)
        reason = REASONS.get(status, "Unknown")
        return replace(self, status=status, reason=reason, fields=fields, local_redirect=None)
