"""Reads a configuration with all that it includes: what is left are the directives that count,
each with its arguments, and sections."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers.apache.conditions import CONDITIONAL, Conditions
from wsgi_wasm.importers.apache.syntax import Directive, mistake, parse
from wsgi_wasm.importers.apache.table import shown
from wsgi_wasm.importers.report import ImportReport, SourceLine
from wsgi_wasm.importers.text_files import read_text
from wsgi_wasm.messages import escaped

MOST_FILES = 1000
MOST_LINES = 50_000
_DEEPEST = 20  # files that include each other
_MOST_ENTRIES = 20_000  # of directories, for one pattern


@dataclass(slots=True)
class ConfigItem:
    """A directive that counts, or a section (`items` is not None)."""

    name: str
    args: list[str]
    place: SourceLine
    items: list[ConfigItem] | None = None


@dataclass(slots=True)
class Source:
    """One import: the report, what is defined, and how much was read."""

    report: ImportReport
    defined: Mapping[str, str | None] = field(default_factory=dict)
    server_root: Path = Path("/")
    access_names: tuple[str, ...] = (".htaccess",)
    conditions: Conditions = field(init=False)
    _htaccess: dict[Path, list[ConfigItem]] = field(default_factory=dict)
    _is_guessed: bool = True  # whether no line has said where relative paths start
    _files: int = 0
    _lines: int = 0
    _stack: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conditions = Conditions(self.defined)

    def read(self, file: Path) -> list[ConfigItem]:
        """The items of a file and of those that it includes. Raises ConfigError."""
        self._files += 1
        if self._files > MOST_FILES:
            raise ConfigError([Problem(str(file), 0, 0, f"more than {MOST_FILES} files are too many for one site")])
        self._stack.append(file)
        items = list(self._items(parse(read_text(file), file)))
        self._stack.pop()
        return items

    def htaccess(self, file: Path) -> list[ConfigItem]:
        """The items of a directory's own file, which is read once. A file that cannot be read, or
        has mistakes, is a decision: httpd answers such a directory with 500."""
        known = self._htaccess.get(file)
        if known is None:
            try:
                known = self.read(file)
            except ConfigError as error:
                known = []
                place = SourceLine(file, error.problems[0].line if error.problems else 0)
                self.report.decide(place, escaped(error))
            self._htaccess[file] = known
        return known

    def _items(self, directives: list[Directive]) -> Iterator[ConfigItem]:
        for one in directives:
            self._lines += 1
            if self._lines > MOST_LINES:
                raise mistake(one.place, f"more than {MOST_LINES} lines are too many for one site")
            args = self.conditions.words(one)
            self.report.line(one.place, shown(one))
            if one.name in CONDITIONAL and one.children is not None:
                yield from self._conditional(one, one.children)
            elif one.children is not None:
                yield ConfigItem(one.name, args, one.place, list(self._items(one.children)))
            elif one.name in ("include", "includeoptional"):
                yield from self._included(one, args)
            else:
                self._note(one, args)
                yield ConfigItem(one.name, args, one.place)

    def _conditional(self, section: Directive, children: list[Directive]) -> Iterator[ConfigItem]:
        why = self.conditions.skipped(section)
        if why is None:
            self.report.kept(section.place, "its lines count")
            yield from self._items(children)
        else:
            self.report.dropped(section.place, why)
            self._drop(children, why)

    def _drop(self, directives: list[Directive], why: str) -> None:
        for one in directives:
            self._lines += 1
            self.report.line(one.place, shown(one))
            self.report.dropped(one.place, why)
            self._drop(one.children or [], why)

    def _note(self, one: Directive, args: list[str]) -> None:
        """What changes how the next lines are read."""
        report = self.report
        if one.name == "define" and args:
            self.conditions.define(args)
            report.kept(one.place, "its value stands where it is used")
        elif one.name == "undefine" and args:
            self.conditions.undefine(args[0])
            report.kept(one.place, "its value no longer stands")
        elif one.name == "loadmodule" and args:
            self.conditions.load(args)
        elif one.name == "accessfilename" and args:
            self.access_names = tuple(name for name in args if "/" not in name)
            report.kept(one.place, "the files of that name are read")
        elif one.name == "serverroot" and args:
            self.server_root, self._is_guessed = Path(os.path.join(self.server_root, args[0])), False
            report.kept(one.place, "relative paths start there")

    # --- Include ---

    def _included(self, one: Directive, args: list[str]) -> Iterator[ConfigItem]:
        report, place = self.report, one.place
        if len(args) != 1:
            raise mistake(place, f"{one.spelled} takes one file or pattern")
        if len(self._stack) > _DEEPEST:
            raise mistake(place, f"includes are more than {_DEEPEST} files deep")
        pattern = os.path.join(self.server_root, args[0])
        files = self._matching(pattern, place)
        if not files and self._is_guessed:
            # A file of Debian's sites-available, by itself: paths start one directory above.
            files = self._matching(os.path.join(self.server_root.parent, args[0]), place)
        if not files:
            if one.name == "includeoptional":
                report.dropped(place, "no file has that name")
            else:
                report.decide(place, f"{escaped(pattern)} is not there, so its lines are not in the site")
            return
        for file in files:
            real = Path(os.path.realpath(file))
            if any(Path(os.path.realpath(other)) == real for other in self._stack):
                raise mistake(place, f"includes {escaped(file)}, which includes this file")
            if self._files >= MOST_FILES:
                raise mistake(place, f"more than {MOST_FILES} files are too many for one site")
            try:
                os.stat(file)
            except OSError:
                report.decide(place, f"{escaped(file)} cannot be read, so its lines are not in the site")
                continue
            if not os.path.isfile(file):
                report.decide(place, f"{escaped(file)} is not a regular file, so it is not in the site")
                continue
            report.kept(place, f"{escaped(file)} is read")
            yield from self.read(file)

    def _matching(self, pattern: str, place: SourceLine) -> list[Path]:
        """The files of a path or pattern, sorted in each directory as httpd does; of a directory
        all files below it."""
        found = [Path("/")]
        visited = 0
        for part in Path(os.path.abspath(pattern)).parts[1:]:
            if not any(sign in part for sign in "*?["):
                found = [path / part for path in found]
                continue
            matching = []
            for path in found:
                names = _names(path)
                visited += len(names)
                if visited > _MOST_ENTRIES:
                    raise mistake(place, f"has to look at more than {_MOST_ENTRIES} files")
                matching += [path / name for name in names if _fits(name, part)]
            found = matching
        files: list[Path] = []
        for path in found:
            if os.path.isdir(path):
                for directory, below, names in os.walk(path):
                    below.sort()
                    files += [Path(directory) / name for name in sorted(names)]
                    if len(files) > MOST_FILES:
                        raise mistake(place, f"more than {MOST_FILES} files are too many for one site")
            elif os.path.lexists(path):
                files.append(path)
        return files


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))
