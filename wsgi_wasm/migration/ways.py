"""How a program would move: as it is, compiled again, after changes, or not at all."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsgi_wasm.interpreters import NAMES
from wsgi_wasm.migration.file_kinds import FileForm, FileKind
from wsgi_wasm.migration.needs import Need

AS_IS, RECOMPILE, CHANGE, NATIVE, UNKNOWN = "as-is", "recompile", "change", "native", "unknown"

WAYS: Mapping[str, str] = {
    AS_IS: "moves as it is",
    RECOMPILE: "is compiled again",
    CHANGE: "is changed first",
    NATIVE: "stays native",
    UNKNOWN: "is for you to look at",
}
"""Every way, in words that follow `1 program`."""

_TOOLCHAINS = {"Rust": "rustc --target wasm32-wasip1", "Go": "GOOS=wasip1 GOARCH=wasm go build"}


@dataclass(frozen=True, slots=True)
class Way:
    """One of `WAYS`, and in a few words what to do or why not."""

    name: str
    how: str


def way_of(path: str, kind: FileKind, needs: Sequence[Need], sources: Sequence[str]) -> Way:
    """How the program at `path` would move. `sources` are what a native one was made of, as far as
    they were found."""
    reasons = _reasons(needs)
    match kind.form:
        case FileForm.WASM:
            return Way(AS_IS, "is WebAssembly already")
        case FileForm.OTHER:
            return Way(UNKNOWN, kind.language)
        case FileForm.SCRIPT if kind.language.lower() not in NAMES:
            return _other_script(kind)
        case FileForm.SCRIPT if reasons:
            return Way(NATIVE, reasons)
        case FileForm.SCRIPT if any(need.kind == "python2" for need in needs):
            return Way(CHANGE, "convert it to Python 3, then as it is")
        case FileForm.SCRIPT:
            return Way(AS_IS, _interpreted(path, kind))
        case FileForm.ELF if reasons:
            return Way(NATIVE, reasons)
        case FileForm.ELF if not sources:
            return Way(RECOMPILE, "wsgi-wasm build, from its source, which is not here")
    if reasons:
        return Way(NATIVE, reasons)
    return _from_sources(path, kind, sources or [path])


def _interpreted(path: str, kind: FileKind) -> str:
    suffix = os.path.splitext(path)[1]
    name = kind.language.lower()
    return f"interpreters: {{{suffix}: {name}}}" if suffix else f"interpreter {name}, by its #! line"


def _other_script(kind: FileKind) -> Way:
    if kind.language == "shell":
        return Way(NATIVE, "shell scripts start other programs")
    return Way(NATIVE, f"no interpreter for {kind.language or kind.interpreter or 'it'}")


def _from_sources(path: str, kind: FileKind, sources: Sequence[str]) -> Way:
    if kind.language in _TOOLCHAINS:
        return Way(RECOMPILE, f"{_TOOLCHAINS[kind.language]} {shlex.quote(sources[0])}")
    suffix = os.path.splitext(sources[0])[1].lower()
    if kind.form is FileForm.SOURCE and kind.language not in ("C", "C++"):
        return Way(UNKNOWN, f"{kind.language} source: needs a compiler for wasm32-wasi")
    if suffix in (".rs", ".go"):
        return Way(RECOMPILE, f"{_TOOLCHAINS['Rust' if suffix == '.rs' else 'Go']} {shlex.quote(sources[0])}")
    output = os.path.splitext(path)[0] + ".wasm"
    option = "" if output == os.path.splitext(sources[0])[0] + ".wasm" else f"-o {shlex.quote(output)} "
    return Way(RECOMPILE, f"wsgi-wasm build {option}{' '.join(map(shlex.quote, sources))}")


def _reasons(needs: Sequence[Need]) -> str:
    """Why it stays: `starts other programs, sends mail`."""
    return ", ".join(dict.fromkeys(need.about for need in needs if need.blocks))
