"""The directories whose programs a web server runs: one that is named, or those that an
`httpd.conf` says.

Of Apache's configuration only what says where programs lie is read: ScriptAlias, ScriptAliasMatch,
and `<Directory>` with ExecCGI and a handler. Conditions (`<IfModule>`) are taken to be true, so
that nothing is missed; `.htaccess` files are not looked for.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.messages import escaped, quote, reason
from wsgi_wasm.migration.walk import opened

_MOST_FILES, _MOST_DEPTH, _MOST_BYTES = 1000, 10, 4 << 20
_HANDLERS = ("cgi-script", "application/x-httpd-cgi")


@dataclass(frozen=True, slots=True)
class ProgramPlace:
    """A directory of programs. `url` is where the server has it, "" if that is not known.
    `suffixes` and `names` are those of its programs; None: every file is one, as in a directory of
    ScriptAlias."""

    directory: Path
    url: str = ""
    suffixes: frozenset[str] | None = None
    names: frozenset[str] | None = None

    def runs(self, name: str) -> bool:
        """Whether the server would run this file, by its path below the directory."""
        if self.names is not None:
            return name in self.names
        return self.suffixes is None or os.path.splitext(name)[1].lower() in self.suffixes


@dataclass(slots=True)
class HttpdPlaces:
    """What a configuration says, in its order; what could not be followed is in `remarks`."""

    places: list[ProgramPlace] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def places_of_httpd(file: Path) -> HttpdPlaces:
    """The directories of programs that a configuration names. Raises WsgiWasmError where it cannot
    be read."""
    reader = _Configuration(file)
    for where, words in reader.directives(file, 0):
        reader.take(where, words)
    found = HttpdPlaces(remarks=reader.remarks)
    for place in [*reader.aliased, *reader.executable()]:
        if not place.directory.is_dir():
            found.remarks.append(f"{escaped(place.directory)}: is not a directory, or cannot be read")
        elif not any(_covers(other, place) for other in found.places):
            found.places.append(place)
    return found


def _covers(other: ProgramPlace, place: ProgramPlace) -> bool:
    everything = other.suffixes is None and other.names is None
    return other.directory == place.directory and (everything or other == place)


@dataclass(slots=True)
class _DirectorySection:
    """A `<Directory>`: whether it runs programs, and which."""

    path: str
    executes: bool = False
    every_file: bool = False
    suffixes: set[str] = field(default_factory=set)


class _Configuration:
    """Reads directives one after the other."""

    def __init__(self, file: Path) -> None:
        self.aliased: list[ProgramPlace] = []
        self.remarks: list[str] = []
        self._root = file.absolute().parent
        self._defines: dict[str, str] = {}
        self._sections: list[_DirectorySection | str] = []
        self._closed: list[_DirectorySection] = []
        self._suffixes: set[str] = set()
        self._files = 0

    def directives(self, file: Path, depth: int) -> Iterator[tuple[str, list[str]]]:
        """Each directive of a file and of those that it includes, with its place."""
        self._files += 1
        for number, line in self._lines(file, depth):
            where = f"{file}:{number}"
            try:
                words = _words(self._expanded(line))
            except ValueError:
                self.remarks.append(f"{where}: cannot be read: {quote(line)}")
                continue
            if words and words[0].lower() in ("include", "includeoptional"):
                yield from self._included(where, words[1:], depth)
            elif words:
                yield where, words

    def _lines(self, file: Path, depth: int) -> Iterator[tuple[int, str]]:
        try:
            with opened(file) as one:
                text = one.read(_MOST_BYTES).decode("utf-8", "surrogateescape")
        except OSError as error:
            if not depth:
                raise WsgiWasmError(f"{escaped(file)}: cannot be read: {reason(error)}") from None
            self.remarks.append(f"{file}: cannot be read: {reason(error)}")
            return
        begun, start = "", 0
        for number, line in enumerate(text.split("\n"), 1):
            start = start if begun else number
            if line.rstrip("\r").endswith("\\"):
                begun += line.rstrip("\r")[:-1] + " "
                continue
            whole, begun = (begun + line).strip(), ""
            if whole and not whole.startswith("#"):
                yield start, whole

    def _included(self, where: str, patterns: Iterable[str], depth: int) -> Iterator[tuple[str, list[str]]]:
        for pattern in patterns:
            path = os.path.join(self._root, pattern)
            names = sorted(glob.glob(path)) if glob.has_magic(path) else [path]
            if os.path.isdir(path):
                names = sorted(os.path.join(path, name) for name in os.listdir(path))
            for name in names:
                if depth >= _MOST_DEPTH or self._files >= _MOST_FILES:
                    self.remarks.append(f"{where}: too many files are included: {escaped(name)} was left out")
                    return
                yield from self.directives(Path(name), depth + 1)

    def _expanded(self, line: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda one: self._defines.get(one[1], one[0]), line)

    def take(self, where: str, words: list[str]) -> None:
        """One directive."""
        name, values = words[0].lower(), words[1:]
        if name.startswith("</"):
            if self._sections and isinstance(closed := self._sections.pop(), _DirectorySection):
                self._closed.append(closed)
        elif name.startswith("<"):
            self._open(where, name[1:], values)
        elif name == "define" and len(values) == 2:
            self._defines[values[0]] = values[1]
        elif name == "serverroot" and values:
            self._root = Path(os.path.join(self._root, values[0]))
        elif name == "scriptalias" and values:
            url = values[0] if len(values) > 1 else next((s for s in self._sections if isinstance(s, str)), "")
            self._alias(where, url, values[-1])
        elif name == "scriptaliasmatch" and len(values) > 1:
            self._alias(where, values[0], values[1].partition("$")[0])
        elif values:
            self._handlers(name, [value.lower() for value in values])

    def _open(self, where: str, name: str, values: list[str]) -> None:
        path = values[0] if values else ""
        if name == "directory" and path and not re.search(r"[*?\[~]", path):
            self._sections.append(_DirectorySection(path))
        else:
            if name in ("directory", "directorymatch"):
                self.remarks.append(f"{where}: <{name.title()} {escaped(path)}> is a pattern, which was not followed")
            self._sections.append(path if name == "location" else "")

    def _handlers(self, name: str, values: list[str]) -> None:
        section = next((one for one in reversed(self._sections) if isinstance(one, _DirectorySection)), None)
        if name == "addhandler" and values[0] in _HANDLERS:
            target = self._suffixes if section is None else section.suffixes
            target |= {f".{suffix.lstrip('.')}" for suffix in values[1:]}
        elif section is not None and name == "options":
            section.executes = not {"-execcgi", "none"} & set(values) and (
                section.executes or bool({"execcgi", "+execcgi", "all"} & set(values))
            )
        elif section is not None and name == "sethandler" and values[0] in _HANDLERS:
            section.every_file = True

    def _alias(self, where: str, url: str, target: str) -> None:
        path = Path(os.path.join(self._root, target))
        if "${" in target:
            self.remarks.append(f"{where}: {escaped(target)}: nothing here defines the variable")
        elif path.is_file():
            self.aliased.append(ProgramPlace(path.parent, url, names=frozenset({path.name})))
        else:
            self.aliased.append(ProgramPlace(path, url))

    def executable(self) -> Iterator[ProgramPlace]:
        """Directories that run programs and are no target of ScriptAlias."""
        for section in self._closed:
            suffixes = frozenset(self._suffixes | section.suffixes)
            if section.executes and (section.every_file or suffixes):
                path = Path(os.path.join(self._root, section.path))
                yield ProgramPlace(path, suffixes=None if section.every_file else suffixes)


def _words(line: str) -> list[str]:
    """A directive's words. Raises ValueError for a quote that is not closed."""
    if line.startswith("<"):
        line = re.sub(r"^<\s*(/?\w+)\s*", r"<\1 ", line.rstrip().removesuffix(">"))
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""
    return list(lexer)
