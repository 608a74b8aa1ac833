"""No function of preview 1 outruns its guest's limits, whatever it is asked for, nor copies a guest's memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hostcalls.preview1 import ROWS, SIZE, TIMEOUT, Row
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.program.preview1 import PREVIEW1_FUNCTIONS

TESTS = Path(__file__).parents[1]
WAYS = ["1", "0"] if native is not None else ["0"]


def test_every_function_has_a_row() -> None:
    assert {row.function for row in ROWS} == PREVIEW1_FUNCTIONS


@cache
def outcomes(way: str) -> list[dict[str, Any]]:
    environment = {**os.environ, "WSGI_WASM_NATIVE": way, "PYTHONPATH": f"{TESTS}:{os.environ.get('PYTHONPATH', '')}"}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)  # it would count as memory
    command = [sys.executable, "-m", "hostcalls.preview1"]
    done = subprocess.run(command, cwd=TESTS, env=environment, capture_output=True, check=True, timeout=300)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _name(row: Row) -> str:
    return f"{row.function} {row.what}".strip()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "native" if way == "1" else "python")
@pytest.mark.parametrize("nth", range(len(ROWS)), ids=[_name(row) for row in ROWS])
def test_it_ends_in_time(way: str, nth: int) -> None:
    found = outcomes(way)[nth]
    assert found["status"] == ROWS[nth].status
    # What it takes above the limit tells a call that looks at the clock from one that does not: those took seconds.
    assert found["seconds"] < TIMEOUT + 2
    # of which the guest's own memory is `SIZE`
    assert found["grown"] < SIZE / 2**20 + 32
