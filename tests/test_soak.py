"""The soak in its quickest form: that it runs under every server and finds no fault, and that faults are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks.soak import verdict
from benchmarks.soak.acts import OK, SHORT, WRONG, judged, numbers
from benchmarks.soak.watch import Process, Sample
from servers.client import Answer

pytestmark = pytest.mark.usefixtures("untraced")

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["gunicorn-gthread", "mod_wsgi-daemon"])
def test_a_short_soak_finds_no_fault(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--no-install", "--time", "20s", "--only", name]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)], cwd=PROJECT, env=os.environ, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "soak.json").read_text("utf-8"))
    assert [part["name"] for part in found["parts"]] == [name, f"{name} isolated"]
    for part in found["parts"]:
        right = sum(count for _, outcome, _, count in part["outcomes"] if outcome == OK)
        assert right > 50
        assert part["storm"]["killed workers"] > 0
        assert part["storm"]["swapped configurations"] > 5
        assert ("killed children" in part["storm"]) == part["name"].endswith("isolated")
        assert len(part["samples"]) > 5
    lines = ElementTree.parse(tmp_path / "soak.svg").findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) > 8
    again = [*command, "--render", str(tmp_path / "soak.json"), "--output", str(tmp_path / "again")]
    shown = subprocess.run(again, cwd=PROJECT, env=os.environ, capture_output=True, text=True, timeout=100)
    assert shown.stdout == done.stdout
    assert (tmp_path / "again" / "soak.svg").read_text() == (tmp_path / "soak.svg").read_text()


def test_neighbours_of_a_crashing_child_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--no-install", "--crash", "--requests", "300"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)], cwd=PROJECT, env=os.environ, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for one in json.loads((tmp_path / "crash.json").read_text("utf-8")):
        assert one["neighbours"] == {OK: 300}


def test_a_combination_that_there_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--no-install", "--only", "nginx", "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "there are gunicorn-gthread" in done.stderr


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, numbers(7, 3), OK),
        (200, numbers(7, 3)[:-5], SHORT),
        (200, numbers(8, 3), WRONG),
        (200, numbers(7, 3) + b"more", WRONG),
        (502, numbers(7, 3), "502"),
    ],
)
def test_answers_of_others_are_wrong(status: int, body: bytes, outcome: str) -> None:
    assert judged(Answer(status=status, reason="", fields=(), body=body), numbers(7, 3)) == outcome


def samples(growth: int, noise: int = 1000) -> list[Sample]:
    """A minute and a half of one worker that grows by so many bytes a second."""
    return [
        Sample(float(at), (Process(1, "workers", 50_000_000 + growth * at + noise * (at % 3), 0, 20, 9, 400),), {})
        for at in range(90)
    ]


def test_growth_is_found() -> None:
    leaking, steady = samples(100_000), samples(0)
    assert verdict.growing(verdict.slopes(leaking), leaking) != []
    assert verdict.growing(verdict.slopes(steady), steady) == []
    assert verdict.more_at_rest(leaking[0], leaking[-1]) != []
    assert verdict.more_at_rest(steady[0], steady[-1]) == []


def test_what_is_left_is_found() -> None:
    assert verdict.left_behind({"spool"}, set(), 0) != []
    assert verdict.left_behind(set(), {f"{number}.failed" for number in range(4)}, 1) != []
    assert verdict.left_behind(set(), {"1.failed", "1.lock", "1.source", "owner-1.lock"}, 1) == []


def test_tracebacks_are_found_but_not_those_of_answers_broken_off() -> None:
    log = "Traceback (most recent call last):\n  File x, line 1\n    call()\n{}\nnext line\n"
    assert verdict.traces(log.format("wsgi_wasm.errors.Cut: was stopped")) == []
    assert verdict.traces(log.format("KeyError: 1")) == ["in the log, 1 times: KeyError: 1"]
    assert verdict.traces("thread 'x' panicked at y\n") != []
