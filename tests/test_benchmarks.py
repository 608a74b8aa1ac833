"""The benchmark suite in its quickest form: that it runs and reports. What it measures is not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from servers.process import closed_port
from wsgi_wasm.toolchain.build import build

pytestmark = pytest.mark.usefixtures("untraced")

PROJECT = Path(__file__).resolve().parents[1]


def suite(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=os.environ, capture_output=True, text=True, timeout=500, check=False
    )


def test_a_run_gives_table_json_and_picture(tmp_path: Path) -> None:
    which = ("--servers", "gunicorn-gthread", "--workloads", "hello", "--clients", "8", "--only", ": C guest /")
    done = suite("--no-install", "--rounds", "1", *which, "--only", "bare", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "C guest against the bare app, gunicorn-gthread, 8 clients" in done.stdout
    found = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert [row["program"] for row in found["rows"]] == ["bare WSGI app", "C guest"]
    assert all(row["rounds"][0]["requests"] > 0 and not row["failure"] for row in found["rows"])
    picture = ElementTree.parse(tmp_path / "results.svg")
    assert len(picture.findall(".//{http://www.w3.org/2000/svg}circle")) == 2
    assert "| gunicorn-gthread | C guest | 8 |" in (tmp_path / "results.md").read_text("utf-8")
    again = suite("--no-install", "--render", tmp_path / "results.json", "--output", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    for name in ("results.md", "results.svg"):
        assert (tmp_path / "again" / name).read_text("utf-8") == (tmp_path / name).read_text("utf-8")


def test_a_wrong_answer_is_shown_and_fails_the_run(tmp_path: Path) -> None:
    options = ("--rounds", "1", "--clients", "1", "--only", "nothing", "--output", tmp_path)
    with closed_port() as port:
        rival = f"none=http://127.0.0.1:{port}/"
        which = ("--servers", "gunicorn-gthread", "--workloads", "first-byte", "--rival", rival)
        done = suite("--no-install", *which, *options)
    assert done.returncode == 1
    assert "FAILED: no answer" in done.stdout


@pytest.mark.parametrize("native", ["1", "0"])
def test_the_way_in_process(native: str, tmp_path: Path) -> None:
    build([PROJECT / "benchmarks" / "guests" / "hello.c"], tmp_path / "hello.wasm")
    site = tmp_path / "site.yaml"
    site.write_text("routes: {/hello: {module: hello.wasm, queue_timeout: 1h}}", encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.in_process", str(site), "1"]
    environ = {**os.environ, "WSGI_WASM_NATIVE": native}
    done = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    ways = {"the engine's run", "the whole gateway"} | (set() if found["native"] else {"bare loop over the C API"})
    assert native == "1" or not found["native"]
    assert {name for name, values in found.items() if name != "native" and values[0] > 0} == ways


def test_every_figure_has_a_name() -> None:
    done = suite("--list")
    assert done.returncode == 0, done.stderr
    labels = done.stdout.splitlines()
    assert len(labels) == len(set(labels)) > 100
    assert "mod_wsgi-embedded: C guest / hello / 64" in labels


def test_unknown_names_are_refused() -> None:
    done = suite("--servers", "nginx")
    assert done.returncode == 2
    assert "no nginx; there are gunicorn-sync" in done.stderr


def test_load_goes_to_this_machine_alone() -> None:
    done = suite("--no-install", "--list", "--rival", "elsewhere=http://192.0.2.1/")
    assert done.returncode == 2
    assert "a server of this machine" in done.stderr
