"""`log` of the file, and WSGI_WASM_LOG, which overrides it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from wsgi_wasm import log_output
from wsgi_wasm.config.nodes import Reading
from wsgi_wasm.errors import Problem
from wsgi_wasm.messages import did_you_mean, listed, quote

VARIABLE = "WSGI_WASM_LOG"

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What goes into the log: the lowest level, None for the server's own, and in which form."""

    level: str | None = None
    format: str = "text"


_UNSAID = Log()


def apply_log(log: Log, before: Log = _UNSAID) -> None:
    """Have this process log as `log` says, where that is not what was said before."""
    if log != before:
        log_output.choose(log.level, json=log.format == "json")


def chosen_log(log: Log, reading: Reading) -> Log:
    """`log` with what the variable says: a level, a form or both, with a space or a comma between.
    What it cannot be is a mistake like those of the file."""
    for word in filter(None, re.split(r"[\s,]+", reading.environ.get(VARIABLE, ""))):
        if word in LEVELS:
            log = replace(log, level=word)
        elif word in FORMATS:
            log = replace(log, format=word)
        else:
            known = (*LEVELS, *FORMATS)
            message = f"{quote(word)} is none of {listed(known)}{did_you_mean(word, known)}"
            reading.problems.add(Problem(VARIABLE, 0, 0, message))
    return log
