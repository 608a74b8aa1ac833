"""What `build` says of programs, and what these answer: one case each of `programs.yaml`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import SiteMaker
from wsgi_wasm.errors import BuildError
from wsgi_wasm.toolchain.build import build

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "programs.yaml").read_text("utf-8"))
KEYS = {"name", "c", "cc", "beside", "flags", "says", "error", "silent", "answers", "status", "trap", "files", "dirs"}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_program(
    case: dict[str, Any], tmp_path: Path, make_client: SiteMaker, caplog: pytest.LogCaptureFixture
) -> None:
    assert case.keys() <= KEYS
    caplog.set_level(logging.WARNING)
    suffix = "c" if "c" in case else "cc"
    sources = [tmp_path / f"program.{suffix}"]
    sources[0].write_text(case[suffix])
    if "beside" in case:
        sources.append(tmp_path / "beside.c")
        sources[1].write_text(case["beside"])
    module = tmp_path / "program.wasm"
    if "error" in case:
        with pytest.raises(BuildError) as raised:
            build(sources, module, flags=case.get("flags", []))
        assert case["error"] in str(raised.value)
        assert not module.exists()
        return
    build(sources, module, flags=case.get("flags", []))
    assert case.get("says", "") in caplog.text
    assert not (case.get("silent") and caplog.text)
    for name, text in case.get("files", {}).items():
        (tmp_path / "granted").mkdir(exist_ok=True)
        (tmp_path / "granted" / name).write_text(text)
    dirs = {case["dirs"]: {"path": str(tmp_path / "granted"), "writable": True}} if "dirs" in case else {}
    client = make_client({"/x": {"module": str(module), "dirs": dirs}})
    response = client.get("/x")
    assert response.status_code == case.get("status", 200), response.text
    if "answers" in case:
        assert response.text.strip() == case["answers"]
    assert case.get("trap", "") in caplog.text


def test_what_is_said_is_said_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The compiler keeps objects, and forgets what it said about them."""
    (tmp_path / "main.c").write_text("#include <stdio.h>\nvoid main(void) { puts(0); }\n")
    for _ in range(2):
        caplog.clear()
        build([tmp_path / "main.c"], tmp_path / "main.wasm")
        assert "return type of 'main' is not 'int'" in caplog.text
