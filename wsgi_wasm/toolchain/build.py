"""C and C++ CGI sources to `.wasm`, through the compiler that the `ziglang` package carries.

Three choices make the result cheap to run. The stack is small, because it comes first in memory and
what lies behind it should be within the part that the engine keeps resident. `guestlib/malloc.c`
replaces libc's allocator, which grows memory at its first use, at the price of system calls in each
request. And `guestlib/stdout.c` has standard output gathered from its first line on, as it is for a
native CGI program.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped, reason

TARGET = "wasm32-wasi"
STACK_SIZE = 65536
PAGE = 65536
CXX_SUFFIXES = frozenset({".cc", ".cpp", ".cxx", ".c++"})
ALLOCATOR = GUESTLIB / "malloc.c"
STDOUT = GUESTLIB / "stdout.c"
HOST_LIBRARY = tuple(sorted((GUESTLIB / "host").glob("*.c")))
"""What asks the host by its channel. A program gets of it what it calls."""
INCLUDE = GUESTLIB / "include"
MISSING = "there is no C compiler: the package ziglang is not installed; run: pip install 'wsgi-wasm[build]'"

DIAGNOSTIC = re.compile(r"\S.*:\d+:\d+: (?:warning|note|(?:fatal )?error): ")
SUMMARY = re.compile(r"\d+ (?:warning|error)s?.* generated\.$")

log = package_log("toolchain")


def build(
    sources: Sequence[Path],
    output: Path,
    *,
    flags: Sequence[str] = (),
    optimize: str = "s",
    stack_size: int = STACK_SIZE,
    allocator: bool = True,
) -> None:
    """Compile and link `sources` (C, C++, objects) into `output`, which is replaced only by a
    whole new module.

    `flags` go to the compiler after ours, so they win. `optimize` is what follows `-O`.
    `stack_size` is in bytes; a guest that needs more traps. `allocator=False` leaves libc's own
    malloc in, for programs which bring one. C++ is compiled without exceptions, which the engine
    has switched off and zig's C++ library does not offer. Raises BuildError with the compiler's own
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
    with _work_beside(output) as work:
        fresh = work / "module.wasm"
        inputs = [str(source) for source in sources]
        inputs += [str(_object(library, work)) for library in (STDOUT, *([ALLOCATOR] if allocator else []))]
        inputs += [str(_archive(HOST_LIBRARY, work)), f"-I{INCLUDE}", *_language_flags(sources)]
        link = ["-s", f"-Wl,-z,stack-size={stack_size}"]
        warnings = _zig(["cc", f"--target={TARGET}", f"-O{optimize}", *link, *inputs, *flags, "-o", str(fresh)])
        fresh.chmod(0o644)
        fresh.replace(output)
    for line in warnings.splitlines():
        log.warning("%s", line)


