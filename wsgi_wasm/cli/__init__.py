"""The command `wsgi-wasm`. A subcommand is a module in `COMMANDS`:

    HELP: str                      one line for the list of commands
    EXAMPLES: str                  the end of its own --help
    add_arguments(parser) -> None  its options
    run(options) -> int            does it, and gives the exit status; raises WsgiWasmError for what the user can mend

At their top these modules import only what parsing needs: `--help` and a usage error load no engine. `run` imports the
rest.

Exit status: 0 all is well; 1 something that the user can mend, said in plain lines on standard error; 2 wrong usage;
3 a bug of ours, with its traceback; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.version import __version__

COMMANDS = {
    "serve": "wsgi_wasm.cli.serve",
    "check": "wsgi_wasm.cli.check",
    "run": "wsgi_wasm.cli.run",
    "compile": "wsgi_wasm.cli.compile",
    "build": "wsgi_wasm.cli.build",
    "interpreter": "wsgi_wasm.cli.interpreter",
    "build-python": "wsgi_wasm.cli.build_python",
    "cache": "wsgi_wasm.cli.cache",
    "import": "wsgi_wasm.cli.import_",
}

OK, USER_ERROR, USAGE, BUG = 0, 1, 2, 3
INTERRUPTED, BROKEN_PIPE = 130, 141  # what a shell reports for a process that SIGINT or SIGPIPE ended

_DESCRIPTION = "WebAssembly CGI programs behind a WSGI server, from one YAML file."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name), and give the exit status."""
    try:
        status = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()  # here, so that a reader who has left is noticed inside this block
        return status
    except SystemExit as end:  # argparse's, and gunicorn's in its master and in each worker
        return end.code if isinstance(end.code, int) else OK if end.code is None else USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Otherwise the interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except WsgiWasmError as error:
        print(f"wsgi-wasm: {error}" if _one_line(error) else str(error), file=sys.stderr)
        return USER_ERROR
    except Exception:
        traceback.print_exc()
        print("wsgi-wasm: this is a bug in wsgi_wasm, please report it with the lines above", file=sys.stderr)
        return BUG


def _run(argv: list[str]) -> int:
    # What follows `--` is for the compiler; argparse would take it for more sources.
    own, rest = _split(argv) if argv[:1] == ["build"] else (argv, [])
    options = parser().parse_args(own)
    options.rest = rest
    status: int = options.run(options)
    return status


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in argv:
        return argv, []
    at = argv.index("--")
    return argv[:at], argv[at + 1 :]


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="wsgi-wasm", description=_DESCRIPTION, allow_abbrev=False)
    top.add_argument("--version", action=_Version)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = importlib.import_module(module)
        sub = commands.add_parser(
            name,
            help=command.HELP,
            description=command.__doc__,
            epilog=f"examples:\n{command.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, usage=sub.error)
    return top


class _Version(argparse.Action):
    """Looks the versions up only when they are asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="show the versions and exit")

    def __call__(self, parser: argparse.ArgumentParser, *unused: Any) -> None:
        try:
            engine = version("wasmtime")
        except PackageNotFoundError:
            engine = "is not installed"
        python = ".".join(map(str, sys.version_info[:3]))
        print(f"wsgi-wasm {__version__} (wasmtime {engine}, Python {python})")
        parser.exit()


def _one_line(error: WsgiWasmError) -> bool:
    # A list of mistakes begins each line with its place in the file, which editors look for.
    return not hasattr(error, "problems") and "\n" not in str(error)
