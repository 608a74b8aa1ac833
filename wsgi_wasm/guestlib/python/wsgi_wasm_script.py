"""A CGI script as the native interpreter would run it, in an interpreter that was started when the
component was built.

Everything here that is not plain execution undoes what the snapshot has frozen: environment,
streams, random state.
"""

import atexit
import contextlib
import gc
import io
import logging
import os
import random
import sys
import time
import types
import urllib.parse
import uuid
import warnings
import weakref
from collections.abc import Iterator

import wsgi_wasm_hints
import wsgi_wasm_preload
import wsgi_wasm_snapshot
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import environment, preopens
from wit_world.imports.types import Descriptor, DescriptorFlags, OpenFlags, PathFlags

USAGE = 2  # exit status, as the native interpreter's

# Variables of the gateway's own (interpreters/python.py): values that are not UTF-8, names beside
# the script that hide modules, and directories of modules behind those of PYTHONPATH.
BYTES, BESIDE, FURTHER = b"WSGI_WASM_BYTES", b"WSGI_WASM_BESIDE", b"WSGI_WASM_FURTHER"

WITHOUT_EFFECT = {"-B", "-q", "-s"}  # what they ask for is so in any case, or cannot be

# Loaded before a native interpreter looks at its path, so that no file beside the script can take
# their place.
EARLY = frozenset(sys.builtin_module_names) | {
    "__main__", "_collections_abc", "_sitebuiltins", "abc", "codecs", "encodings", "genericpath", "io", "os",
    "posixpath", "site", "stat", "zipimport",
}  # fmt: skip


class Run(exports.Run):
    """The component's one export, `wasi:cli/run`."""

    def run(self) -> None:
        """Runs the script that the arguments name. Raises Err for every exit status but 0: there is
        no other here."""
        _set_environment(environment.get_environment())
        status = _run(environment.get_arguments()[1:])
        if status:
            raise Err(None)


def _run(arguments: list[str]) -> int:
    if "PYTHONIOENCODING" in os.environ or "PYTHONUNBUFFERED" in os.environ:
        _open_streams()  # those of the snapshot will not do
    _wake()
    argv = _options(arguments)
    if not argv:
        print("there is no script to run; in `args`, {script} stands for the script", file=sys.__stderr__)
        return USAGE
    sys.argv[:] = argv
    _find_modules(argv[0])
    status = _status(lambda: _execute(argv[0]))
    status = _status(atexit._run_exitfuncs) or status
    _close()
    if status > 1:
        print(f"exit status {status}", file=sys.__stderr__)
    return status


def _set_environment(variables: list[tuple[str, str]]) -> None:
    # Not by `update`, which tells the C library of each one: a third of a short script's time, and
    # nothing there asks.
    encode = os.environ.encodekey
    data = os.environ._data
    data.update({encode(name): encode(value) for name, value in variables})
    carried = data.pop(BYTES, None)
    if carried is not None:
        for pair in carried.split(b"&"):
            name, _, value = pair.partition(b"=")
            data[name] = urllib.parse.unquote_to_bytes(value)


def _open_streams() -> None:
    """The three streams as a native interpreter has them in the C locale, which servers start
    CGI programs in."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    encoding, errors = encoding or "utf-8", errors or "surrogateescape"
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    stdin = io.BufferedReader(io.FileIO(0, "rb", closefd=False))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(stdin, encoding, errors, "\n")
    output = io.FileIO(1, "wb", closefd=False)
    stdout = output if unbuffered else io.BufferedWriter(output)
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(stdout, encoding, errors, "\n", write_through=unbuffered)
    stderr = io.BufferedWriter(io.FileIO(2, "wb", closefd=False))
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(stderr, encoding, "backslashreplace", "\n", line_buffering=True)


def _wake() -> None:
    """What the snapshot has in common with every other request, and must not."""
    random.seed()
    atexit.register(logging.shutdown)
    logging._startTime = time.time_ns()
    uuid._last_timestamp = None


def _options(arguments: list[str]) -> list[str]:
    """Obeys the interpreter's own options, those that mean something here, and gives the script
    with its arguments."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option.startswith("-W"):
            warnings._processoptions([option[2:] or rest.pop(0)])
        elif option == "-u":
            sys.stdout.reconfigure(write_through=True)
        elif option not in WITHOUT_EFFECT:
            print(f"unknown option: {option}", file=sys.stderr)
            return []
    return rest


