"""The command `wsgi-wasm`. Each subcommand is a module of `commands`, which says what it offers.

Exit status: 0 all is well; 1 something that the user can mend, said in plain lines on standard
error; 2 wrong usage; 3 a bug of ours, with its traceback; 130 after Ctrl-C; 141 if the reader of a
pipe has left.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Collection, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, NamedTuple

from wsgi_wasm import interrupts
from wsgi_wasm.cli.terminal import OutputRefused, say, tell, writing
from wsgi_wasm.errors import ConfigError, WsgiWasmError
from wsgi_wasm.version import __version__


class Command(NamedTuple):
    """A module of `wsgi_wasm.cli.commands`, and the line that the list of commands has for it."""

    module: str
    help: str


COMMANDS = {
    "serve": Command("serve", "serve a site, a module or a directory"),
    "check": Command("check", "report what is wrong with a site, and show what it serves"),
    "run": Command("run", "send one request to a site, without a server"),
    "exec": Command("exec_", "run a route's program outside HTTP, as for cron"),
    "compile": Command("compile", "fill the cache of compiled modules"),
    "build": Command("build", "compile C or C++ sources to a module"),
    "cc": Command("tools", "compile and link C as a Makefile asks: CC='wsgi-wasm cc'"),
    "c++": Command("tools", "the same for C++"),
    "ar": Command("tools", "make and change static libraries"),
    "ranlib": Command("tools", "make the index of one"),
    "configure": Command("tools", "run a project's configure script for these compilers"),
    "cmake": Command("tools", "run CMake for these compilers"),
    "sysroot": Command("sysroot", "build libraries that programs are linked with, and list them"),
    "interpreter": Command("interpreter", "build interpreters for scripts, and list them"),
    "build-python": Command("build_python", "another name for: interpreter build python"),
    "cache": Command("cache", "show or clean the cache"),
    "apache": Command("apache", "put a site into Apache's configuration, or take it out"),
    "import": Command("import_", "convert another system's configuration to a site"),
    "scan": Command("scan", "say what in a directory of CGI programs can move"),
    "compare": Command("compare", "send the same requests to two sites, and show what differs"),
}

# Their words are another program's, so nothing of them is looked at here.
PASSED = frozenset(name for name, command in COMMANDS.items() if command.module == "tools")

OK, USER_ERROR, USAGE, BUG = 0, 1, 2, 3
INTERRUPTED, BROKEN_PIPE = interrupts.STATUS, 141  # what a shell reports for SIGINT and SIGPIPE

_DESCRIPTION = "WebAssembly CGI programs behind a WSGI server, from one YAML file."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name), and give the exit status."""
    try:
        return _told(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:  # also while an error is being told
        return INTERRUPTED


def _told(argv: list[str]) -> int:
    """Run the command, and say what went wrong. Raises KeyboardInterrupt."""
    try:
        try:
            status = _run(argv)
        except SystemExit as end:  # argparse's, and gunicorn's in its master and in each worker
            status = end.code if isinstance(end.code, int) else OK if end.code is None else USER_ERROR
        with writing():
            sys.stdout.flush()  # here, so that a reader who has left is noticed inside this block
        return status
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except WsgiWasmError as error:
        say(*_lines(error))
        return USER_ERROR
    except OutputRefused as error:
        _drop_output()
        say(f"wsgi-wasm: standard output: {error}")
        return USER_ERROR
    except Exception:
        say(*traceback.format_exc().splitlines())
        say("wsgi-wasm: this is a bug in wsgi_wasm, please report it with the lines above")
        return BUG


def _drop_output() -> None:
    """Or the interpreter would complain when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: list[str]) -> int:
    if argv[:1] and argv[0] in PASSED and argv[1:] != ["--help"]:
        ended: int = _loaded(COMMANDS[argv[0]]).run_tool(argv[0], argv[1:])
        return ended
    interrupts.end_at_once()
    try:
        # What follows `--` is for the compiler; argparse would take it for more sources.
        own, rest = _split(argv) if argv[:1] == ["build"] else (argv, [])
        # The options of the top level take no values, so the first other word is the command.
        with writing():  # help, and the version
            options = parser([word for word in own if not word.startswith("-")][:1]).parse_args(own)
    finally:
        interrupts.raise_again()
    options.rest = rest
    status: int = options.run(options)
    return status


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def parser(loaded: Collection[str] = COMMANDS.keys()) -> argparse.ArgumentParser:
    """The command line. Only the commands in `loaded` have their options."""
    top = argparse.ArgumentParser(prog="wsgi-wasm", description=_DESCRIPTION, allow_abbrev=False)
    top.add_argument("--version", action=_Version)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        if name not in loaded:
            commands.add_parser(name, help=command.help)
            continue
        module = _loaded(command)
        sub = commands.add_parser(
            name,
            help=command.help,
            description=module.__doc__,
            epilog=f"examples:\n{module.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run, usage=sub.error)
    return top


def _loaded(command: Command) -> ModuleType:
    try:
        return importlib.import_module(f"wsgi_wasm.cli.commands.{command.module}")
    except ModuleNotFoundError as error:
        package = (error.name or "wsgi_wasm").partition(".")[0]
        if package == "wsgi_wasm":
            raise
        raise WsgiWasmError(
            f"the Python package of {package!r} is not installed: install wsgi-wasm again, with what it requires"
        ) from None


class _Version(argparse.Action):
    """Looks the versions up only when they are asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="show the versions and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            engine = version("wasmtime")
        except PackageNotFoundError:
            engine = "is not installed"
        python = ".".join(map(str, sys.version_info[:3]))
        tell(f"wsgi-wasm {__version__} (wasmtime {engine}, Python {python})")
        parser.exit()


def _lines(error: WsgiWasmError) -> list[str]:
    # A list of mistakes begins each line with its place in the file, which editors look for.
    lines = str(error).split("\n")
    return lines if isinstance(error, ConfigError) or len(lines) > 1 else [f"wsgi-wasm: {lines[0]}"]
