"""What is linked into every program besides libc, compiled once and kept.

The allocator, standard output and the string functions of `guestlib/` are objects, so that they
come before libc's. Where a program has a function of the same name, ours gets another one. What it
does not use is left out by the linker.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB, default_directory
from wsgi_wasm.messages import escaped, reason
from wsgi_wasm.toolchain.zig import compiler_version, zig

TARGET = "wasm32-wasi"
# What WASI has not, and libc emulates.
EMULATED = ("signal", "process-clocks", "mman", "getpid")
# As the standard has them, and not as browsers had them before.
EXCEPTIONS = ("-mexception-handling", "-mllvm", "-wasm-use-legacy-eh=false")
EMULATION = tuple(f"-D_WASI_EMULATED_{name.upper().replace('-', '_')}" for name in EMULATED)
ALLOCATOR = GUESTLIB / "malloc.c"
STDOUT = GUESTLIB / "stdout.c"
STRINGS = GUESTLIB / "strings.c"
INCLUDE = GUESTLIB / "include"
SETJMP = GUESTLIB / "setjmp.c"
ZONE = GUESTLIB / "zone.c"
MAIN = GUESTLIB / "main.c"


def kept_in() -> Path:
    """Where this user's compiled parts of programs lie."""
    return default_directory(None, os.environ) / "toolchain"


def sysroot() -> Path:
    """Where libraries lie that programs are linked with, and which may not exist: `include`, `lib`,
    `lib/pkgconfig`."""
    return kept_in() / "sysroot"


def library_object(source: Path, flags: Iterable[str] = ()) -> Path:
    """A file of `guestlib/` as an object. `-fno-builtin` keeps the compiler from turning the
    allocator's calloc into a call of calloc, and belongs to no source of the user's. Raises
    BuildError."""
    words = ["cc", f"--target={TARGET}", "-O2", "-g0", "-fno-builtin", "-fno-sanitize=undefined", *flags]
    inputs = made_from(words, source)
    return cached(kept_in(), f"{source.stem}.o", inputs, lambda made: _compile([*words, "-c", str(source)], made))


def made_from(words: Iterable[str], *sources: Path) -> list[str | Path]:
    """What decides on what the compiler makes of `sources` with the options `words`, for `cached`.

    Our headers count by what is in them, and no directory of headers by where it lies: this user
    may have the package in several places. Raises BuildError.
    """
    options = " ".join(word for word in words if not word.startswith("-I"))
    headers = (file for file in host_files() if file.suffix == ".h")
    return [compiler_version(), options, *headers, *sources]


def host_files() -> list[Path]:
    """What asks the host by its channel, and the headers that go with it."""
    return sorted(file for name in ("host", "include") for file in (GUESTLIB / name).rglob("*") if file.is_file())


def host_library() -> Path:
    """A library of it, of which a program gets what it calls; one that has a function of the same
    name keeps its own. Raises BuildError."""
    words = ["cc", f"--target={TARGET}", "-O2", "-g0", "-fno-sanitize=undefined", f"-I{INCLUDE}", *EMULATION]
    sources = [file for file in host_files() if file.suffix == ".c"]

    def make(archive: Path) -> None:
        compiled = []
        for source in sources:
            compiled.append(str(archive.with_name(f"{source.stem}.o")))
            zig([*words, "-c", str(source), "-o", compiled[-1]])
        zig(["ar", "rcs", str(archive), *compiled])

    return cached(kept_in(), "libhost.a", made_from(words, *sources), make)


def _compile(words: list[str], made: Path) -> None:
    zig([*words, "-o", str(made)])


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
        with work_beside(directory / name) as work:
            fresh = work / name
            make(fresh)
            fresh.replace(path)
    return path


@contextmanager
def work_beside(output: Path) -> Iterator[Path]:
    """A directory for what is made before `output` is put in place. Raises BuildError where the
    disk refuses."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as work:
            yield Path(work)
    except OSError as error:
        raise BuildError(f"{escaped(output)} cannot be written: {reason(error)}") from None
