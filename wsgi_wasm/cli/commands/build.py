"""Compile C or C++ CGI sources to a WebAssembly module, with the compiler of the package ziglang.

Arguments after -- go to the compiler (clang's options). They come after the command's own, so they
override them.
"""

from __future__ import annotations

import argparse
import logging
import shlex
from pathlib import Path

from wsgi_wasm.cli.arguments import file_name
from wsgi_wasm.cli.terminal import say, tell
from wsgi_wasm.messages import size_text
from wsgi_wasm.toolchain.build import build

EXAMPLES = """\
  wsgi-wasm build hello.c                                   writes hello.wasm
  wsgi-wasm build -o shop.wasm cart.c pay.c -- -Iinclude -DNDEBUG
  wsgi-wasm build -O 3 deep.c -- -Wl,-z,stack-size=4194304  a stack of 4 MiB instead of 256 KiB
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `build`."""
    parser.usage = "wsgi-wasm build [-h] [-o OUT] [-O {s,2,3,0}] SOURCE... [-- FLAG...]"
    parser.add_argument("sources", metavar="SOURCE", nargs="+", type=file_name, help="C, C++ and object files")
    parser.add_argument("-o", "--output", metavar="OUT", type=file_name, help="default: the first source, with .wasm")
    parser.add_argument(
        "-O",
        "--optimize",
        choices=("s", "2", "3", "0"),
        default="2",
        help="optimize for speed (2, the default, and 3), for size (s), or not at all (0)",
    )


def run(options: argparse.Namespace) -> int:
    """Builds, and says what to do next."""
    output: Path = options.output or options.sources[0].with_suffix(".wasm")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)  # the compiler's warnings
    build(options.sources, output, flags=options.rest, optimize=options.optimize)
    tell(f"{output}: {size_text(output.stat().st_size)}")
    say(f"to try it, run: wsgi-wasm run {shlex.quote(str(output))}")
    return 0
