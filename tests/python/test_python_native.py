"""The same scripts under Apache's mod_cgid and the machine's own Python: what a client sees is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from python.cases import Case, cases
from servers.apache import Apache, Site
from servers.client import request
from servers.server import Server

CASES = [case for case in cases() if case.native]

# A program of its own, so that the scripts stay as they are. -W: `cgi` announces its removal.
STARTER = '#!/bin/sh\nexec /usr/bin/python3 -W ignore "$PWD/script.py"\n'


@pytest.fixture(scope="module")
def apache(open_module_tmp: Path) -> Iterator[Server]:
    native = open_module_tmp / "native"
    for case in CASES:
        folder = native / case.name
        folder.mkdir(parents=True)
        case.write(folder)
        (folder / "start").write_text(STARTER, encoding="ascii")
        (folder / "start").chmod(0o755)
    with Apache.start(Site(text="", wsgi=False, native={"/cgi/": native}), open_module_tmp, name="native") as server:
        yield server


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_native_interpreter_answers_the_same(case: Case, apache: Server) -> None:
    target = f"/cgi/{case.name.replace(chr(39), '%27')}/start{case.target}"
    target += f"?{case.query}" if case.query else ""
    body = case.sent if case.method == "POST" else None
    answer = request(apache.address, case.method, target, body=body, fields=case.headers)
    assert answer.status == case.status
    if case.expected is not None:
        assert answer.body == case.expected
    for text in case.contains:
        assert text in answer.text
    for name, value in case.fields.items():
        assert ", ".join(answer.all_fields(name)) == value


def test_what_is_left_out_says_why() -> None:
    assert not [case.name for case in cases() if not case.native and not case.why]
