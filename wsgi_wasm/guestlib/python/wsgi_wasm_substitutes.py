"""What the standard library takes from its machine and a guest has not: time zones, random numbers
of SQLite, temporary files. Runs while the component is built."""

import functools
import io
import os
import sqlite3
import tempfile
import zoneinfo._common

FACTORY = 5  # which of the arguments of `sqlite3.connect` the class of connections is


def put_in_place() -> None:
    """All of them. Scripts see the library's own names."""
    keep_time_zones(time_zones())
    connect_with_random_numbers()
    keep_temporary_files()


def time_zones() -> dict[str, bytes]:
    """The files of the package tzdata, which `zoneinfo` would look for on the disk."""
    import tzdata

    root = os.path.join(os.path.dirname(tzdata.__file__), "zoneinfo")
    zones = {}
    with open(os.path.join(os.path.dirname(tzdata.__file__), "zones"), encoding="utf-8") as names:
        for name in names.read().split():
            with open(os.path.join(root, *name.split("/")), "rb") as file:
                zones[name] = file.read()
    return zones


def keep_time_zones(zones: dict[str, bytes]) -> None:
    """Has `zoneinfo` read from memory."""

    def load(key: str) -> io.BytesIO:
        try:
            return io.BytesIO(zones[key])
        except KeyError:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}") from None

    zoneinfo._common.load_tzdata = load
    zoneinfo.available_timezones = lambda: set(zones)
    zoneinfo.reset_tzpath([])


class Connection(sqlite3.Connection):
    """Whose random numbers are the host's. SQLite finds no /dev/urandom here, and its own are
    always the same."""

    def __init__(self, *arguments, **named) -> None:
        super().__init__(*arguments, **named)
        self.create_function("random", 0, _random)
        self.create_function("randomblob", 1, _random_blob)


def _random() -> int:
    number = int.from_bytes(os.urandom(8))
    # never the smallest of all, for which SQLite's abs() has no answer
    rest = number & (1 << 63) - 1
    return -rest if number >> 63 else rest


def _random_blob(size: int | float | str | bytes | None) -> bytes:
    try:
        count = int(size or 0)
    except ValueError:
        count = 0
    return os.urandom(max(count, 1))


def connect_with_random_numbers() -> None:
    """Has `sqlite3.connect` make connections of the class above, and scripts derive
    theirs from it."""
    original = sqlite3.connect

    @functools.wraps(original)
    def connect(*arguments, **named) -> sqlite3.Connection:
        if len(arguments) < FACTORY:
            named.setdefault("factory", Connection)
        return original(*arguments, **named)

    # Gone since Python 3.14; older programs look at them.
    sqlite3.version, sqlite3.version_info = sqlite3.dbapi2.version, sqlite3.dbapi2.version_info = "2.6.0", (2, 6, 0)
    Connection.__module__, Connection.__qualname__ = "sqlite3", "Connection"
    for module in (sqlite3, sqlite3.dbapi2):
        module.connect, module.Connection = connect, Connection


def keep_temporary_files() -> None:
    """Has files without a name lie in memory where there is no directory for them: `cgi` puts
    uploads into such."""
    original = tempfile.TemporaryFile

    @functools.wraps(original)
    def temporary_file(
        mode="w+b", buffering=-1, encoding=None, newline=None, suffix=None, prefix=None, dir=None, **rest
    ):
        if dir is None:
            try:
                tempfile.gettempdir()
            except FileNotFoundError:
                if "b" in mode:
                    return io.BytesIO()
                return io.TextIOWrapper(io.BytesIO(), encoding or "utf-8", rest.get("errors"), newline)
        return original(mode, buffering, encoding, newline, suffix, prefix, dir, **rest)

    tempfile.TemporaryFile = temporary_file
