"""Imports what a site wants to find imported, while the component is built.

Packages and the site's own modules lie elsewhere during the build (/2) than when scripts run
(/usr/lib/python/packages). What they remember of their places must be right then, so until the
snapshot is taken, the functions that lead to files take the later paths.
"""

import _io
import builtins
import contextlib
import functools
import importlib
import io
import json
import os
import posix
import sys
from collections.abc import Callable, Iterator

SETTINGS = "wsgi_wasm_settings.json"  # beside this file; interpreters/python.py writes it

# Functions whose first argument is a path.
_OF_PATHS = ("stat", "lstat", "open", "listdir", "scandir", "readlink", "access", "chdir")


class Failed(Exception):
    """A module that the site wants cannot be imported."""


def settings() -> dict:
    """What the builder has written; nothing to add where there is none."""
    try:
        with open(os.path.join(os.path.dirname(__file__), SETTINGS), encoding="ascii") as file:
            return json.load(file)
    except FileNotFoundError:
        return {"preload": [], "places": {}}


def preload(names: list[str], places: dict[str, str]) -> None:
    """Import modules from `places`, later paths with those of now. Raises Failed."""
    sys.path[:0] = list(places)
    with _as_if_there(places):
        hide_own(list(places)[:1])
        for name in names:
            try:
                importlib.import_module(name)
            except Exception as error:
                raise Failed(f"preload: {name}: {type(error).__name__}: {error}") from error
    del sys.path[: len(places)]


def hide_own(folders: list[str]) -> None:
    """Modules of the site's own go before those of the standard library, as with PYTHONPATH."""
    for folder in folders:
        if folder.endswith("/library"):
            for name in {name.partition(".")[0] for name in os.listdir(folder)} & sys.stdlib_module_names:
                for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
                    del sys.modules[known]


@contextlib.contextmanager
def _as_if_there(places: dict[str, str]) -> Iterator[None]:
    now = True

    def led(path):
        if now and isinstance(path, str | os.PathLike):
            text = os.fspath(path)
            if isinstance(text, str):
                for later, place in places.items():
                    if text == later or text.startswith(f"{later}/"):
                        return place + text[len(later) :]
        return path

    def leading(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(path=".", *arguments, **named):
            return function(led(path), *arguments, **named)

        return call

    def opened(file, *arguments, **named):
        return original(led(file), *arguments, **named)

    original = io.open
    saved = [(owner, name, getattr(owner, name)) for owner in (os, posix) for name in _OF_PATHS]
    saved += [(owner, "open", original) for owner in (io, _io, builtins)]
    saved += [(owner, "open_code", io.open_code) for owner in (io, _io)]
    for owner, name, function in saved:
        setattr(owner, name, opened if function is original else leading(function))
    try:
        yield
    finally:
        # A module may have kept one of them, which from now on changes nothing.
        now = False
        for owner, name, function in saved:
            setattr(owner, name, function)
