"""The compiled part under AddressSanitizer and UndefinedBehaviorSanitizer: the corpus, and always the same changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from fuzz import native_build
from fuzz.corpus import rows

TRIES = 300_000
# Sources with a fault put in, which the harness has to see.
FAULTS = {
    "a length that is not looked at": ("if (at + size > r->memory_size)", "if (at > r->memory_size)"),
    "an output limit that is not looked at": ("r->handed + r->output_size + total > r->output_limit", "0"),
    "output that is handed over twice": ("r->output_size = 0;\n    r->handed", "r->handed"),
    "input past its end": ("got = size < left ? size : (int64_t)left;", "got = size + 0 * (int64_t)left;"),
}


def replay(program: Path, inputs: Iterable[bytes], folder: Path, tries: int) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    for number, data in enumerate(inputs):
        (folder / f"{number:03}").write_bytes(data)
    # LeakSanitizer needs ptrace, which not every machine allows; the harness counts by itself.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "LD_PRELOAD": ""}
    files = [str(path) for path in sorted(folder.iterdir())]
    return subprocess.run([program, str(tries), *files], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return native_build.build(tmp_path_factory.mktemp("native") / "replay")


def test_corpus_and_mutations(program: Path, tmp_path: Path) -> None:
    done = replay(program, rows(native_build.NAME), tmp_path / "inputs", TRIES)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{TRIES} inputs\n"


@pytest.mark.parametrize("name", FAULTS)
def test_the_harness_sees_faults(name: str, tmp_path: Path) -> None:
    right, wrong = FAULTS[name]
    folder = tmp_path / "sources"
    shutil.copytree(native_build.SOURCES, folder, ignore=shutil.ignore_patterns("*.py", "*.so", "__pycache__"))
    text = (folder / "native.c").read_text("utf-8")
    assert text.count(right) >= 1, "the source has changed: find the line's new form"
    (folder / "native.c").write_text(text.replace(right, wrong), "utf-8")
    faulty = native_build.build(tmp_path / "faulty", folder)
    done = replay(faulty, rows(native_build.NAME), tmp_path / "inputs", TRIES)
    assert done.returncode != 0
    assert "AddressSanitizer" in done.stderr or "Assertion" in done.stderr, done.stderr
