"""The soak in its quickest form: that it runs under every server and finds no fault, and that faults are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest

from benchmarks.soak import grown, verdict, watch
from benchmarks.soak.acts import OK, SHORT, WRONG, judged, numbers
from benchmarks.soak.holdings import holdings
from benchmarks.soak.watch import Process, Sample, lasting
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


def test_what_requests_leave(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--no-install", "--alone", "--requests", "40"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)], cwd=PROJECT, env=os.environ, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "alone.json").read_text("utf-8"))
    assert {"program", "key-value", "trap", "client leaves"} <= {one["kind"] for one in found}


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
    assert verdict.growing(verdict.slopes(leaking, {1}), leaking, {1}) != []
    assert verdict.growing(verdict.slopes(steady, {1}), steady, {1}) == []
    compiler = Process(2, "children", 1 << 30, 0, 9, 9, 90)  # of a bomb that is dropped in near the end
    crowded = [replace(one, processes=(*one.processes, *([compiler] if one.at > 70 else []))) for one in steady]
    assert lasting([crowded[0], crowded[-1]]) == {1}
    assert verdict.growing(verdict.slopes(crowded, {1}), crowded, {1}) == []
    assert verdict.more_at_rest(leaking[:1], leaking[-1]) != []
    assert verdict.more_at_rest(steady[:1], steady[-1]) == []


def at_rest(*memories: int, descriptors: Sequence[int] = (20, 20, 20)) -> list[Sample]:
    """One worker with this memory at each of three rests."""
    return [
        Sample(float(at), (Process(1, "workers", memory, 0, count, 9, 400),), {})
        for at, (memory, count) in enumerate(zip(memories, descriptors, strict=True))
    ]


MIB = 1 << 20


@pytest.mark.parametrize(
    ("rests", "found"),
    [
        (at_rest(50 * MIB, 80 * MIB, 82 * MIB), 0),  # what fills to its bound
        (at_rest(50 * MIB, 80 * MIB, 110 * MIB), 1),  # what goes on
        (at_rest(80 * MIB, 50 * MIB, 82 * MIB), 0),  # what comes and goes
        (at_rest(50 * MIB, 50 * MIB, 50 * MIB, descriptors=(10, 31, 31)), 0),
        (at_rest(50 * MIB, 50 * MIB, 50 * MIB, descriptors=(10, 31, 52)), 1),
    ],
)
def test_a_pool_that_fills_is_told_from_a_leak(rests: list[Sample], found: int) -> None:
    assert len(verdict.more_at_rest(rests[:2], rests[2])) == found


def test_what_has_grown_is_named(tmp_path: Path) -> None:
    """By a process that opens a file, a pipe and a socket of the place, and takes memory of two kinds."""
    program = """
import mmap, os, socket, sys
input()
held = [open("state/5.db", "w"), open("state/17.db", "w"), os.pipe(), socket.socketpair(), os.memfd_create("pages")]
os.unlink("state/17.db")
memory = mmap.mmap(-1, 8 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.write(b"x" * (8 << 20))
print("held", flush=True)
input()
"""
    (tmp_path / "state").mkdir()
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=tmp_path, text=True, stdin=PIPE, stdout=PIPE) as child:
        one = watch.process(child.pid, "workers")
        assert one is not None
        assert child.stdin is not None
        assert child.stdout is not None

        def rest() -> Sample:
            return Sample(0.0, (replace(one, holdings=holdings(child.pid, tmp_path)),), {})

        first = rest()
        print(file=child.stdin, flush=True)
        assert child.stdout.readline() == "held\n"
        found = grown.by_kind(first, rest(), rest())
        child.communicate("\n")
    descriptors = {each["kind"]: each["held"] for each in found if each["what"] == "descriptors"}
    assert descriptors == {
        "state/N.db": [0, 2, 2],
        "pipe": [2, 4, 4],
        "socket": [0, 2, 2],
        "/memfd:pages": [0, 1, 1],
    }
    memory = {each["kind"]: each["held"] for each in found if each["what"] == "memory"}
    before, after, _ = memory["other anonymous memory"]
    assert after - before >= 8 * MIB


def test_what_is_left_is_found() -> None:
    assert verdict.left_behind({"spool"}, set(), 0) != []
    assert verdict.left_behind(set(), {f"{number}.failed" for number in range(4)}, 1) != []
    assert verdict.left_behind(set(), {"1.failed", "1.lock", "1.source", "owner-1.lock"}, 1) == []


def test_tracebacks_are_found_but_not_those_of_answers_broken_off() -> None:
    log = "Traceback (most recent call last):\n  File x, line 1\n    call()\n{}\nnext line\n"
    assert verdict.traces(log.format("wsgi_wasm.errors.Cut: was stopped")) == []
    assert verdict.traces(log.format("KeyError: 1")) == ["in the log, 1 times: KeyError: 1"]
    assert verdict.traces("thread 'x' panicked at y\n") != []
