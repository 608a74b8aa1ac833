"""Perl scripts as they are, under `interpreters: {.pl: perl}`, and under the machine's own `perl`."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from perl.cases import Case, cases, interpreter
from wsgi_wasm import Gateway

CASES = [*cases("habits.yaml"), *cases("modules.yaml")]

each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


@each
def test_script(case: Case, tmp_path: Path, make_app: Callable[..., Gateway], caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    case.write(folder)
    route = {"directory": str(folder), "interpreters": {".pl": "perl"}, "env": case.env, "queue_timeout": "300s"}
    client = Client(make_app({"/": {**route, **case.grants}}), use_cookies=False)
    with caplog.at_level(logging.INFO, "wsgi_wasm"):
        answer = client.open(
            f"/{case.at}{case.path}",
            method=case.method,
            query_string=case.query,
            headers=case.headers,
            data=case.sent or None,
        )
    log = "\n".join(record.getMessage() for record in caplog.records)
    case.check(answer.status_code, answer.data, log, folder)


@pytest.mark.parametrize("case", [case for case in CASES if case.native], ids=lambda case: case.name)
def test_the_native_interpreter_answers_the_same(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    environ = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "PATH": os.defpath,
        "PERL_USE_UNSAFE_INC": "1",  # Perl before 5.26, for which most scripts were written, looked beside them
        "QUERY_STRING": case.query,
        "REQUEST_METHOD": case.method,
        "SCRIPT_FILENAME": str(tmp_path / case.at),
        "SCRIPT_NAME": f"/{case.at}",
        **({"PATH_INFO": case.path} if case.path else {}),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in case.headers.items()},
        **({"CONTENT_LENGTH": str(len(case.sent))} if case.method == "POST" else {}),
        **({"CONTENT_TYPE": case.headers["Content-Type"]} if "Content-Type" in case.headers else {}),
        **case.env,
    }
    done = subprocess.run(
        ["/usr/bin/perl", *options_of(case.script), str(tmp_path / case.at)],
        input=case.sent,
        capture_output=True,
        env=environ,
        cwd=(tmp_path / case.at).parent,
        check=False,
    )
    head, _, body = done.stdout.replace(b"\r\n", b"\n", 8).partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if ": " in line)
    # httpd says 500 where there is no answer, and the gateway 502
    status = 502 if done.returncode and not body else int(fields.get("Status", "200").split()[0])
    log = done.stderr.decode("utf-8", "replace").replace(f"{tmp_path}/", "/")
    case.check(status, body.replace(f"{tmp_path}/".encode(), b"/"), log, tmp_path)


def options_of(script: str) -> list[str]:
    """What the kernel would pass on of a `#!` line; `-T` must be given that way."""
    first = script.partition("\n")[0]
    return first.split(maxsplit=1)[1:] if first.startswith("#!") else []


def test_what_is_left_out_says_why() -> None:
    assert not [case.name for case in CASES if not case.native and not case.why]
