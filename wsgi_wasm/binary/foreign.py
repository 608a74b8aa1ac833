"""What a file is that was given for a module and is none, and what to do about it.

First its own bytes tell, then its name, then words that only one language has.
"""

from __future__ import annotations

import re
import shlex

from wsgi_wasm.binary.reader import MAGIC
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.files.text import without_mark
from wsgi_wasm.messages import escaped, quote

LOOKED_AT = 4096  # bytes of a file; no magic number and no first line lies further behind

_FOR_WASM = "compile its source for wasm32-wasip1 (C and C++ with `wsgi-wasm build`)"
_PACKED = "unpack it first"
_BUILD = "compile it with `wsgi-wasm build {}`"
_COMPONENT = "build a component from it, with componentize-js"

# Languages that are compiled; the braces stand for the file.
_COMPILE = {
    "C": _BUILD,
    "C++": _BUILD,
    "Rust": "compile it with `rustc --target wasm32-wasip1 -O {}`, or its package with "
    "`cargo build --release --target wasm32-wasip1`",
    "Go": "compile it with `GOOS=wasip1 GOARCH=wasm go build {}`",
    "Zig": "compile it with `zig build-exe -target wasm32-wasi {}`",
    "JavaScript": _COMPONENT,
    "TypeScript": f"translate it to JavaScript, and {_COMPONENT}",
    "C#": "publish it for wasi-wasm with the .NET SDK",
    "Swift": "compile it with Swift's SDK for WASI",
    "Java": _FOR_WASM,
}
_INTERPRETED = "a directory route runs scripts by modules that `interpreters` names for their suffix"
_SCRIPTS = {
    "Python": "a directory route runs it with `interpreters: {.py: python}`",
    **dict.fromkeys(("Perl", "shell", "PHP", "Ruby", "Lua"), _INTERPRETED),
}

_SUFFIXES = {
    "C": (".c", ".h"),
    "C++": (".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp"),
    "Rust": (".rs",),
    "Go": (".go",),
    "Zig": (".zig",),
    "JavaScript": (".js", ".mjs", ".cjs"),
    "TypeScript": (".ts", ".tsx"),
    "C#": (".cs",),
    "Swift": (".swift",),
    "Java": (".java",),
    "Python": (".py", ".pyw"),
    "Perl": (".pl", ".pm"),
    "shell": (".sh", ".bash", ".zsh"),
    "PHP": (".php", ".phtml"),
    "Ruby": (".rb",),
    "Lua": (".lua",),
}
_LANGUAGES = {suffix: language for language, suffixes in _SUFFIXES.items() for suffix in suffixes}

# What the first line of a script names, without digits and the path.
_PROGRAMS = {
    "python": "Python",
    "perl": "Perl",
    "sh": "shell",
    "bash": "shell",
    "dash": "shell",
    "zsh": "shell",
    "php": "PHP",
    "php-cgi": "PHP",
    "ruby": "Ruby",
    "lua": "Lua",
    "node": "JavaScript",
}

# Lines that a file of one language has and those of others do not.
_WORDS = (
    ("C", rb"^\s*#\s*include\s*[<\"]|^int\s+main\s*\("),
    ("Rust", rb"^\s*(?:pub\s+)?(?:async\s+)?fn\s+\w+\s*\(|^use\s+std::"),
    ("Go", rb"^package\s+\w+\s*$"),
    ("PHP", rb"^\s*<\?php"),
    ("Perl", rb"^use\s+(?:strict|warnings|CGI)\b|^my\s+[$@%]"),
    ("JavaScript", rb"^(?:const|let|var)\s+\w+\s*=|^export\s+|^import\s.+\sfrom\s|^['\"]use strict|^function\s+\w+"),
    ("Python", rb"^def\s+\w+\(.*:\s*$|^from\s+[\w.]+\s+import\s|^import\s+\w+\s*$|^print\("),
)

# Bytes at the beginning of a file, what has them, and what to do about it.
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"MZ", "a program for Windows", _FOR_WASM),
    (b"\xcf\xfa\xed\xfe", "a program for macOS (Mach-O)", _FOR_WASM),
    (b"\xce\xfa\xed\xfe", "a program for macOS (Mach-O)", _FOR_WASM),
    (b"\xfe\xed\xfa\xcf", "a program for macOS (Mach-O)", _FOR_WASM),
    (b"\xfe\xed\xfa\xce", "a program for macOS (Mach-O)", _FOR_WASM),
    (b"BC\xc0\xde", "bitcode of LLVM", "link it to a module"),
    (b"!<arch>\n", "a library of object files", "link it to a program"),
    (b"PK\x03\x04", "a ZIP archive", _PACKED),
    (b"\x1f\x8b", "compressed with gzip", "unpack it first, with `gunzip`"),
    (b"BZh", "compressed with bzip2", _PACKED),
    (b"\xfd7zXZ\0", "compressed with xz", _PACKED),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _PACKED),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _PACKED),
    (
        b"version https://git-lfs.github.com/",
        "a pointer of Git LFS",
        "fetch it with `git lfs pull`",
    ),
    (b"SQLite format 3\0", "a SQLite database", "name the module of the program that uses it"),
    (b"\x89PNG", "a picture", "name a module"),
    (b"%PDF-", "a PDF document", "name a module"),
)
_TAR_AT, _TAR = 257, b"ustar"

