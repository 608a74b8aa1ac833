"""Which interpreter the first line of a script asks for (`#!`, execve(2), env(1))."""

from __future__ import annotations

import re

from wsgi_wasm.files.text import without_mark

LONGEST_LINE = 1024
"""Bytes; Linux reads 256. What is longer names no interpreter."""

_VERSION = re.compile(r"[0-9][0-9.]*$")
_WITH_ARGUMENT = frozenset({"-u", "--unset", "-C", "--chdir", "-a", "--argv0"})
_SPLITS = re.compile(r"(?:-[iv0]*S|--split-string=?)")


def interpreter_name(start: bytes) -> str:
    """The name after `#!` without directories and version, "" where there is none.

    `start` is the beginning of a file, of at least LONGEST_LINE bytes if it has as many.
    """
    return _plain(interpreter_asked(start))


def interpreter_asked(start: bytes) -> str:
    """The same as it is written, without quotes; its bytes are characters of Latin-1."""
    start = without_mark(start)
    if not start.startswith(b"#!"):
        return ""
    line, end, _ = start.partition(b"\n")
    if len(line) >= LONGEST_LINE and not end:
        return ""
    words = line[2:].decode("latin-1").split()
    name = words[0] if words else ""
    asked = _of_env(words[1:]) if _plain(name) == "env" else name
    return asked.strip("'\"")


def _plain(word: str) -> str:
    return unversioned(re.split(r"[/\\]", word.strip("'\""))[-1].removesuffix(".exe"))


def unversioned(name: str) -> str:
    """`python` for `python3.11`; a name of nothing but digits stays."""
    return _VERSION.sub("", name) or name


def _of_env(words: list[str]) -> str:
    """The program that `env` would start: what is left after options and variables."""
    left = iter(words)
    for word in left:
        if word in _WITH_ARGUMENT:
            next(left, "")
            continue
        split = _SPLITS.match(word)
        if split is not None:
            word = word[split.end() :]
        elif word.startswith("-"):
            continue
        if word and "=" not in word:
            return word
    return ""
