"""Keys that the host derives for a script: within the script's limits, although nothing can interrupt it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from python.cases import interpreter

SCRIPT = """
import hashlib
print("Content-Type: text/plain\\n")
for _ in range(100):
    hashlib.pbkdf2_hmac("sha512", b"", b"", 5_000_000)
"""


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


@pytest.mark.parametrize(
    ("limits", "words"), [({"timeout": "300ms"}, "timeout"), ({"cpu": "300ms", "timeout": "60s"}, "cpu")]
)
def test_a_script_cannot_outlive_its_limits(
    limits: dict[str, str],
    words: str,
    tmp_path: Path,
    make_client: Callable[..., Client],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.py").write_text(SCRIPT, encoding="utf-8")
    route = {"directory": str(tmp_path / "scripts"), "interpreters": {".py": "python"}, "queue_timeout": "60s"}
    with caplog.at_level(logging.ERROR, "wsgi_wasm"):
        assert make_client({"/": route | limits}).get("/script.py").status_code == 504
    assert words in caplog.text
