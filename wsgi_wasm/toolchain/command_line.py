"""A compiler's command line as Makefiles and configure scripts write it: which of its words are
files, which belong to the link, and which mean nothing here. A leaf.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

C_SUFFIXES = frozenset({".c", ".i", ".s", ".S"})
CXX_SUFFIXES = frozenset({".cc", ".cpp", ".cxx", ".c++", ".C", ".CPP", ".cp", ".ii"})
OBJECT_SUFFIXES = frozenset({".o", ".obj", ".a", ".lo", ".bc"})

# Options whose value is the next word.
_WITH_VALUE = frozenset(
    """
    -o -D -U -I -L -l -include -imacros -isystem -idirafter -iquote -iprefix -iwithprefix -isysroot --sysroot -x
    -MF -MT -MQ -Xlinker -Xclang -Xpreprocessor -Xassembler -T -u -z -e -mllvm -target -arch --param -framework
    """.split()  # noqa: SIM905
)
_LINK_VALUE = frozenset({"-L", "-l", "-Xlinker", "-T", "-u", "-z", "-e", "-framework"})

# What other machines and shared libraries need, and WebAssembly has not. Dropped without a word.
_MEANINGLESS = re.compile(
    r"-(?:pthread|mthreads|rdynamic|pie|no-pie|pipe|static|static-pie|static-libgcc|static-libstdc\+\+|s|m64|m32)$|"
    r"-f(?:no-)?(?:PIC|pic|PIE|pie|stack-protector(?:-all|-strong|-explicit)?|stack-clash-protection|plt|"
    r"semantic-interposition|cf-protection(?:=.*)?|var-tracking-assignments|tree-vectorize)$|"
    r"-m(?:arch|tune|cpu|fpmath|no-avx.*|sse.*|avx.*|fpu|branch-protection)(?:=.*)?$|-specs=.*$|-fuse-ld=.*$|-B.*$|"
    r"-Wl,(?:-O\d|--as-needed|--no-as-needed|-E|--export-dynamic|-rpath.*|-R.*|--enable-new-dtags|-Bsymbolic.*|"
    r"-Bstatic|-Bdynamic|-z,(?:relro|now|defs|noexecstack)|--no-undefined|--hash-style=.*|--build-id.*|-Map.*|"
    r"--version-script.*|-soname.*|-h,.*|--start-group|--end-group|--sort-common|--no-copy-dt-needed-entries|-s|-S|"
    r"--allow-shlib-undefined|--warn-common|-Bsymbolic-functions)(?:,.*)?$"
)
# Libraries that are part of this libc, or whose place the compat functions take.
_IN_LIBC = frozenset(
    "c m rt pthread dl crypt util resolv xnet nsl socket gcc gcc_s stdc++ c++ c++abi anl bsd-compat".split()  # noqa: SIM905
)
_STACK_SIZE = re.compile(r"-Wl,(?:-z,|-z)stack-size=(0[xX][0-9a-fA-F]+|\d+)$")
_SHARED = frozenset({"-shared", "-dynamiclib", "-bundle"})
_ASKS = re.compile(r"(?:-v|-V|--version|-qversion|-dumpversion|-dumpfullversion|-dumpmachine|--help|-print-.*|-###)$")


@dataclass(slots=True)
class CommandLine:
    """One call of a compiler. `mode` is "link", "compile" (-c), "assemble" (-S), "preprocess"
    (-E, -M), "check" (-fsyntax-only) or "ask" (its version and the like). `inputs` are the sources,
    objects, libraries and options of the link, in order; `options` is the rest. With
    `all_cxx`, sources of any name are C++.
    """

    mode: str = "link"
    output: Path | None = None
    language: str = ""  # of -x
    inputs: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    shared: bool = False
    all_cxx: bool = False

    @property
    def sources(self) -> list[str]:
        """The inputs that have to be compiled."""
        return [word for word in self.inputs if self.is_source(word)]

    def take_stack_size(self) -> int:
        """The bytes of stack that the options of the link ask for, which are taken out; 0 where
        they do not."""
        found = [(word, match) for word in self.inputs if (match := _STACK_SIZE.match(word))]
        self.inputs = [word for word in self.inputs if not _STACK_SIZE.match(word)]
        return int(found[-1][1][1], 0) if found else 0

    def is_source(self, word: str) -> bool:
        """Whether an input is a source."""
        if word.startswith("-") and word != "-":
            return False
        suffix = Path(word).suffix
        return word == "-" or suffix in C_SUFFIXES | CXX_SUFFIXES or bool(self.language and suffix not in _OBJECTS)

    def is_cxx(self, word: str) -> bool:
        """Whether a source is C++."""
        return (
            self.all_cxx or self.language.startswith("c++") or (not self.language and Path(word).suffix in CXX_SUFFIXES)
        )


_OBJECTS = OBJECT_SUFFIXES | {".so", ".wasm"}
_MODES = {"-c": "compile", "-S": "assemble", "-E": "preprocess", "-M": "preprocess", "-MM": "preprocess"}


def parse(arguments: Sequence[str]) -> CommandLine:
    """Sort the words of a command line, without the compiler's own name."""
    line = CommandLine()
    words = iter(_expanded(arguments))
    for word in words:
        value = next(words, "") if word in _WITH_VALUE else None
        if _ASKS.match(word):
            line.mode = "ask"
        elif word in _MODES:
            line.mode = _MODES[word]
            if word in ("-M", "-MM"):
                line.options.append(word)
        elif word == "-fsyntax-only":
            line.mode = "check"
            line.options.append(word)
        elif word in _SHARED:
            line.shared = True
        else:
            _sort(line, word, value)
    if line.mode == "ask" and line.inputs:
        line.mode = "link" if not line.output else line.mode
    return line


def _sort(line: CommandLine, word: str, value: str | None) -> None:
    if word.startswith("-o") and (value is not None or len(word) > 2) and not word.startswith("-objc"):
        line.output = Path(value if value is not None else word[2:])
    elif word.startswith("-x"):
        line.language = "" if (value or word[2:]) == "none" else value or word[2:]
        line.options += ["-x", line.language] if line.language else []
    elif _MEANINGLESS.match(word):
        return
    elif word.startswith("-l"):
        name = value if value is not None else word[2:]
        if name not in _IN_LIBC:
            line.inputs.append(f"-l{name}")
    elif word.startswith(("-Wl,", "-L")) or word in _LINK_VALUE:
        line.inputs.append(f"{word}{value}" if word == "-L" else word)
        if value is not None and word != "-L":
            line.inputs.append(value)
    elif word == "-" or not word.startswith("-"):
        line.inputs.append(word)
    else:
        line.options += [word] if value is None else [word, value]


def _expanded(arguments: Sequence[str]) -> list[str]:
    """With the words of `@file`s in their places."""
    words: list[str] = []
    for word in arguments:
        if word.startswith("@") and Path(word[1:]).is_file():
            words += _expanded(shlex.split(Path(word[1:]).read_text(errors="surrogateescape")))
        else:
            words.append(word)
    return words
