"""The compiler as Makefiles call it: `cc -c`, `cc -E`, `cc *.o -lz -o program`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.messages import escaped, reason
from wsgi_wasm.toolchain.command_line import CommandLine, parse
from wsgi_wasm.toolchain.compiling import (
    STACK_SIZE,
    compile_flags,
    compile_inputs,
    language_flags,
    link,
)
from wsgi_wasm.toolchain.objects import without_debugging
from wsgi_wasm.toolchain.runtime import TARGET
from wsgi_wasm.toolchain.zig import compiler, zig

# What configure scripts and CMake call the programs that tell them what there is.
_PROBE = re.compile(r"conftest|cmTC_")
_NO_SHARED = (
    "WebAssembly programs have no shared libraries: build static ones (configure: --disable-shared; "
    "CMake: -DBUILD_SHARED_LIBS=OFF)"
)


def compiler_command(arguments: Sequence[str], *, cxx: bool = False) -> str:
    """Do what a C or C++ compiler does with these words, and give back what it said. Its output to
    standard output goes there. Raises BuildError."""
    line = parse(arguments)
    line.all_cxx = cxx
    driver = "c++" if cxx else "cc"
    if line.mode == "ask":
        return _asked(arguments, driver)
    if line.shared:
        raise BuildError(_NO_SHARED)
    stack_size = line.take_stack_size() or STACK_SIZE
    flags = [*compile_flags(stack_size), *line.options]
    if line.mode == "link":
        return _link(line, flags, stack_size)
    if line.mode == "preprocess":
        to = ["-o", str(line.output)] if line.output else []
        return zig([driver, *language_flags(cxx), *flags, "-E", *line.sources, *to], to_stdout=True)
    letter = {"compile": "-c", "assemble": "-S", "check": "-fsyntax-only"}[line.mode]
    said = []
    for source in line.sources:
        own_cxx = line.is_cxx(source)
        suffix = ".s" if letter == "-S" else ".o"
        output = line.output or Path(Path(source).name).with_suffix(suffix)
        to = [] if letter == "-fsyntax-only" else ["-o", str(output)]
        words = ["c++" if own_cxx else "cc", *language_flags(own_cxx), *flags, letter, source, *to]
        said.append(zig(words))
    return "\n".join(filter(None, said))


def tool_command(name: str, arguments: Sequence[str]) -> int:
    """Run `ar`, `ranlib` or another tool of the compiler's, and give its exit status. Raises
    BuildError."""
    try:
        return subprocess.run([compiler(), name, *arguments], check=False).returncode
    except OSError as error:
        raise BuildError(f"{escaped(compiler())} cannot be started: {reason(error)}") from None


def _asked(arguments: Sequence[str], driver: str) -> str:
    if "-dumpmachine" in arguments:
        sys.stdout.write(f"{TARGET}\n")
        return ""
    return zig([driver, *arguments], to_stdout=True)


def _link(line: CommandLine, flags: Sequence[str], stack_size: int) -> str:
    if not line.inputs:
        raise BuildError("no input files")
    output = line.output or Path("a.out")
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-cc-") as work:
        inputs, said = compile_inputs(line, Path(work), flags, try_old=False)
        said += link(
            inputs,
            output,
            [f"-Wl,-z,stack-size={stack_size}", "-O2"],
            probe=bool(_PROBE.match(output.name)),
        )
    if "-g" not in line.options:
        output.write_bytes(without_debugging(output.read_bytes()))
    os.chmod(output, 0o755)
    return said