_ELF_TYPES = {1: "an object file for this kind of machine", 3: "a program or library for Linux"}
_WASMTIME_ABI = 200  # `e_ident[EI_OSABI]` of what Wasmtime compiles
_OLDEST_JAVA = 43  # the major version of the first class files; a fat Mach-O file has fewer parts

_EMSCRIPTEN = re.compile(rb"\bModule\b.{0,40}=|WebAssembly\.instantiate|emscripten", re.IGNORECASE)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|\?xml|title)\b", re.I | re.S)
_TEXT_FORM = re.compile(rb"(?:\s|;;[^\n]*\n)*\((?:module|component)\b")
_TOML_MANIFEST = re.compile(rb"^spin_(?:manifest_)?version\s*=", re.MULTILINE)
_SITE = re.compile(rb"^(?:routes|hosts):", re.MULTILINE)


def check_module(name: str, data: bytes) -> None:
    """Raises ModuleError for what is no module by its beginning, nor by its name one in text form:
    what it is, and what to do about it."""
    head = data[:LOOKED_AT]
    if head.startswith(MAGIC):
        return
    if not head:
        raise ModuleError("is empty: build or copy it again")
    found = foreign(name, head)
    if not found and _SITE.search(head) and not name.endswith(".wat"):
        found = "a configuration: a route names the module itself"
    if found:
        raise ModuleError(f"is not WebAssembly but {found}")
    if not name.endswith(".wat"):
        raise ModuleError(f"is not WebAssembly: it begins with the bytes {head[:4].hex(' ')}, not with 00 61 73 6d")


def foreign(name: str, head: bytes) -> str:
    """`a program for Windows: compile its source for WebAssembly`, or nothing where the file might
    be anything."""
    looks = [_binary, _script, _page]
    if not name.endswith(".wat"):  # in a comment of one may be anything
        looks += [_text, _by_name, _by_words]
    head = without_mark(head)
    return next(filter(None, (look(name, head) for look in looks)), "")


def _binary(name: str, head: bytes) -> str:
    if head.startswith(b"\x7fELF"):
        return _elf(head)
    if head.startswith(b"\xca\xfe\xba\xbe"):
        is_java = int.from_bytes(head[6:8]) >= _OLDEST_JAVA
        return f"{'a class of Java' if is_java else 'a program for macOS (Mach-O)'}: {_FOR_WASM}"
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return f"a tar archive: {_PACKED}"
    return next((f"{what}: {advice}" for start, what, advice in _STARTS if head.startswith(start)), "")


def _elf(head: bytes) -> str:
    if head[7:8] == bytes([_WASMTIME_ABI]):
        return "code that Wasmtime has compiled (.cwasm): name the .wasm file, which is compiled and cached here"
    kind = int.from_bytes(head[16:18], "big" if head[5:6] == b"\2" else "little")
    return f"{_ELF_TYPES.get(kind, 'a program for Linux')} (ELF): {_FOR_WASM}"


def _script(name: str, head: bytes) -> str:
    if not head.startswith(b"#!"):
        return ""
    words = head[2:].split(b"\n")[0].decode("utf-8", "replace").split()
    programs = [word.rpartition("/")[2] for word in words if "=" not in word and not word.startswith("-")]
    program = next((word for word in programs if word != "env"), "")
    language = _PROGRAMS.get(re.sub(r"[\d.]+$", "", program))
    return (
        _advice(language, name)
        if language
        else f"a script{f' for {quote(program)}' if program else ''}: {_INTERPRETED}"
    )


def _page(name: str, head: bytes) -> str:
    return "a page of HTML, as servers send for what they lack: download it again" if _HTML.match(head) else ""


def _text(name: str, head: bytes) -> str:
    if _TEXT_FORM.match(head):
        return "a module in text form: give it a name that ends in .wat"
    if _TOML_MANIFEST.search(head):
        return "the manifest of a Spin application: use `spin` in place of `module`"
    is_script = name.lower().endswith(_SUFFIXES["JavaScript"]) or _language(head) == "JavaScript"
    if is_script and _EMSCRIPTEN.search(head):
        return (
            "the JavaScript that Emscripten writes beside a module: name the .wasm file, built with `-sSTANDALONE_WASM`"
        )
    return ""


def _by_name(name: str, head: bytes) -> str:
    return _advice(_LANGUAGES.get(name[max(name.rfind("."), 0) :].lower(), ""), name) if b"\0" not in head else ""


def _by_words(name: str, head: bytes) -> str:
    return _advice(_language(head), name)


def _language(head: bytes) -> str:
    return next((language for language, words in _WORDS if _has(head, words)), "")


def _has(head: bytes, words: bytes) -> bool:
    return b"\0" not in head and re.search(words, head, re.MULTILINE) is not None


def _advice(language: str, name: str) -> str:
    if language in _SCRIPTS:
        return f"a script in {language}: {_SCRIPTS[language]}"
    if language not in _COMPILE:
        return ""
    own = _SUFFIXES[language]
    file = name if name.lower().endswith(own) else f"{name.removesuffix('.wasm')}{own[0]}"
    return f"source code in {language}: {_COMPILE[language].format(shlex.quote(escaped(file)))}"
