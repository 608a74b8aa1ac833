"""Python CGI scripts, unchanged, under `interpreters: {.py: python}`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from werkzeug.test import Client

from python.cases import Case, cases, interpreter

MakeClient = Callable[..., Client]


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


@pytest.fixture
def serve(tmp_path: Path, make_client: MakeClient) -> Callable[..., Client]:
    """Serves a folder of scripts at `/`."""

    def serve(folder: Path, **route: Any) -> Client:
        settings = {"directory": str(folder), "interpreters": {".py": "python"}, "queue_timeout": "60s"}
        return make_client({"/": {**settings, **route}})

    return serve


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_script(case: Case, tmp_path: Path, serve: Callable[..., Client], caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    case.write(folder)
    dirs: dict[str, Any] = {}
    for name in case.dirs:
        place = tmp_path / name
        place.mkdir()
        for file in folder.glob(f"{name}/*"):
            file.rename(place / file.name)
        dirs[f"/{name}"] = {"path": str(place), "writable": case.writable}
    interpreters = {".py": {"module": "python", "args": list(case.args)}}
    client = serve(folder, env=case.env, dirs=dirs, interpreters=interpreters)
    with caplog.at_level(logging.INFO, "wsgi_wasm"):
        answer = client.open(
            f"/{case.at}{case.target}",
            method=case.method,
            query_string=case.query,
            headers=case.headers,
            data=case.sent or None,
            # the client would decode it as UTF-8
            environ_overrides={"PATH_INFO": unquote(f"/{case.at}{case.target}", "latin-1")},
        )
    said = [record.getMessage() for record in caplog.records]
    assert answer.status_code == case.status, said
    if case.expected is not None:
        assert answer.data == case.expected, said
    for text in case.contains:
        assert text in answer.text
    for text in case.body_without:
        assert text not in answer.text
    for name, value in case.fields.items():
        assert ", ".join(answer.headers.getlist(name)) == value
    for line in case.log:
        assert any(line in text for text in said), said
    for line in case.log_without:
        assert not any(line in text for text in said), said
    for name, text in case.written.items():
        assert (tmp_path / name).read_text("utf-8") == text
