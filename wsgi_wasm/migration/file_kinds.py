"""What a file of a cgi-bin is, told by its first bytes, its `#!` line and then its name, in the
order in which the kernel and a web server would go by them."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from wsgi_wasm.cgi.shebang import interpreter_asked

HEAD = 512  # bytes of a file that tell what it is


class FileForm(StrEnum):
    """How a program is stored."""

    ELF = "elf"
    SCRIPT = "script"
    WASM = "wasm"
    SOURCE = "source"
    OTHER = "other"
    """Something that is run but that nothing here knows."""
    DATA = "data"


@dataclass(frozen=True, slots=True)
class FileKind:
    """A form and a language, "" where none is known. `interpreter` is what the `#!` line names, as
    written there."""

    form: FileForm
    language: str = ""
    interpreter: str = ""


SCRIPT_SUFFIXES: Mapping[str, str] = {
    ".py": "Python",
    ".pyc": "Python bytecode",
    ".pl": "Perl",
    ".sh": "shell",
    ".bash": "shell",
    ".rb": "Ruby",
    ".php": "PHP",
    ".php3": "PHP",
    ".phtml": "PHP",
    ".lua": "Lua",
    ".tcl": "Tcl",
    ".awk": "awk",
    ".js": "JavaScript",
    ".r": "R",
}
HELPER_SUFFIXES: Mapping[str, str] = {".pm": "Perl", ".ph": "Perl", ".inc": "PHP", ".rhtml": "Ruby"}
SOURCE_SUFFIXES: Mapping[str, str] = {
    ".c": "C",
    ".cc": "C++",
    ".cpp": "C++",
    ".cxx": "C++",
    ".c++": "C++",
    ".rs": "Rust",
    ".go": "Go",
    ".pas": "Pascal",
    ".f": "Fortran",
    ".f90": "Fortran",
    ".d": "D",
    ".zig": "Zig",
    ".swift": "Swift",
}

# The file name of an interpreter without its version.
INTERPRETERS: Mapping[str, str] = {
    "python": "Python",
    "pypy": "Python",
    "perl": "Perl",
    **dict.fromkeys(("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "csh", "tcsh", "fish"), "shell"),
    "ruby": "Ruby",
    **dict.fromkeys(("php", "php-cgi"), "PHP"),
    **dict.fromkeys(("lua", "luajit"), "Lua"),
    **dict.fromkeys(("tclsh", "wish", "expect"), "Tcl"),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), "awk"),
    **dict.fromkeys(("node", "nodejs", "deno", "bun"), "JavaScript"),
    **dict.fromkeys(("rscript", "littler"), "R"),
}

_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x7fELF", FileKind(FileForm.ELF, "native code")),
    (b"\0asm", FileKind(FileForm.WASM, "WebAssembly")),
    (b"MZ", FileKind(FileForm.OTHER, "Windows program")),
    (b"\xcf\xfa\xed\xfe", FileKind(FileForm.OTHER, "macOS program")),
    (b"\xca\xfe\xba\xbe", FileKind(FileForm.OTHER, "Java class")),
)
# `eval 'exec perl -x -wS $0 ...'`: a script for the shell that hands itself to another interpreter
_HANDED_ON = re.compile(
    rb"^\s*(?:eval\s+['\"])?exec\s+(?:/\S*/)?(?:env\s+)?(perl|python|tclsh|wish|ruby)[\d.]*\s", re.M
)


def kind_of(name: str, head: bytes, executable: bool) -> FileKind:
    """What the file `name` is that begins with `head` (at most `HEAD` bytes). `executable` is
    whether anybody may execute it."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"#!"):
        return _script(head)
    suffix = os.path.splitext(name)[1].lower()
    if suffix == ".wat" and head.lstrip().startswith((b"(", b";;")):
        return FileKind(FileForm.WASM, "WebAssembly text")
    if suffix in SCRIPT_SUFFIXES:
        return FileKind(FileForm.SCRIPT, SCRIPT_SUFFIXES[suffix])
    if suffix in SOURCE_SUFFIXES:
        return FileKind(FileForm.SOURCE, SOURCE_SUFFIXES[suffix])
    if head.lstrip().startswith(b"<?php"):
        return FileKind(FileForm.SCRIPT, "PHP")
    if executable or suffix == ".cgi":
        return FileKind(FileForm.OTHER, "binary" if b"\0" in head else "text without a #! line")
    return FileKind(FileForm.DATA)


def _script(head: bytes) -> FileKind:
    program = interpreter_asked(head).encode("latin-1").decode("utf-8", "surrogateescape")
    base = os.path.basename(program)
    language = INTERPRETERS.get(base.lower()) or INTERPRETERS.get(re.sub(r"[\d.]+$", "", base).lower().rstrip("-"), "")
    if language == "shell" and (handed := _HANDED_ON.search(head)):
        language = INTERPRETERS[handed[1].decode("ascii")]
    return FileKind(FileForm.SCRIPT, language, program)
