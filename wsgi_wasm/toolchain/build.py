"""C and C++ CGI sources to `.wasm`, through the compiler that the `ziglang` package carries.

Three choices make the result cheap to run. The stack is small, because it comes first in memory and
what lies behind it should be within the part that the engine keeps resident. `guestlib/malloc.c`
replaces libc's allocator, which grows memory at its first use, at the price of system calls in each
request. And `guestlib/stdout.c` has standard output gathered from its first line on, as it is for a
native CGI program.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped
from wsgi_wasm.toolchain.command_line import CommandLine, parse
from wsgi_wasm.toolchain.compiling import (
    STACK_SIZE,
    compile_flags,
    compile_inputs,
    link,
)
from wsgi_wasm.toolchain.cxx import asks_for_exceptions, uses_exceptions
from wsgi_wasm.toolchain.objects import without_debugging
from wsgi_wasm.toolchain.runtime import cached, host_files, work_beside
from wsgi_wasm.toolchain.zig import compiler_version, zig

PAGE = 65536

log = package_log("toolchain")


def build(
    sources: Sequence[Path],
    output: Path,
    *,
    flags: Sequence[str] = (),
    optimize: str = "2",
    stack_size: int = STACK_SIZE,
    allocator: bool = True,
) -> None:
    """Compile and link `sources` (C, C++, objects) into `output`, which is replaced only by a
    whole new module.

    `flags` go to the compiler after ours, so they win. `optimize` is what follows `-O`.
    `stack_size` is in bytes; a guest that needs more traps. `allocator=False` leaves libc's own
    malloc in. C++ has exceptions where it uses them. Raises BuildError with the compiler's own
    words. Warnings are logged.
    """
    if not sources:
        raise BuildError("nothing to build: no source files given")
    for source in sources:
        if not source.is_file():
            raise BuildError(f"{escaped(source)}: no such file")
    output = output.absolute()
    if output.exists() and not output.is_file():
        raise BuildError(f"{escaped(output)} is not a regular file, so it is not replaced: choose another name with -o")
    line = parse([*map(str, sources), *flags])
    stack_size = line.take_stack_size() or stack_size
    own = [*compile_flags(stack_size), f"-O{optimize}", *line.options]
    linking = [f"-Wl,-z,stack-size={stack_size}", f"-O{optimize}"]
    with work_beside(output) as work:
        fresh = work / "module.wasm"
        inputs, said = _compiled(line, work, own)
        said += link(inputs, fresh, linking, allocator=allocator)
        if "-g" not in line.options:
            fresh.write_bytes(without_debugging(fresh.read_bytes()))
        fresh.chmod(0o644)
        fresh.replace(output)
    for words in said.splitlines():
        log.warning("%s", words)


def _compiled(line: CommandLine, work: Path, flags: Sequence[str]) -> tuple[list[str], str]:
    """As `compile_inputs`. C++ gets exceptions where a source or a header of its uses them."""
    exceptions = any(uses_exceptions(Path(word)) for word in line.sources if line.is_cxx(word))
    try:
        return compile_inputs(line, work / "first", flags, exceptions=exceptions)
    except BuildError as error:
        if exceptions or not asks_for_exceptions(error):
            raise
    return compile_inputs(line, work / "second", flags)


def build_code(sources: Sequence[Path], output: Path, exports: Sequence[str] = ()) -> None:
    """Compile C without any library into the core module of a component that is written as text
    (see `binary.embed`). It imports its memory, of which its stack and data take the beginning.
    `exports` are symbols of the linker's that it exports too. Raises BuildError.
    """
    target = ["--target=wasm32-freestanding", "-mcpu=mvp+bulk_memory+sign_ext+mutable_globals"]
    language = ["-std=c11", "-Oz", "-flto", "-ffreestanding", "-fno-builtin", "-nostdlib"]
    memory = ["--import-memory", f"--initial-memory={PAGE}", f"--max-memory={256 * PAGE}", "-z,stack-size=16384"]
    link = [f"-Wl,{option}" for option in ("--no-entry", "--strip-all", *memory, *(f"--export={e}" for e in exports))]
    with work_beside(output) as work:
        fresh = work / "code.wasm"
        zig(
            [
                "cc",
                *target,
                *language,
                "-Wall",
                "-Wextra",
                "-Werror",
                *link,
                *(str(source) for source in sources),
                "-o",
                str(fresh),
            ]
        )
        fresh.chmod(0o644)
        fresh.replace(output)


def build_cached(
    sources: Sequence[Path], directory: Path, *, depends: Sequence[Path] = (), flags: Sequence[str] = ()
) -> Path:
    """Like `build`, but into `directory` under a name that tells sources, flags and compiler
    apart, and only if it is not there. The first source names the module; `depends` are
    headers. Raises BuildError."""
    parts = [*Path(__file__).parent.glob("*.py"), *GUESTLIB.glob("*.c"), *host_files()]
    inputs: list[Path | str] = [compiler_version(), " ".join(flags), *sorted(parts), *sources, *depends]
    return cached(directory, f"{sources[0].stem}.wasm", inputs, lambda output: build(sources, output, flags=flags))
