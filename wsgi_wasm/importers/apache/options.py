"""`Options`, of which ExecCGI alone matters here, merged as httpd's core does it (`core_merge_dir`
in server/core.c): a section that only adds and removes keeps what was before."""

from __future__ import annotations

from dataclasses import dataclass

from wsgi_wasm.importers.report import SourceLine


@dataclass(slots=True)
class ExecCgi:
    """Whether programs may run: for a section, or for all up to one. `is_whole` says that a line
    named options without a sign, which replaces all earlier ones."""

    is_whole: bool = False
    allowed: SourceLine | None = None
    added: SourceLine | None = None
    removed: SourceLine | None = None

    def line(self, words: list[str], place: SourceLine) -> None:
        """One `Options`."""
        first = True
        for word in words:
            sign, name = word[:1], word.lstrip("+-").lower()
            if sign not in ("+", "-") and first:
                self.is_whole, self.allowed, first = True, None, False
            if name not in ("execcgi", "all"):
                continue
            if sign == "-":
                self.allowed, self.added, self.removed = None, None, place
            elif sign == "+":
                self.allowed, self.added, self.removed = place, place, None
            else:
                self.allowed = place

    def merge(self, inner: ExecCgi) -> None:
        """Go on to a section inside."""
        if inner.is_whole:
            self.allowed, self.added, self.removed = inner.allowed, inner.added, inner.removed
            return
        added = inner.added or (None if inner.removed else self.added)
        removed = inner.removed or (None if inner.added else self.removed)
        self.added, self.removed = added, removed
        self.allowed = added or (None if removed else self.allowed)
