"""What `build` links into C programs: it must make them cheap, and change nothing that they can see."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import SiteMaker
from wsgi_wasm.build import build
from wsgi_wasm.engine.run import Run

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


@pytest.mark.parametrize(("flush", "writes"), [("", 1), ("fflush(stdout)", 2)])
def test_standard_output_is_gathered(
    make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: str, writes: int
) -> None:
    (tmp_path / "lines.c").write_text(PROGRAM.replace("FLUSH", flush))
    build([tmp_path / "lines.c"], tmp_path / "lines.wasm")
    written: list[bytes] = []
    original = Run.write

    def write(self: Run, stream: int, data: bytes) -> None:
        written.append(data)
        original(self, stream, data)

    monkeypatch.setattr(Run, "write", write)
    response = make_client({"/x": {"module": str(tmp_path / "lines.wasm")}}).get("/x")
    assert response.text == "one\ntwo\nthree\n"
    assert len(written) == writes


def test_a_program_without_stdio_stays_small(tmp_path: Path) -> None:
    (tmp_path / "raw.c").write_text(
        '#include <unistd.h>\nint main(void) { return write(1, "Status: 204\\n\\n", 13); }\n'
    )
    build([tmp_path / "raw.c"], tmp_path / "raw.wasm")
    assert (tmp_path / "raw.wasm").stat().st_size < 2048
