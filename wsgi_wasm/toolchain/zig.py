"""The compiler that the package `ziglang` carries: how it is run, and what it says."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.messages import escaped

MISSING = "there is no C compiler: the package ziglang is not installed; run: pip install 'wsgi-wasm[build]'"

_DIAGNOSTIC = re.compile(r"\S.*?:\d+:\d+: (warning|note|error|fatal error): ")
_SUMMARY = re.compile(r"\d+ (?:warning|error)s?.* generated\.$")
# Zig gives these words of its linker's as warnings, and ends with status 0.
_MISMATCH_NOTE = re.compile(r"(?m)^.*function signature mismatch: .*(?:\n>>>.*)*\n?")
_MISMATCH = re.compile(r"function signature mismatch: (.*)")


def compiler_version() -> str:
    """What a build depends on besides its sources: the compiler's release. Raises BuildError when
    there is none."""
    compiler()
    return f"ziglang {version('ziglang')}"


def compiler() -> Path:
    """The compiler's executable. Raises BuildError when there is none."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise BuildError(MISSING)
    return Path(spec.origin).parent / ("zig.exe" if os.name == "nt" else "zig")


def zig(arguments: Sequence[str], *, to_stdout: bool = False, mismatched: Collection[str] | None = ()) -> str:
    """Run the compiler, and give back what it said of the user's files. Raises BuildError with the
    same words when it failed. `to_stdout` leaves standard output to it; `mismatched` are the
    functions of which there may be two forms, or None for all.
    """
    program = compiler()
    try:
        with _compilers_cache() as environ:
            done = subprocess.run(
                [program, *arguments],
                env=environ,
                stdout=None if to_stdout else subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                check=False,
            )
    except OSError as error:
        raise BuildError(f"{escaped(program)} cannot be started: {error}") from error
    said = done.stderr + (done.stdout or "")
    if done.returncode:
        silent = f"{escaped(program)} ended with status {done.returncode} and no message"
        raise BuildError(told(said, failed=True) or said.strip() or silent)
    if mismatched is not None and set(_MISMATCH.findall(said)) - set(mismatched):
        raise BuildError(_mismatches(said))
    return told(_MISMATCH_NOTE.sub("", said))


@contextlib.contextmanager
def _compilers_cache() -> Iterator[dict[str, str]]:
    """An environment in which the compiler has a directory for its libraries: the user's own, else
    one for this time, as without HOME, or where that is a web server's. The user's sources get one
    for this time in any case: from its cache the compiler would give an object back without the
    warnings about it. Raises OSError."""
    environ = dict(os.environ)
    places = [environ.get("ZIG_GLOBAL_CACHE_DIR"), environ.get("XDG_CACHE_HOME"), environ.get("HOME")]
    usual = next((Path(place) for place in places if place), None)
    there = next((path for path in (usual, *usual.parents) if path.exists()), usual) if usual is not None else None
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-zig-") as own:
        if there is None or not os.access(there, os.W_OK):
            environ["ZIG_GLOBAL_CACHE_DIR"] = own
        yield {**environ, "ZIG_LOCAL_CACHE_DIR": own}


def told(said: str, *, failed: bool = False) -> str:
    """The diagnostics about the user's files. The first build with C++ compiles zig's library too,
    and some releases have thousands of warnings for it. Where the compiler `failed`, its errors
    are kept wherever they are: a header of the toolchain may be what says what is missing.
    """
    library = f"{os.sep}ziglang{os.sep}lib{os.sep}"
    kept: list[str] = []
    context: list[str] = []  # the files by which one came to the next diagnostic
    keep = True
    for line in said.splitlines():
        diagnostic = _DIAGNOSTIC.match(line)
        if line.startswith(("In file included from ", "                 from ")):
            context.append(line)
            continue
        if _SUMMARY.match(line):
            continue
        if diagnostic:
            own = library not in line[: diagnostic.start(1)]
            kind = diagnostic[1]
            if kind != "note":  # which belongs to what stands before it
                keep = own or (failed and kind != "warning")
            if keep:
                kept += context
        context = []
        if keep:
            kept.append(line)
    return "\n".join(kept).strip()


def _mismatches(said: str) -> str:
    """What to say where the linker has found functions that are called as they are not defined."""
    lines = said.splitlines()
    shown: list[str] = []
    for place, line in enumerate(lines):
        if found := _MISMATCH.search(line):
            shown.append(f"the function {found[1]!r} is not defined with the parameters and result it is called with:")
            shown += [f"  {one.removeprefix('>>> ')}" for one in lines[place + 1 : place + 3] if one.startswith(">>>")]
    return "\n".join([*shown, "such a call would trap: give all files one prototype, from a header that they include"])
