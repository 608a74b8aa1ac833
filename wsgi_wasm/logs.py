"""The package's loggers. Whatever stands in a record of theirs is one line, under every server.

Servers and applications bring handlers and formatters of their own, so this is done where records
begin.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections.abc import Hashable

from wsgi_wasm.errors import text_lines
from wsgi_wasm.messages import printable, shorten

OWN = "wsgi_wasm"
"""The logger above all loggers of the package."""

ABOUT = "wsgi_wasm_about"
"""The attribute of a record that has what it is about: route, program and request id, by their
names in JSON."""

MOST_LOGGED = 20_000
"""Characters of a record's message, and of a traceback in JSON; what is longer is cut."""

MOST_TRACED = 200  # lines of a traceback; the middle of a longer one is left out

MOST_MISTAKES = 100  # of one configuration


class OneLine(logging.Filter):
    """Escapes in a record what a log or a terminal would obey. Records without it stay as they
    are."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: it changes records, and drops none."""
        try:
            message = record.getMessage()
        except Exception:  # a bug in the call, which handlers report
            return True
        clean = printable(shorten(message, MOST_LOGGED), tabs=True)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            record.exc_text = traceback_text(record.exc_info[1])
        return True


def traceback_text(error: BaseException | None) -> str:
    """A traceback whose lines are all indented: an exception's own text can have several, and none
    of them shall look like a record."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    if len(lines) > MOST_TRACED:
        half = MOST_TRACED // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} lines ..."]
    return "\n".join(f"  {printable(shorten(line, MOST_LOGGED), tabs=True)}" for line in lines)


def log_error(log: logging.Logger, error: Exception, before: str = "") -> None:
    """`before` and an error's text; a record for each mistake of a configuration, and for at most
    `MOST_MISTAKES` of them."""
    lines = text_lines(error)
    for line in lines[:MOST_MISTAKES]:
        log.error("%s%s", before, line)
    if len(lines) > MOST_MISTAKES:
        log.error("%sand %d more mistakes, which `wsgi-wasm check` shows", before, len(lines) - MOST_MISTAKES)


class Seldom:
    """Warnings about things of one kind, each at most once in `EVERY` seconds, and about at most
    `most` of them in that time: whoever makes up new ones is mentioned once. Memory has the same
    bound."""

    EVERY = 60.0

    def __init__(self, log: logging.Logger, most: int = 20) -> None:
        self._log = log
        self._most = most
        self._said: dict[Hashable, float] = {}  # the oldest first
        self._overflow = -math.inf
        self._lock = threading.Lock()

    def warning(self, thing: Hashable, text: str) -> None:
        """Log `text` if it is time to speak of `thing`."""
        # not waited for: another thread may have held it when this process was forked
        if not self._lock.acquire(blocking=False):
            return
        try:
            text = self._due(thing, text, time.monotonic())
        finally:
            self._lock.release()
        if text:
            self._log.warning("%s", text)

    def _due(self, thing: Hashable, text: str, now: float) -> str:
        while self._said and now - next(iter(self._said.values())) >= self.EVERY:
            del self._said[next(iter(self._said))]
        if thing in self._said:
            return ""
        if len(self._said) < self._most:
            self._said[thing] = now
            return text
        if now - self._overflow < self.EVERY:
            return ""
        self._overflow = now
        return f"{text} (others like this are not logged for a minute)"


class Harmless(logging.Logger):
    """A logger whose handlers cannot fail the request that logs: what they raise is dropped with
    the record. Python's own handlers raise nothing, but others do."""

    lost = 0
    """Records that handlers have raised an exception for, of all loggers of the process."""

    def callHandlers(self, record: logging.LogRecord) -> None:
        """As `logging.Logger.callHandlers`."""
        try:
            super().callHandlers(record)
        except Exception:
            Harmless.lost += 1


_ONE_LINE = OneLine()


def package_log(name: str) -> logging.Logger:
    """The logger `wsgi_wasm.NAME`. Modules of the package log through no other."""
    log = logging.getLogger(f"{OWN}.{name}")
    log.addFilter(_ONE_LINE)
    if type(log) is logging.Logger:  # an application may have made a class of its own the default
        log.__class__ = Harmless
    return log
