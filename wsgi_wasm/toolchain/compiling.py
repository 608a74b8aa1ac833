"""Sources to objects, and objects to a module."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.messages import escaped
from wsgi_wasm.toolchain.command_line import CommandLine
from wsgi_wasm.toolchain.cxx import FILES, WITH, WITHOUT, cxx_library
from wsgi_wasm.toolchain.objects import Signature, symbols
from wsgi_wasm.toolchain.runtime import (
    ALLOCATOR,
    EMULATED,
    EMULATION,
    EXCEPTIONS,
    INCLUDE,
    MAIN,
    SETJMP,
    STDOUT,
    STRINGS,
    TARGET,
    ZONE,
    host_library,
    library_object,
    sysroot,
)
from wsgi_wasm.toolchain.zig import zig

STACK_SIZE = 256 << 10
"""Bytes. An ordinary `char buffer[65536]` fits, and a few calls on top of it."""

_SETJMP_FLAGS = ("-mllvm", "-wasm-enable-sjlj", *EXCEPTIONS)
LIBRARIES = {STDOUT: (), STRINGS: ("-msimd128",), ALLOCATOR: (), SETJMP: _SETJMP_FLAGS, ZONE: (f"-I{INCLUDE}",)}
# What libc calls deprecated is what it has not, and we have.
_WARNINGS = (
    "-Wcast-function-type-mismatch",
    "-Wno-deprecated-declarations",
    "-Wno-date-time",
    "-Wno-unused-command-line-argument",
)

# The errors of a source that was written before 1999, all of which -std=gnu89 takes.
_OLD = re.compile(r"\[-Wimplicit-(?:int|function-declaration)\]")
_ERROR = re.compile(r": (?:fatal )?error: ")
OLD_C = "-std=gnu89"
_MAINS = {"main", "__main_void", "__main_argc_argv", "_start"}
# Libraries, bitcode, and programs that are not begun by their main.
_MAY_HAVE_MAIN = re.compile(r"\.a$|^-l|\.bc$|no-entry|^-nostart|^-mexec-model|^-flto")
# How C++ names what its library has.
_OF_CXX = ("_ZS", "_ZNS", "_ZNKS", "_Zn", "_Zd", "_ZT", "__cxa_", "__gxx_")


def compile_flags(stack_size: int = STACK_SIZE) -> list[str]:
    """What goes before a user's own flags for each source. Zig would define NDEBUG, and have
    undefined behaviour end the program where nothing is optimized. Libraries that have been added
    to the sysroot have their headers there."""
    warn = [*_WARNINGS, f"-Wframe-larger-than={stack_size // 2}"]
    usual = ["-O2", "-g0", "-UNDEBUG", "-fno-sanitize=undefined"]
    headers = [f"-I{INCLUDE}", *_sysroot("-I", "include")]
    return [f"--target={TARGET}", *usual, *EMULATION, *_SETJMP_FLAGS, *warn, *headers]


def _sysroot(option: str, name: str) -> list[str]:
    """The option for a directory of libraries that have been added, if any have."""
    folder = sysroot() / name
    return [f"{option}{folder}"] if folder.is_dir() else []


def compile_source(
    source: Path, output: Path, flags: Sequence[str], *, cxx: bool = False, try_old: bool = False
) -> str:
    """One source to an object, and what the compiler said. With `try_old`, C that only the language
    of 1989 takes is compiled as such. Raises BuildError."""
    driver = "c++" if cxx else "cc"
    try:
        return zig([driver, *flags, "-c", str(source), "-o", str(output)])
    except BuildError as error:
        said = str(error)
        errors = [line for line in said.splitlines() if _ERROR.search(line)]
        old = bool(errors) and any(_OLD.search(line) for line in errors) and source.suffix == ".c"
        if not old or any(flag.startswith("-std=") for flag in flags):
            raise
        hint = f"{escaped(source)}: this looks like C from before 1999, which {OLD_C} takes"
        if not try_old or not all(_OLD.search(line) for line in errors):
            raise BuildError(f"{said}\n{hint}") from None
    try:
        again = zig(["cc", *flags, OLD_C, "-c", str(source), "-o", str(output)])
    except BuildError:
        raise BuildError(f"{said}\n{hint}, but not this one") from None
    note = f"{escaped(source)}: warning: compiled with {OLD_C}, because the language of today refuses it"
    return "\n".join(filter(None, [note, again]))


def language_flags(cxx: bool, exceptions: bool = True) -> list[str]:
    """What one language takes besides."""
    return [*FILES, *(WITH if exceptions else WITHOUT)] if cxx else []


def compile_inputs(
    line: CommandLine,
    work: Path,
    flags: Sequence[str],
    *,
    try_old: bool = True,
    exceptions: bool = True,
) -> tuple[list[str], str]:
    """What there is to link, with an object in `work` for each source, and what the compiler said.
    Without `exceptions`, C++ has none. Raises BuildError."""
    inputs: list[str] = []
    said: list[str] = []
    for word in line.inputs:
        if not line.is_source(word):
            inputs.append(word)
            continue
        # The linker's messages have these names.
        folder = work / str(len(inputs))
        folder.mkdir(parents=True)
        inputs.append(str(folder / f"{Path(word).name}.o"))
        cxx = line.is_cxx(word)
        own = [*language_flags(cxx, exceptions), *flags]
        said.append(compile_source(Path(word), Path(inputs[-1]), own, cxx=cxx, try_old=try_old))
    return inputs, "".join(f"{words}\n" for words in said if words)


def link(
    inputs: Sequence[str], output: Path, flags: Sequence[str] = (), *, allocator: bool = True, probe: bool = False
) -> str:
    """Objects, archives and options of the linker to a module, and what the linker said. A
    `probe` is never run: it asks whether there is a function, of which it does not know the
    parameters. Raises BuildError."""
    needed: set[str] = set()
    functions: dict[str, Signature] = {}
    for word in inputs:
        known = symbols(Path(word)) if word.endswith((".o", ".obj")) else None
        if known is not None:
            needed |= known.needed
            functions |= known.functions
    if not _MAINS & functions.keys() and not any(_MAY_HAVE_MAIN.search(word) for word in [*inputs, *flags]):
        raise BuildError("undefined symbol: main; a program needs one")
    caller = _main(functions)
    extra = [*caller, *_libraries(functions, allocator)]
    # Before the user's: else what these need would be taken from libc, which zig names first.
    emulated = [f"-lwasi-emulated-{name}" for name in EMULATED]
    library = [str(cxx_library(needed))] if any(name.startswith(_OF_CXX) for name in needed) else []
    libraries = [*library, str(host_library()), *emulated]
    found = [*extra, *_sysroot("-L", "lib"), *inputs, *libraries]
    command = ["cc", f"--target={TARGET}", *flags, *found, "-o", str(output)]
    return zig(command, mismatched=None if probe else ("__main_argc_argv",) if caller else ())


def _libraries(functions: Collection[str], allocator: bool) -> list[str]:
    """Our objects, beside a program with these functions."""
    objects = []
    for source, flags in LIBRARIES.items():
        made = library_object(source, flags)
        known = symbols(made)
        twice = sorted(known.functions.keys() & functions) if known is not None else []
        if source == ALLOCATOR and (twice or not allocator):
            continue  # one that is half the program's own would take what the other gave
        if twice:
            made = library_object(source, [*flags, *(f"-D{name}=wsgi_wasm_{name}" for name in twice)])
        objects.append(str(made))
    return objects


def _main(functions: dict[str, Signature]) -> list[str]:
    """What calls a `main` of a form that is not the compiler's own. Raises BuildError."""
    if "__main_void" in functions:
        return []
    name = next((name for name in ("main", "__main_argc_argv") if name in functions), "")
    if not name:
        return []
    parameters, results = functions[name]
    if (name, parameters, results) == ("__main_argc_argv", ("i32", "i32"), ("i32",)):
        return []
    if set(parameters) - {"i32"} or len(parameters) > 3 or results not in ((), ("i32",)):
        form = f"({', '.join(parameters)}) -> {', '.join(results) or 'nothing'}"
        raise BuildError(f"main has a form that nothing calls, {form}: write int main(int argc, char **argv)")
    flags = [f'-DNAME="{name}"', f"-DPARAMETERS={len(parameters)}", f"-DRESULT={len(results)}"]
    return [str(library_object(MAIN, flags))]