def build_code(sources: Sequence[Path], output: Path, exports: Sequence[str] = ()) -> None:
    """Compile C without any library into the core module of a component that is written as text
    (see `binary.embed`). It imports its memory, of which its stack and data take the beginning.
    `exports` are symbols of the linker's that it exports too. Raises BuildError.
    """
    target = ["--target=wasm32-freestanding", "-mcpu=mvp+bulk_memory+sign_ext+mutable_globals"]
    language = ["-std=c11", "-Oz", "-flto", "-ffreestanding", "-fno-builtin", "-nostdlib"]
    memory = ["--import-memory", f"--initial-memory={PAGE}", f"--max-memory={256 * PAGE}", "-z,stack-size=16384"]
    link = [f"-Wl,{option}" for option in ("--no-entry", "--strip-all", *memory, *(f"--export={e}" for e in exports))]
    with _work_beside(output) as work:
        fresh = work / "code.wasm"
        _zig(
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


@contextlib.contextmanager
def _work_beside(output: Path) -> Iterator[Path]:
    """A directory for what is made before `output` is put in place. Raises BuildError where the
    disk refuses."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as work:
            yield Path(work)
    except OSError as error:
        raise BuildError(f"{escaped(output)} cannot be written: {reason(error)}") from None


def compiler_version() -> str:
    """What a build depends on besides its sources: the compiler's release. Raises BuildError when
    there is none."""
    _compiler()
    return f"ziglang {version('ziglang')}"


def cached(directory: Path, name: str, inputs: Iterable[Path | str], make: Callable[[Path], None]) -> Path:
    """The file that `make(path)` writes, from `directory` if it was made from the
    same inputs before.

    `inputs` are files, of which the content counts, and words such as flags and compiler versions.
    The file's name holds their digest, so nothing in the directory ever changes, and processes that
    race only do the work twice.
    """
    digest = hashlib.sha256()
    for item in inputs:
        data = item.read_bytes() if isinstance(item, Path) else item.encode()
        digest.update(b"%d:%s" % (len(data), data))
    stem, dot, suffix = name.rpartition(".")
    path = directory / f"{stem}-{digest.hexdigest()[:16]}{dot}{suffix}"
    if not path.exists():
        with _work_beside(directory / name) as work:
            fresh = work / name
            make(fresh)
            fresh.replace(path)
    return path


def build_cached(
    sources: Sequence[Path], directory: Path, *, depends: Sequence[Path] = (), flags: Sequence[str] = ()
) -> Path:
    """Like `build`, but into `directory` under a name that tells sources, flags and compiler
    apart, and only if it is not there. The first source names the module; `depends` are
    headers. Raises BuildError."""
    inputs: list[Path | str] = [
        compiler_version(),
        " ".join(flags),
        Path(__file__),
        ALLOCATOR,
        STDOUT,
        *HOST_LIBRARY,
        *sorted(file for file in INCLUDE.rglob("*") if file.is_file()),
        *sources,
        *depends,
    ]
    return cached(directory, f"{sources[0].stem}.wasm", inputs, lambda output: build(sources, output, flags=flags))


def _language_flags(sources: Sequence[Path]) -> list[str]:
    """One driver serves both languages, by suffix; only C++ wants its library and has
    exceptions to leave out."""
    return ["-fno-exceptions", "-lc++"] if any(source.suffix in CXX_SUFFIXES for source in sources) else []


def _object(source: Path, directory: Path) -> Path:
    """A file of `guestlib/` compiled by itself: `-fno-builtin` keeps the compiler from turning the
    allocator's calloc into a call of calloc, and belongs to no source of the user's."""
    compiled = directory / f"{source.stem}.o"
    _zig(["cc", f"--target={TARGET}", "-Os", "-fno-builtin", "-c", str(source), "-o", str(compiled)])
    return compiled


def _archive(sources: Sequence[Path], directory: Path) -> Path:
    """A library of them: a program that has a function of the same name keeps its own."""
    archive = directory / "libhost.a"
    compiled = [directory / f"{source.stem}.o" for source in sources]
    for source, output in zip(sources, compiled, strict=True):
        _zig(["cc", f"--target={TARGET}", "-Os", f"-I{INCLUDE}", "-c", str(source), "-o", str(output)])
    _zig(["ar", "rcs", str(archive), *map(str, compiled)])
    return archive


def _compiler() -> Path:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise BuildError(MISSING)
    return Path(spec.origin).parent / ("zig.exe" if os.name == "nt" else "zig")


def _zig(arguments: Sequence[str]) -> str:
    """Run the compiler and give back what it said. Raises BuildError with the same words
    when it failed."""
    compiler = _compiler()
    try:
        with _compilers_cache() as environ:
            done = subprocess.run(
                [compiler, *arguments], env=environ, capture_output=True, text=True, errors="replace", check=False
            )
    except OSError as error:
        raise BuildError(f"{escaped(compiler)} cannot be started: {error}") from error
    said = done.stderr + done.stdout
    if done.returncode:
        raise BuildError(
            _own(said) or said.strip() or f"{escaped(compiler)} ended with status {done.returncode} and no message"
        )
    return _own(said)


@contextlib.contextmanager
def _compilers_cache() -> Iterator[dict[str, str]]:
    """An environment in which the compiler has a directory for its libraries: the user's own, else
    one for this time, as without HOME, or where that is a web server's. Raises OSError."""
    environ = dict(os.environ)
    places = [environ.get("ZIG_GLOBAL_CACHE_DIR"), environ.get("XDG_CACHE_HOME"), environ.get("HOME")]
    usual = next((Path(place) for place in places if place), None)
    there = next((path for path in (usual, *usual.parents) if path.exists()), usual) if usual is not None else None
    if there is not None and os.access(there, os.W_OK):
        yield environ
        return
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-zig-") as own:
        yield {**environ, "ZIG_GLOBAL_CACHE_DIR": own}


def _own(said: str) -> str:
    """The diagnostics about the user's files. The first build with C++ compiles zig's library too,
    and some releases have thousands of warnings for it."""
    library = f"{os.sep}ziglang{os.sep}lib{os.sep}"
    kept: list[str] = []
    keep = True
    for line in said.splitlines():
        if line.startswith("In file included from "):
            keep = library not in line
        elif DIAGNOSTIC.match(line):
            keep = library not in line.split(": ")[0]
        elif SUMMARY.match(line):
            continue
        if keep:
            kept.append(line)
    return "\n".join(kept).strip()
