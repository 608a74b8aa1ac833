"""Runs while the component is built: imports what scripts may import, for at run time no module has a file any more.

Imported modules cost a request nothing until it touches them: the snapshot's pages are shared until written to.
"""

import atexit
import functools
import gc
import importlib
import linecache
import os
import pkgutil
import sqlite3
import sys
import warnings
import weakref
import zoneinfo

STDLIB = os.path.dirname(linecache.__file__)  # not of `os`, which is frozen into the interpreter

# What acts when it is imported, is for a terminal or another system, or only builds and tests.
LEFT_OUT = {
    "__hello__", "__phello__", "_pyrepl", "_sysconfigdata__wasi_wasm32-wasi", "antigravity", "cProfile",
    "ensurepip", "idlelib", "nturl2path", "pip", "profile", "pty", "site-packages", "this",
    "tkinter", "tty", "turtle", "turtledemo", "venv",
}  # fmt: skip
FACTORY = 5  # which of the arguments of `sqlite3.connect` the class of connections is
PACKAGES = ("cgi", "cgitb")  # gone from the standard library since Python 3.13; from the package legacy-cgi


def import_everything() -> list[str]:
    """Imports all modules of the standard library, and gives those that this platform cannot have."""
    missing = []

    def failed(name: str) -> None:
        missing.append(name)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.iter_modules([STDLIB]):
            if module.name not in LEFT_OUT:
                _import(module.name, missing)
                if module.ispkg and module.name in sys.modules:
                    below = sys.modules[module.name].__path__
                    for inner in pkgutil.walk_packages(below, f"{module.name}.", failed):
                        if not inner.name.endswith("__main__"):
                            _import(inner.name, missing)
        for name in PACKAGES:
            importlib.import_module(name)
    return missing


def _import(name: str, missing: list[str]) -> None:
    try:
        importlib.import_module(name)
    except Exception:
        missing.append(name)


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
    import io
    from zoneinfo import _common

    def load(key: str) -> io.BytesIO:
        try:
            return io.BytesIO(zones[key])
        except KeyError:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}") from None

    _common.load_tzdata = load
    zoneinfo.available_timezones = lambda: set(zones)
    zoneinfo.reset_tzpath([])


class Connection(sqlite3.Connection):
    """Whose random numbers are the host's. SQLite itself finds no /dev/urandom here and seeds its own by the second."""

    def __init__(self, *arguments, **named) -> None:
        super().__init__(*arguments, **named)
        self.create_function("random", 0, _random)
        self.create_function("randomblob", 1, _random_blob)


def _random() -> int:
    number = int.from_bytes(os.urandom(8))
    rest = number & (1 << 63) - 1  # never the smallest of all, for which SQLite's abs() has no answer
    return -rest if number >> 63 else rest


def _random_blob(size: int | float | str | bytes | None) -> bytes:
    try:
        count = int(size or 0)
    except ValueError:
        count = 0
    return os.urandom(max(count, 1))


def connect_with_random_numbers() -> None:
    """Has `sqlite3.connect` make connections of the class above, and scripts derive theirs from it."""
    original = sqlite3.connect

    @functools.wraps(original)
    def connect(*arguments, **named) -> sqlite3.Connection:
        if len(arguments) < FACTORY:
            named.setdefault("factory", Connection)
        return original(*arguments, **named)

    Connection.__module__, Connection.__qualname__ = "sqlite3", "Connection"
    for module in (sqlite3, sqlite3.dbapi2):
        module.connect, module.Connection = connect, Connection


def forget_the_build() -> None:
    """What belongs to the machine and the moment of the build must be in no request."""
    os.environ.clear()
    sys.argv[:] = []
    sys.path[:] = []
    sys.path_importer_cache.clear()
    linecache.clearcache()
    atexit._clear()  # logging's comes back with each request, and `weakref` has to register again
    weakref.finalize._registered_with_atexit = False
    sys.dont_write_bytecode = True  # where a script may write, the next one would run it


def keep() -> None:
    """The last thing before the snapshot is taken."""
    gc.collect()
    gc.freeze()  # no collection looks at the snapshot's objects, which would copy their pages


missing = import_everything()
keep_time_zones(time_zones())
connect_with_random_numbers()
