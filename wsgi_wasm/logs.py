"""The package's loggers. Whatever stands in a record of theirs is one line, under every server.

Servers and applications bring handlers and formatters of their own, so this is done where records
begin.
"""

from __future__ import annotations

import logging
import traceback

from wsgi_wasm.errors import text_lines
from wsgi_wasm.messages import printable, shorten

MOST_LOGGED = 20_000
"""Characters of a record's message; what is longer is cut."""

MOST_TRACED = 200  # lines of a traceback; the middle of a longer one is left out


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
    """`before` and an error's text; a record for each mistake of a configuration."""
    for line in text_lines(error):
        log.error("%s%s", before, line)


_ONE_LINE = OneLine()


def package_log(name: str) -> logging.Logger:
    """The logger `wsgi_wasm.NAME`. Modules of the package log through no other."""
    log = logging.getLogger(f"wsgi_wasm.{name}")
    log.addFilter(_ONE_LINE)
    return log
