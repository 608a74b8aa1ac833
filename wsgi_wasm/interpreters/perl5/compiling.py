"""Compiles and links Perl for WASI, with what the package `ziglang` carries."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.interpreters.model import Waiting
from wsgi_wasm.interpreters.perl5.host_perl import SOURCES
from wsgi_wasm.toolchain.runtime import INCLUDE, TARGET, host_library
from wsgi_wasm.toolchain.zig import compiler, zig

STACK = 1 << 20  # bytes: Perl's parser and regular expressions recurse
_EXCEPTIONS = ("-mexception-handling", "-mllvm", "-wasm-enable-sjlj", "-mllvm", "-wasm-use-legacy-eh=false")
_EMULATED = ("signal", "process-clocks", "mman")
_LANGUAGE = (
    *("-O2", "-w", "-Wno-int-conversion", "-fno-strict-aliasing", "-fno-sanitize=undefined", "-D_GNU_SOURCE"),
    *("-DPERL_USE_SAFE_PUTENV", *_EXCEPTIONS, "-include", str(SOURCES / "include" / "wsgi_wasm_perl.h")),
    *(f"-I{SOURCES / 'include'}", f"-I{INCLUDE}", "-Wno-incompatible-function-pointer-types"),
    *(f"-D_WASI_EMULATED_{name.upper().replace('-', '_')}" for name in _EMULATED),
)


@dataclass(frozen=True, slots=True)
class Compilation:
    """One C file and the object to make of it."""

    source: Path
    flags: tuple[str, ...]
    output: Path


def zone_code(output: Path) -> Compilation:
    """musl's code for time zones."""
    source = compiler().parent / "lib" / "libc" / "musl" / "src" / "time" / "__tz.c"
    header = SOURCES / "zone" / "zone.h"
    return Compilation(source, ("-include", str(header), f"-I{header.parent}"), output)


def compile_all(jobs: Sequence[Compilation], waiting: Waiting) -> None:
    """Compile all of them, as many at a time as there are processors. Raises BuildError."""
    started, done, counting = time.monotonic(), 0, threading.Lock()

    def one(job: Compilation) -> None:
        nonlocal done
        includes = [word if word != "." else str(job.source.parent) for word in job.flags]
        zig(["cc", f"--target={TARGET}", *_LANGUAGE, *includes, "-c", str(job.source), "-o", str(job.output)])
        with counting:
            done += 1
            waiting(f"compiling Perl, {done} of {len(jobs)} files", round(time.monotonic() - started))

    with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
        for _ in workers.map(one, jobs):
            pass


def link(objects: Sequence[Path], library: Path, work: Path, output: Path) -> None:
    """Link the module, with the archive `library` as data. Raises BuildError."""
    assembly = work / "library.s"
    assembly.write_text(
        f'\t.section .rodata.library,"",@\n\t.globl library_archive\n\t.p2align 2\nlibrary_archive:\n'
        f'\t.incbin "{library}"\n\t.size library_archive, {library.stat().st_size}\n',
        encoding="utf-8",
    )
    parts = []
    for source in (assembly, SOURCES / "tag.s"):
        parts.append(work / f"{source.stem}.s.o")
        zig(["cc", f"--target={TARGET}", "-mexception-handling", "-c", str(source), "-o", str(parts[-1])])
    words = ["cc", f"--target={TARGET}", "-mexec-model=reactor", "-O2", "-s", *_EXCEPTIONS]
    words += ["-Wl,--no-entry", f"-Wl,-z,stack-size={STACK}"]
    words += [*map(str, (*objects, *parts, host_library())), *(f"-lwasi-emulated-{name}" for name in _EMULATED)]
    zig([*words, "-o", str(output)])
