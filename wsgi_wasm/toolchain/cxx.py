"""The C++ library, from the sources that the package `ziglang` carries.

Its own build has neither exceptions nor files, which C++ programs use as a matter of course. There
are two here, with exceptions and without: programs that need none stay small, and run in an engine
that has none. Each takes some 25 seconds of CPU once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.toolchain.runtime import EMULATION, EXCEPTIONS, INCLUDE, TARGET, cached, kept_in, made_from
from wsgi_wasm.toolchain.zig import compiler, zig

WITH = (*EXCEPTIONS, "-fwasm-exceptions", "-mllvm", "-wasm-enable-eh")
WITHOUT = ("-fno-exceptions",)
FILES = ("-U_LIBCPP_HAS_FILESYSTEM", "-D_LIBCPP_HAS_FILESYSTEM=1")

_TAG = GUESTLIB / "exceptions.c"
_FOLDERS = ("libcxx/src", "libcxx/src/ryu", "libcxx/src/filesystem", "libcxxabi/src")
# Of threads, which there are none of; of what WASI cannot do; and the half of each pair below.
_NOT = re.compile(r"atomic|barrier|condition_variable|future|mutex|thread|pstl|experimental|operations\.cpp|int128")
_OF_EXCEPTIONS = frozenset({"cxa_exception.cpp", "cxa_personality.cpp"})
_WITHOUT_THEM = frozenset({"cxa_noexception.cpp"})
_MACROS = (
    *("NDEBUG", "_LIBCPP_BUILDING_LIBRARY", "LIBCXX_BUILDING_LIBCXXABI", "_LIBCXXABI_BUILDING_LIBRARY"),
    "_LIBCXXABI_HAS_NO_THREADS",
)
_USED = re.compile(r"\b(?:try|throw|catch)\b")
_NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_REFUSED = re.compile(r"cannot use '(?:try|throw)' with exceptions disabled")


def uses_exceptions(source: Path) -> bool:
    """Whether a source has the words for them. Raises OSError."""
    return bool(_USED.search(_NO_CODE.sub(" ", source.read_text("utf-8", "replace"))))


def asks_for_exceptions(error: BuildError) -> bool:
    """Whether a compiler without them says that it needs them: in a header, say."""
    return bool(_REFUSED.search(str(error)))


def cxx_library(needed: Collection[str]) -> Path:
    """The library for a program that needs these symbols. Raises BuildError."""
    exceptions = "__cpp_exception" in needed or "__cxa_throw" in needed
    name = "libcxx-exceptions.a" if exceptions else "libcxx.a"
    sources = _sources(exceptions)
    flags = [f"--target={TARGET}", "-O2", "-g0", "-w", "-fno-sanitize=undefined", "-std=c++23", *FILES, *EMULATION]
    flags += [f"-D{macro}" for macro in _MACROS] + [f"-I{INCLUDE}"]
    lib = compiler().parent / "lib"
    flags += [f"-I{lib / folder}" for folder in ("libcxx/src", "libcxx/libc", "libcxxabi/src", "libcxxabi/include")]
    flags += WITH if exceptions else WITHOUT
    inputs = made_from(flags, _TAG, Path(__file__))
    return cached(kept_in(), name, inputs, lambda archive: _make(archive, sources, flags, exceptions))


def _sources(exceptions: bool) -> list[Path]:
    lib = compiler().parent / "lib"
    skipped = _WITHOUT_THEM if exceptions else _OF_EXCEPTIONS
    found = [file for folder in _FOLDERS for file in sorted((lib / folder).glob("*.cpp"))]
    return [file for file in found if not _NOT.search(file.name) and file.name not in skipped]


def _make(archive: Path, sources: list[Path], flags: list[str], exceptions: bool) -> None:
    lib = compiler().parent / "lib"
    jobs = [("c++", source, flags) for source in sources]
    if exceptions:
        unwind = [f"--target={TARGET}", "-O2", "-g0", "-w", *WITH, "-D_LIBUNWIND_HIDE_SYMBOLS"]
        unwind += [f"-I{lib / folder}" for folder in ("libunwind/include", "libunwind/src")]
        jobs += [("cc", lib / "libunwind/src/Unwind-wasm.c", unwind), ("cc", _TAG, unwind)]
    objects = [archive.with_name(f"{number}.o") for number in range(len(jobs))]

    def compile_one(number: int) -> None:
        driver, source, own = jobs[number]
        zig([driver, *own, "-c", str(source), "-o", str(objects[number])])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, range(len(jobs))))
    zig(["ar", "rcs", str(archive), *map(str, objects)])
