"""Runs while the component is built: imports what scripts may import, for at run time no module has
a file any more.

Imported modules cost a request nothing until it touches them: the snapshot's pages are shared
until written to.
"""

import atexit
import gc
import importlib
import linecache
import os
import pkgutil
import sys
import warnings
import weakref

import wsgi_wasm_library
import wsgi_wasm_processes
import wsgi_wasm_substitutes
import wsgi_wasm_system

STDLIB = os.path.dirname(linecache.__file__)  # not of `os`, which is frozen into the interpreter

# What acts when it is imported, is for a terminal or another system, or only builds and tests.
LEFT_OUT = {
    "__hello__", "__phello__", "_pyrepl", "_sysconfigdata__wasi_wasm32-wasi", "antigravity", "cProfile",
    "ensurepip", "idlelib", "nturl2path", "pip", "profile", "pty", "site-packages", "this",
    "tkinter", "tty", "turtle", "turtledemo", "venv",
}  # fmt: skip
# gone from the standard library since Python 3.13; from the package legacy-cgi
PACKAGES = ("cgi", "cgitb")


def import_everything() -> list[str]:
    """Imports all modules of the standard library, and gives those that this
    platform cannot have."""
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


wsgi_wasm_system.put_in_place()
missing = import_everything()
wsgi_wasm_library.keep(STDLIB, {*LEFT_OUT, *missing}, [sys.modules[name].__file__ for name in PACKAGES])
wsgi_wasm_substitutes.put_in_place()
wsgi_wasm_processes.put_in_place()
