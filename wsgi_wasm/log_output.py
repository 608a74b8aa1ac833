"""Where the package's records go and in which form: `log` of a configuration, or WSGI_WASM_LOG.

Each server attaches the handlers of its own log. An application that has set up logging by itself
keeps what it has; of `log`, the level alone applies then.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from wsgi_wasm.logs import ABOUT, MOST_LOGGED, OWN
from wsgi_wasm.messages import shorten

TEXT = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
TIME = "[%Y-%m-%d %H:%M:%S %z]"


class Form(logging.Formatter):
    """Records of the package as text or, with `json`, as JSON objects of one line; those of others,
    who may share the handler, as `plain` has them."""

    def __init__(self, plain: logging.Formatter, *, json: bool) -> None:
        super().__init__()
        self.plain = plain
        self.json = json

    def format(self, record: logging.LogRecord) -> str:
        """As `logging.Formatter.format`."""
        if self.json and record.name.partition(".")[0] == OWN:
            return self._object(record)
        return self.plain.format(record)

    def _object(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": shorten(record.getMessage(), MOST_LOGGED),
            **getattr(record, ABOUT, {}),
        }
        if record.exc_text:
            fields["traceback"] = shorten(record.exc_text, MOST_LOGGED)
        return json.dumps(fields, ensure_ascii=False)


class _Output:
    """What is attached, and what a configuration has chosen."""

    def __init__(self) -> None:
        self.log = logging.getLogger(OWN)
        self.attached: list[logging.Handler] = []
        self.usual = logging.INFO
        self.level: str | None = None
        self.json = False

    def is_ours(self) -> bool:
        """Whether nobody else has set up logging."""
        return self.log.handlers == self.attached and not logging.getLogger().handlers

    def apply(self) -> None:
        if self.level is not None:
            self.log.setLevel(self.level.upper())
        elif self.attached:
            self.log.setLevel(self.usual)
        if self.is_ours():
            for handler in self.attached:
                plain = handler.formatter or logging.Formatter()
                plain = plain.plain if isinstance(plain, Form) else plain
                handler.setFormatter(Form(plain, json=self.json))


_output = _Output()


def attach(handlers: Sequence[logging.Handler], level: int = logging.INFO) -> None:
    """Have the package's records go to these handlers, in place of any that were attached before;
    from `level` on, where nothing else was chosen. Nothing changes where somebody else has set up
    logging."""
    if not _output.is_ours():
        return
    _output.attached = list(handlers)
    _output.usual = level
    _output.log.handlers = list(handlers)
    _output.log.propagate = False
    _output.apply()


def to_stderr() -> logging.Handler:
    """A handler for standard error, in the form of gunicorn's."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(TEXT, TIME))
    return handler


def choose(level: str | None, *, json: bool) -> None:
    """What `log` says: the lowest level, None for the server's own, and whether records are JSON.

    Where there is no log yet, because the server is none that attaches one, they go to standard
    error from now on.
    """
    _output.level, _output.json = level, json
    if not _output.attached and (level is not None or json):
        attach([to_stderr()])
    _output.apply()


def for_another_process() -> list[str]:
    """What was chosen, as words for `choose_by` in a process that this one starts."""
    return [_output.level or "", "json" if _output.json else ""]


def choose_by(words: Sequence[str]) -> None:
    """Have records go to standard error, as `for_another_process` says."""
    level, form = words
    attach([to_stderr()])
    choose(level or None, json=bool(form))
