"""A cross compiler for projects that bring their own Makefile, configure script or CMakeLists.txt.

All words after the command's name are the tool's own, as gcc, ar, ./configure or cmake take them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from wsgi_wasm.toolchain.driver import compiler_command, tool_command
from wsgi_wasm.toolchain.projects import cmake, configure

EXAMPLES = """\
  make CC='wsgi-wasm cc' CXX='wsgi-wasm c++' AR='wsgi-wasm ar' RANLIB='wsgi-wasm ranlib'
  wsgi-wasm cc -O2 -c page.c && wsgi-wasm c++ -c shop.cc && wsgi-wasm ar cr libshop.a page.o shop.o
  wsgi-wasm ranlib libshop.a
  wsgi-wasm configure --disable-nls && make          in a directory with a configure script
  wsgi-wasm cmake -B build && cmake --build build    in one with a CMakeLists.txt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything is passed on."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="as the tool takes them")


def run(options: argparse.Namespace) -> int:
    """Not called: see `run_tool`."""
    raise AssertionError(options)


def run_tool(name: str, arguments: Sequence[str]) -> int:
    """Run one of the tools, and give its status. Raises BuildError."""
    if name == "configure":
        return configure(arguments)
    if name == "cmake":
        return cmake(arguments)
    if name in ("cc", "c++"):
        said = compiler_command(arguments, cxx=name == "c++")
        if said:
            sys.stderr.write(f"{said.rstrip()}\n")
        return 0
    return tool_command(name, arguments)
