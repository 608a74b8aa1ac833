"""What `build` links into C programs: it must make them cheap, and change nothing that they can see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wsgi_wasm.toolchain.build import build

PROGRAM = r"""
#include <stdio.h>
#include <unistd.h>
int main(void)
{
    printf("Content-Type: text/plain\n\n");
    printf("one\n");
    printf("two\n");
    FLUSH;
    printf("three\n");
    return 0;
}
"""


# Counts what reaches Python, for which runs must not be native: the process has its own environment.
COUNT = """
import sys
from wsgi_wasm import create_app
from wsgi_wasm.engine.program.run import ProgramRun
written, original = [], ProgramRun.write
def write(self, stream, data):
    written.append(data)
    original(self, stream, data)
ProgramRun.write = write
from werkzeug.test import Client
assert Client(create_app(sys.argv[1])).get("/x").text == "one\\ntwo\\nthree\\n"
print(len(written))
"""


@pytest.mark.in_process
# The C library flushes with two vectors, which come as one.
@pytest.mark.parametrize(("flush", "writes"), [("", 1), ("fflush(stdout)", 2)])
def test_standard_output_is_gathered(tmp_path: Path, flush: str, writes: int) -> None:
    (tmp_path / "lines.c").write_text(PROGRAM.replace("FLUSH", flush))
    build([tmp_path / "lines.c"], tmp_path / "lines.wasm")
    (tmp_path / "site.yaml").write_text("routes: {/x: {module: lines.wasm}}\n")
    command = [sys.executable, "-c", COUNT, str(tmp_path / "site.yaml")]
    environment = {**os.environ, "WSGI_WASM_NATIVE": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) == writes


def test_a_program_without_stdio_stays_small(tmp_path: Path) -> None:
    (tmp_path / "raw.c").write_text(
        '#include <unistd.h>\nint main(void) { return write(1, "Status: 204\\n\\n", 13); }\n'
    )
    build([tmp_path / "raw.c"], tmp_path / "raw.wasm")
    assert (tmp_path / "raw.wasm").stat().st_size < 2048
