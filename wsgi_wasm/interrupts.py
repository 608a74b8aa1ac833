"""Ctrl-C while a command is being loaded.

Python raises KeyboardInterrupt in whatever line is running. Inside an import that may be one where
an exception is printed and forgotten, or one before anybody can catch it. As nothing has begun that
wants to be tidied up, the process simply ends.
"""

from __future__ import annotations

import os
import signal

STATUS = 130  # what a shell reports for a process that SIGINT ended


def end_at_once() -> None:
    """From now on Ctrl-C ends this process without a word, unless somebody else handles it or it is
    ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        _handle(_end)


def raise_again() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        _handle(signal.default_int_handler)


def _end(number: int, frame: object) -> None:
    os._exit(STATUS)


def _handle(handler: signal._HANDLER) -> None:
    try:
        signal.signal(signal.SIGINT, handler)
    except ValueError:
        return  # not the main thread, which alone may do this and alone is interrupted
