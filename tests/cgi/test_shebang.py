"""Which interpreter a script's first line asks for."""

from __future__ import annotations

import pytest

from wsgi_wasm.cgi.shebang import LONGEST_LINE, interpreter_name, unversioned

LINES = {
    b"#!/usr/bin/python3\n": "python",
    b"#!/usr/bin/python3": "python",
    b"#!/usr/bin/python3.11 -u\nimport os\n": "python",
    b"#! /usr/bin/python\t-u\n": "python",
    b"#!python\n": "python",
    b"#!/opt/x86_64/perl5.36.0 -wT\n": "perl",
    b"#!/usr/bin/python3\r\nprint()\r\n": "python",
    b"\xef\xbb\xbf#!/usr/bin/python3\n": "python",
    b"#!/usr/bin/env python3\n": "python",
    b"#!/usr/bin/env python3\r\n": "python",
    b"#!/usr/bin/env -S python3 -u\n": "python",
    b"#!/usr/bin/env -Spython3 -u\n": "python",
    b"#!/usr/bin/env -iS python3\n": "python",
    b"#!/usr/bin/env --split-string=python3 -u\n": "python",
    b"#!/usr/bin/env --split-string python3\n": "python",
    b"#!/usr/bin/env -S 'python3' -u\n": "python",
    b"#!/usr/bin/env -i LANG=C -u PERL5LIB /usr/local/bin/perl -w\n": "perl",
    b"#!/usr/bin/env -S A=python3 ruby3.1\n": "ruby",
    b"#!/usr/bin/env\n": "",
    b"#!/usr/bin/env -S\n": "",
    b"#!/usr/bin/env -u python3\n": "",
    b"#!C:\\Python39\\python.exe -u\r\n": "python",
    b"#!/usr/bin/7\n": "7",
    b"#!/bin/sh\n": "sh",
    b"#!\n": "",
    b"#!": "",
    b"#!   \npython3\n": "",
    b"#": "",
    b"": "",
    b"\n#!/usr/bin/python3\n": "",
    b" #!/usr/bin/python3\n": "",
    b"import os\n#!/usr/bin/python3\n": "",
    b"\x7fELF": "",
    b"#!/usr/bin/p\xffthon\n": "p\xffthon",
    b"#!/usr/bin/python3\0\n": "python3\0",
    b"#!/usr/bin/python3 " + b"x" * (LONGEST_LINE - 20) + b"\n": "python",
    b"#!/usr/bin/python3 " + b"x" * 4096: "",
    b"#!" + b"a" * 4096: "",
}


@pytest.mark.parametrize(("start", "name"), LINES.items(), ids=lambda value: repr(value)[:50])
def test_interpreter_name(start: bytes, name: str) -> None:
    assert interpreter_name(start) == name


@pytest.mark.parametrize(
    ("name", "plain"), [("python3", "python"), ("tclsh8.6", "tclsh"), ("perl", "perl"), ("3", "3"), ("x86-64", "x86-")]
)
def test_versions(name: str, plain: str) -> None:
    assert unversioned(name) == plain
