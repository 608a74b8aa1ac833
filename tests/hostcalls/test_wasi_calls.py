"""No function of WASI outruns its guest's limits, whatever it is asked for, nor takes more memory than the docs say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hostcalls import preview1, preview2
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.program.preview1 import PREVIEW1_FUNCTIONS

TESTS = Path(__file__).parents[1]
WAYS = pytest.mark.parametrize("way", ["native", "python"] if native is not None else ["python"])


def test_every_function_has_a_row() -> None:
    assert {row.function for row in preview1.ROWS} == PREVIEW1_FUNCTIONS


@cache
def outcomes(module: str, way: str) -> list[dict[str, Any]]:
    environment = {
        **os.environ,
        "WSGI_WASM_NATIVE": "1" if way == "native" else "0",
        "PYTHONPATH": f"{TESTS}:{os.environ.get('PYTHONPATH', '')}",
    }
    environment.pop("COVERAGE_PROCESS_CONFIG", None)  # it would count as memory
    command = [sys.executable, "-m", f"hostcalls.{module}"]
    done = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, check=True, timeout=600)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@WAYS
@pytest.mark.parametrize(
    "nth", range(len(preview1.ROWS)), ids=[f"{row.function} {row.what}".strip() for row in preview1.ROWS]
)
def test_a_program_ends_in_time(way: str, nth: int) -> None:
    row, found = preview1.ROWS[nth], outcomes("preview1", way)[nth]
    # On a slow machine the clock comes before what ends it otherwise.
    assert found["status"] in ((row.status, 504) if row.forever else (row.status,))
    if row.forever:
        # What it takes above the limit tells a call that looks at the clock from one that does not.
        assert found["seconds"] < preview1.TIMEOUT + 10
    else:
        assert found["length"] == preview1.SIZE
    # docs/security.md: the guest's own memory, of which it has written `SIZE`, and little else
    assert found["grown"] < preview1.SIZE / 2**20 + 32


@WAYS
@pytest.mark.parametrize("nth", range(len(preview2.ROWS)), ids=[row.name for row in preview2.ROWS])
def test_a_component_ends_in_time(way: str, nth: int) -> None:
    row, found = preview2.ROWS[nth], outcomes("preview2", way)[nth]
    assert found["status"] in ((*row.statuses, 504) if row.forever else row.statuses)
    if row.forever:
        # One call of Wasmtime's own copies up to 128 MiB.
        assert found["seconds"] < preview1.TIMEOUT + 20
    else:
        assert found["length"] == row.length
    assert found["grown"] < preview2.SIZE / 2**20 + 128 + 32