def _find_modules(script: str) -> None:
    """Modules beside the script and in PYTHONPATH go before those of the standard library."""
    folder = os.path.dirname(script) or "/"
    if os.getcwd() != folder:  # to change it asks the host
        os.chdir(folder)
    directories = [directory for directory in os.environ.get("PYTHONPATH", "").split(":") if directory]
    sys.path += [folder, *directories]
    further = os.environ._data.pop(FURTHER, None)
    if further is not None:
        sys.path += further.decode().split(":")
    beside = os.environ._data.pop(BESIDE, None)
    hidden = set() if beside is None else set(beside.decode().split())
    unknown = [folder, *directories] if beside is None else directories
    if unknown:
        hidden |= _names_in(unknown)
    for name in hidden:
        if name in sys.modules and name not in EARLY:
            for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
                del sys.modules[known]


def _names_in(directories: list[str]) -> set[str]:
    """The names, without suffixes, of what lies in these directories."""
    roots = preopens.get_directories()
    names = {name.partition(".")[0] for directory in directories for name in _names(roots, os.path.abspath(directory))}
    # The handles of directories have registered themselves; a script's own finalizers come after
    # its exit handlers.
    del roots
    atexit.unregister(weakref.finalize._exitfunc)
    weakref.finalize._registered_with_atexit = False
    return names


def _names(roots: list[tuple[Descriptor, str]], directory: str) -> Iterator[str]:
    """The names in a directory, none where it cannot be read. `os.listdir` would ask the host about
    each of them."""
    under = [(at, root) for root, at in roots if f"{directory}/".startswith(f"{at.rstrip('/')}/")]
    if not under:
        return
    at, root = max(under, key=lambda found: len(found[0]))
    path = directory[len(at) :].strip("/")
    try:
        if path:
            root = root.open_at(PathFlags.SYMLINK_FOLLOW, path, OpenFlags.DIRECTORY, DescriptorFlags.READ)
        with root.read_directory() as entries:
            while (entry := entries.read_directory_entry()) is not None:
                yield entry.name
    except Err:
        return


def _execute(script: str) -> None:
    file = os.open(script, os.O_RDONLY)
    source = os.read(file, os.fstat(file).st_size)
    os.close(file)
    main = types.ModuleType("__main__")
    main.__file__ = script
    main.__cached__ = None
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    exec(compile(source, script, "exec", dont_inherit=True), main.__dict__)


def _status(act) -> int:
    """The exit status that `act` leads to, its traceback being printed as the
    native interpreter would."""
    try:
        act()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        error.__traceback__ = trace
        try:
            sys.excepthook(type(error), error, trace)
        except BaseException:
            sys.__excepthook__(type(error), error, trace)
        _advise(error)
        return 1
    return 0


def _advise(error: BaseException) -> None:
    """Has the log, and never the page, say what to do."""
    with contextlib.suppress(Exception):
        if advice := wsgi_wasm_hints.hint(error):
            print(f"hint: {advice}", file=sys.__stderr__)


def _close() -> None:
    """Ends the script's objects, of which some act on it. Files that it has left open are flushed
    before that: those in a reference cycle would lose what they hold."""
    for file in [thing for thing in gc.get_objects() if isinstance(thing, io.TextIOWrapper | io.BufferedWriter)]:
        with contextlib.suppress(Exception):
            file.flush()
    sys.modules["__main__"].__dict__.clear()
    gc.collect()
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()


_site = wsgi_wasm_preload.settings()
wsgi_wasm_preload.preload(_site["preload"], _site["places"])
wsgi_wasm_snapshot.forget_the_build()
_open_streams()  # the build's environment says how, so not before it is forgotten
wsgi_wasm_snapshot.keep()
