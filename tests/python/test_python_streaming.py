"""Lines go out when a script flushes them, under `interpreters: {.py: python}`, and `run --profile` takes it apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import create_environ

from python.cases import interpreter
from wsgi_wasm import Gateway
from wsgi_wasm.cli import main

# It goes on when the client has seen the line before; without that it gives up, for an hour is no answer.
SCRIPT = """
import os, time
print("Content-Type: text/plain\\n")
for number in range(3):
    print("line", number, flush=True)
    for _ in range(500):
        if os.path.exists(f"/seen/{number}"):
            break
        time.sleep(0.02)
    else:
        print("nobody saw it")
print("end")
"""


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    folder.mkdir()
    return folder


def test_a_flushed_line_is_seen_while_the_script_runs(
    tmp_path: Path, scripts: Path, make_app: Callable[..., Gateway]
) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    (scripts / "script.py").write_text(SCRIPT, encoding="utf-8")
    route = {"directory": str(scripts), "interpreters": {".py": "python"}, "dirs": {"/seen": str(seen)}}
    app = make_app({"/": route})
    pieces: list[bytes] = []

    def write(data: bytes) -> None:
        for line in data.splitlines():
            if line.startswith(b"line "):
                (seen / line[5:].decode()).touch()
        pieces.append(data)

    def start(status: str, fields: list[tuple[str, str]], error: object = None) -> Callable[[bytes], object]:
        assert status == "200 OK"
        return write

    rest = b"".join(app(create_environ("/script.py"), start))
    assert b"".join(pieces) + rest == b"line 0\nline 1\nline 2\nend\n"
    assert len(pieces) >= 3


def test_the_profile_knows_its_steps(tmp_path: Path, scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scripts / "script.py").write_text('print("Content-Type: text/plain\\n")\n', encoding="utf-8")
    site = tmp_path / "site.yaml"
    site.write_text("routes: {/: {directory: scripts, interpreters: {.py: python}}}\n", encoding="utf-8")
    assert main(["run", "--profile", "3", str(site), "/script.py"]) == 0
    steps = capsys.readouterr().out
    for step in ("instantiate", "guest, with its calls of the host", "teardown"):
        (line,) = [line for line in steps.splitlines() if line.startswith(step)]
        assert float(line.split()[-1]) > 0
