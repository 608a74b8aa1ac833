"""What is given for a module and is none is called by its name, with what to do about it."""

from __future__ import annotations

import struct

import pytest

from wsgi_wasm.binary.foreign import LOOKED_AT, check_module
from wsgi_wasm.errors import ModuleError


def elf(kind: int, abi: int = 0, order: str = "<") -> bytes:
    """The beginning of such a file; `kind` is `e_type`."""
    return b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1, abi]) + bytes(8) + struct.pack(f"{order}HH", kind, 62)


TABLE = [
    ("x.wasm", b"", "is empty: build or copy it again"),
    ("x.wasm", elf(2), "a program for Linux (ELF): compile its source for wasm32-wasip1"),
    ("x", elf(3), "a program or library for Linux (ELF)"),
    ("x.o", elf(1), "an object file for this kind of machine (ELF)"),
    ("x.o", elf(1, order=">"), "an object file for this kind of machine (ELF)"),
    ("x.cwasm", elf(1, abi=200), "code that Wasmtime has compiled (.cwasm): name the .wasm file"),
    ("x.wat", elf(2), "a program for Linux (ELF)"),
    ("x.exe", b"MZ\x90\0", "a program for Windows: compile its source"),
    ("x", bytes.fromhex("cffaedfe"), "a program for macOS (Mach-O)"),
    ("x", bytes.fromhex("cafebabe 00000002"), "a program for macOS (Mach-O)"),
    ("X.class", bytes.fromhex("cafebabe 00000041"), "a class of Java"),
    ("x.bc", b"BC\xc0\xde", "bitcode of LLVM: link it"),
    ("libx.a", b"!<arch>\n", "a library of object files: link it"),
    ("x.wasm", b"PK\x03\x04", "a ZIP archive: unpack it"),
    ("x.wasm.gz", b"\x1f\x8b\x08", "compressed with gzip: unpack it first, with `gunzip`"),
    ("x.tar", bytes(257) + b"ustar\0", "a tar archive: unpack it"),
    ("x.wasm", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS: fetch it with `git lfs pull`"),
    ("x.cgi", b"#!/usr/bin/env python3\n", "a script in Python: a directory route runs it with `interpreters: {.py"),
    ("x.cgi", b"#!/usr/bin/env -S A=1 python3.11 -u\n", "a script in Python"),
    ("x.cgi", b"#! /usr/bin/perl -wT\n", "a script in Perl: a directory route runs scripts by modules"),
    ("x.cgi", b"#!/bin/sh\r\n", "a script in shell"),
    ("x.cgi", b"#!/usr/bin/tclsh8.6\n", "a script for 'tclsh8.6'"),
    ("x.cgi", b"#!\n", "a script: "),
    ("x.cgi", b"\xef\xbb\xbf#!/usr/bin/python\n", "a script in Python"),
    ("x.wasm", b"<!DOCTYPE html>\n<title>404", "a page of HTML, as servers send for what they lack"),
    ("x.wat", b"\n<HTML>", "a page of HTML"),
    ("x.js", b"var Module = typeof Module != 'undefined' ? Module : {};", "the JavaScript that Emscripten writes"),
    ("x.js", b"export default {}", "source code in JavaScript: build a component from it, with componentize-js"),
    ("x.ts", b"export {}", "source code in TypeScript"),
    ("shop/hello.c", b"main() {}", "source code in C: compile it with `wsgi-wasm build shop/hello.c`"),
    ("my hello.cpp", b"main() {}", "compile it with `wsgi-wasm build 'my hello.cpp'`"),
    ("hello.wasm", b"\n#include <stdio.h>\nint main() {}", "compile it with `wsgi-wasm build hello.c`"),
    ("hello.RS", b"fn main() {}", "`rustc --target wasm32-wasip1 -O hello.RS`"),
    ("hello.wasm", b"use std::env;\nfn main() {}", "rustc --target wasm32-wasip1 -O hello.rs`"),
    ("hello.go", b"package main\n", "`GOOS=wasip1 GOARCH=wasm go build hello.go`"),
    ("hello.py", b"x = 1\n", "a script in Python"),
    ("hello.php", b"<?php echo 1;", "a script in PHP"),
    ("hello.pl", b"print 1;", "a script in Perl"),
    ("hello.wasm", b"import os\nprint(os.name)\n", "a script in Python"),
    ("hello.wasm", b";; text\n (module)", "a module in text form: give it a name that ends in .wat"),
    (
        "spin.toml",
        b"spin_manifest_version = 2\n",
        "the manifest of a Spin application: use `spin` in place of `module`",
    ),
    ("site.yaml", b"routes:\n  /: {module: x.wasm}\n", "a configuration: a route names the module itself"),
    ("x.c", b"\0\1\2\3", "is not WebAssembly: it begins with the bytes 00 01 02 03, not with 00 61 73 6d"),
    ("x.wasm", b"\0as", "it begins with the bytes 00 61 73"),
]


@pytest.mark.parametrize(("name", "data", "expected"), TABLE)
def test_what_it_is(name: str, data: bytes, expected: str) -> None:
    for whole in {data, data and data + b"\n" * LOOKED_AT}:
        with pytest.raises(ModuleError) as caught:
            check_module(name, whole)
        assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [("x.wasm", b"\0asm"), ("x.c", b"\0asm"), ("x.wat", b"(module)"), ("x.wat", b"(; the source is\nint main() {}")],
)
def test_what_may_be_a_module(name: str, data: bytes) -> None:
    check_module(name, data)


def test_a_hostile_name() -> None:
    with pytest.raises(ModuleError) as caught:
        check_module("'; \x1b[2J $(rm).c", b"x")
    assert str(caught.value).endswith("""`wsgi-wasm build ''"'"'; \\x1b[2J $(rm).c'`""")
