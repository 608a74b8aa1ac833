"""`run --profile` takes a Python script's request apart, under `interpreters: {.py: python}`."""

from __future__ import annotations

from pathlib import Path

import pytest

from python.cases import interpreter
from wsgi_wasm.cli import main


def test_the_profile_knows_its_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interpreter()
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "script.py").write_text('print("Content-Type: text/plain\\n")\n', encoding="utf-8")
    site = tmp_path / "site.yaml"
    site.write_text("routes: {/: {directory: scripts, interpreters: {.py: python}}}\n", encoding="utf-8")
    assert main(["run", "--profile", "3", str(site), "/script.py"]) == 0
    steps = capsys.readouterr().out
    for step in ("instantiate", "guest, with its calls of the host", "teardown"):
        (line,) = [line for line in steps.splitlines() if line.startswith(step)]
        assert float(line.split()[-1]) > 0
