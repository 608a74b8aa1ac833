"""Patterns of httpd's that can be said without one. They are read as text, never run, so none can
take long."""

from __future__ import annotations

import re
from typing import NamedTuple

_SUFFIX = r"\.?[A-Za-z0-9_+-]{1,32}"
_LITERAL = r"(?:[A-Za-z0-9_/~ -]|\\[.~-]){1,1024}"


class FileNames(NamedTuple):
    """What a <Files> or <FilesMatch> section stands for: suffixes, or names that begin with a dot,
    or neither, where it can not be said."""

    suffixes: tuple[str, ...]
    hidden: bool


def file_names(section: str, args: list[str]) -> FileNames:
    """The files of a section."""
    is_regex = section == "filesmatch" or args[:1] == ["~"]
    pattern = args[-1] if args else ""
    hidden = pattern.startswith(("^\\.", "^\\.ht", "^(\\.") if is_regex else ".")
    if len(pattern) > 2000:
        return FileNames((), hidden)
    if not is_regex:
        match = re.fullmatch(rf"\*(\.{_SUFFIX})", pattern)
        return FileNames((match[1].lower(),) if match else (), hidden)
    match = re.fullmatch(rf"(?:\.[*+])?\\\.(?:\((?:\?:)?({_SUFFIX}(?:\|{_SUFFIX})*)\)|({_SUFFIX}))\$", pattern)
    if match is None:
        return FileNames((), hidden)
    names = (match[1] or match[2]).split("|")
    return FileNames(tuple(f".{name.lower()}" for name in names), hidden)


def prefix_of(pattern: str, target: str) -> tuple[str, str] | None:
    """Path and directory of an AliasMatch that maps everything below a path, such as
    `^/cgi-bin/(.*)$` to `/usr/lib/cgi-bin/$1`; None for others."""
    if len(pattern) > 2000 or len(target) > 4000:
        return None
    match = re.fullmatch(rf"\^({_LITERAL})\(\.[*+]\)\$?", pattern)
    if match is None or not target.endswith("$1") or "$" in target[:-2] or "\\" in target:
        return None
    path = re.sub(r"\\(.)", r"\1", match[1])
    directory = target[:-2]
    if not path.startswith("/") or path.endswith("/") is not directory.endswith("/"):
        return None  # it would also map what merely begins alike
    return path, directory


def is_plain(path: str) -> bool:
    """Whether the path of a section is no pattern."""
    return not any(sign in path for sign in "*?[")
