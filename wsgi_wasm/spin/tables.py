"""Reading TOML tables strictly: each key is asked for by name and kind, and what nobody asked for
is a mistake.

TOML's parser keeps no places, so a mistake is named by the file and the path of its key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsgi_wasm.config.nodes import path_of
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.files.text import decoded, encoding_hint
from wsgi_wasm.messages import did_you_mean, escaped, quote, reason

MAX_BYTES = 1 << 20


@dataclass(slots=True)
class ManifestReading:
    """One run over one file, and the problems found so far. `base` is where the
    file's paths start."""

    file: str
    base: Path
    problems: set[Problem] = field(default_factory=set)

    def report(self, path: str, message: str) -> None:
        """Note a mistake at the key `path`, which is empty for the file as a whole."""
        self.problems.add(Problem(self.file, 0, 0, f"{escaped(path)}: {message}" if path else message))

    def check(self) -> None:
        """Raises ConfigError if there were problems."""
        if self.problems:
            raise ConfigError(list(self.problems))


def read_toml(path: Path) -> TomlTable:
    """The file's top level. Raises ConfigError where it cannot be read or is no TOML."""
    reading = ManifestReading(file=str(path), base=path.absolute().parent)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            reading.report("", "larger than 1 MiB")
        else:
            top = tomllib.loads(decoded(data))
            for key_path in _with_nul(top, ""):
                reading.report(key_path, "the text contains NUL")
            reading.check()
            return TomlTable(top, "", reading)
    except OSError as error:
        reading.report("", f"cannot be read: {reason(error)}")
    except UnicodeDecodeError as error:
        reading.report("", f"not UTF-8 at byte {error.start}{encoding_hint(data)}")
    except tomllib.TOMLDecodeError as error:
        reading.report("", f"not TOML: {error}")
    except RecursionError:
        reading.report("", "not TOML: nested too deep")
    raise ConfigError(list(reading.problems))


def _with_nul(value: Any, path: str) -> Iterator[str]:
    """The paths of keys and texts with NUL, which can be in no name of a file and no variable."""
    match value:
        case str() if "\0" in value:
            yield path
        case dict():
            for key, inner in value.items():
                if "\0" in key:
                    yield path_of(path, key)
                yield from _with_nul(inner, path_of(path, key))
        case list():
            for number, inner in enumerate(value):
                yield from _with_nul(inner, f"{path}[{number}]")


def kind_of(value: Any) -> str:
    """What a value is, for messages."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value)
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return str(value)


class TomlTable:
    """One table. Ask for its keys, then `close` it: keys that were not asked for are reported."""

    def __init__(self, data: Mapping[str, Any], path: str, reading: ManifestReading) -> None:
        self.data = data
        self.path = path
        self.reading = reading
        self._known: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def at(self, name: str) -> str:
        """The key's path in messages."""
        return path_of(self.path, name)

    def report(self, name: str, message: str) -> None:
        """Note a mistake at a key of this table, at the table itself for an empty name."""
        self.reading.report(self.at(name) if name else self.path, message)

    def close(self) -> None:
        """Report what nobody asked for."""
        for name in self.data:
            if name not in self._known:
                near = did_you_mean(name, tuple(self._known))
                self.reading.report(self.path, f"unknown key {quote(name)}{near}")

    def ignore(self, *names: str) -> None:
        """Keys that may be there and mean nothing here."""
        self._known.update(dict.fromkeys(names))

    def value(self, name: str) -> Any:
        """The key's value as it is, None without one."""
        self._known[name] = None
        return self.data.get(name)

    def text(self, name: str, default: str = "", *, required: bool = False) -> str:
        """A string."""
        value = self._typed(name, str, "a text")
        if value is None and required and name not in self.data:
            self.reading.report(self.path, f"needs the key {quote(name)}")
        return default if value is None else value

    def flag(self, name: str) -> bool:
        """True or false; false without the key."""
        return bool(self._typed(name, bool, "true or false"))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self._typed(name, list, "a list of texts") or []
        for number, value in enumerate(values):
            if not isinstance(value, str):
                self.reading.report(f"{self.at(name)}[{number}]", f"expected a text, found {kind_of(value)}")
        return tuple(value for value in values if isinstance(value, str))

    def text_table(self, name: str) -> dict[str, str]:
        """A table of strings."""
        found = self._typed(name, dict, "a table of texts") or {}
        for key, value in found.items():
            if not isinstance(value, str):
                hint = f"; write {quote(str(value))}" if isinstance(value, int | float) else ""
                self.reading.report(path_of(self.at(name), key), f"expected a text, found {kind_of(value)}{hint}")
        return {key: value for key, value in found.items() if isinstance(value, str)}

    def table(self, name: str) -> TomlTable | None:
        """A table, None without the key."""
        found = self._typed(name, dict, "a table")
        return None if found is None else TomlTable(found, self.at(name), self.reading)

    def tables(self, name: str) -> Iterator[tuple[str, TomlTable]]:
        """The entries of a table of tables, by key."""
        found = self._typed(name, dict, "a table") or {}
        for key, value in found.items():
            key_path = path_of(self.at(name), key)
            if isinstance(value, dict):
                yield key, TomlTable(value, key_path, self.reading)
            else:
                self.reading.report(key_path, f"expected a table, found {kind_of(value)}")

    def array(self, name: str) -> Iterator[TomlTable]:
        """The entries of an array of tables."""
        found: Sequence[Any] = self._typed(name, list, f"tables; write [[{self.at(name)}]]") or ()
        for number, value in enumerate(found):
            key_path = f"{self.at(name)}[{number}]"
            if isinstance(value, dict):
                yield TomlTable(value, key_path, self.reading)
            else:
                self.reading.report(key_path, f"expected a table, found {kind_of(value)}")

    def _typed(self, name: str, kind: type, noun: str) -> Any:
        value = self.value(name)
        if value is None or isinstance(value, kind):
            return value
        self.report(name, f"expected {noun}, found {kind_of(value)}")
        return None
