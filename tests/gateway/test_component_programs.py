"""Components that are programs (`wasi:cli/run`), served as CGI."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import VERSIONS, component, component_text
from wsgi_wasm.engine import stuck_calls
from wsgi_wasm.errors import Cut


def site(make_client: SiteMaker, version: str = "0.2.12", **settings: Any) -> Client:
    return make_client({"/x": {"module": str(component("program", version)), **settings}})


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_served(make_client: SiteMaker, version: str) -> None:
    client = site(make_client, version, args=["--fast"], env={"GREETING": "grüß"})
    response = client.get("/x/path/info?a=b", headers={"X-Test": "1"})
    assert response.status_code == 200
    lines = response.text.splitlines()
    assert lines[-1] == "argument --fast"
    expected = {
        *("GREETING=grüß", "PATH_INFO=/path/info", "QUERY_STRING=a=b", "SCRIPT_NAME=/x", "HTTP_X_TEST=1"),
        *("REQUEST_METHOD=GET", "GATEWAY_INTERFACE=CGI/1.1"),
    }
    assert expected <= set(lines)
    assert client.post("/x?echo", data=b"\0\xff" * 50_000).data == b"\0\xff" * 50_000


def test_what_is_not_utf8_becomes_a_replacement_character(make_client: SiteMaker) -> None:
    """docs/cgi.md: text of the Component Model cannot be anything but Unicode."""
    client = site(make_client)
    lines = client.get("/x/%FF/caf%C3%A9", headers={"X-Test": "caf\xe9"}).text.splitlines()
    assert "PATH_INFO=/\N{REPLACEMENT CHARACTER}/café" in lines
    assert "HTTP_X_TEST=caf\N{REPLACEMENT CHARACTER}" in lines


@pytest.mark.parametrize(
    ("query", "status", "text", "words"),
    [
        ("fail", 200, "failed\n", "exited with status 1"),
        ("exit0", 200, "before\n", ""),
        ("exit1", 200, "before\n", "exited with status 1"),
    ],
)
def test_exit_status(
    make_client: SiteMaker, caplog: pytest.LogCaptureFixture, query: str, status: int, text: str, words: str
) -> None:
    with caplog.at_level(logging.INFO, "wsgi_wasm"):
        response = site(make_client).get(f"/x?{query}")
    assert (response.status_code, response.text) == (status, text)
    assert words in caplog.text
    assert ("what went wrong" in caplog.text) == (query == "fail")


def test_a_deadline_holds_in_a_wait(make_client: SiteMaker, caplog: pytest.LogCaptureFixture) -> None:
    """Wasmtime's own wait could not be interrupted for an hour; and what was written before it has been sent."""
    client = site(make_client, timeout="1s")
    with pytest.raises(Cut):
        client.get("/x?sleep")
    assert "exceeded its timeout" in caplog.text


def test_the_interface_can_be_forced(make_client: SiteMaker, caplog: pytest.LogCaptureFixture) -> None:
    assert site(make_client, interface="cgi").get("/x").status_code == 200
    assert site(make_client, interface="http").get("/x").status_code == 503
    assert "`interface` is http, but the interface of this guest is cgi" in caplog.text


CALLS = component_text("caller")


@pytest.mark.parametrize("name", ["test:call/f", "wasi:clocks/timezone@0.2.6"])
def test_the_log_names_what_is_not_offered(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Also where nothing else of the run has taken Python before."""
    (tmp_path / "calls.wat").write_text(CALLS.replace("test:call/f", name))
    assert make_client({"/x": {"module": str(tmp_path / "calls.wat")}}).get("/x").status_code == 502
    assert f"called {name} f, which is not supported" in caplog.text


def test_what_is_not_offered_may_be_imported(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = CALLS.replace("test:call/f", "wasi:clocks/timezone@0.2.6").replace("(call $f) ", "")
    (tmp_path / "imports.wat").write_text(text)
    make_client({"/x": {"module": str(tmp_path / "imports.wat")}}).get("/x")
    assert "no answer: the guest wrote nothing" in caplog.text  # it came to its end


def test_a_component_cannot_take_all_descriptors(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It opens 400 files and waits for ever: at the next tick it is stopped, and they are closed."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    (tmp_path / "files.wat").write_text(component_text("files"))
    route = {"module": str(tmp_path / "files.wat"), "dirs": {"/data": str(tmp_path / "data")}, "timeout": "60s"}
    client = make_client({"/x": route})
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert client.get("/x").status_code == 502
    assert caplog.text.count("has more than 256 files open") == 3
    assert len(os.listdir("/proc/self/fd")) <= before + 8


@pytest.mark.parametrize("kernel", ["as it is", "of a process that has changed its user"])
def test_a_component_that_opens_a_pipe_keeps_no_thread(
    make_client: SiteMaker, tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time it is told that the call was interrupted, and tries again, until its time is up."""
    if kernel != "as it is":

        def refused(path: str) -> str:
            if path.endswith("syscall"):
                raise PermissionError(1, "Operation not permitted")
            return Path(path).read_text("ascii")

        monkeypatch.setattr(stuck_calls, "_read", refused)
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "file")
    (tmp_path / "files.wat").write_text(component_text("files"))
    route = {"module": str(tmp_path / "files.wat"), "dirs": {"/data": str(tmp_path / "data")}, "timeout": "1s"}
    client = make_client({"/x": {**route, "queue_timeout": "60s"}})
    assert [client.get("/x").status_code for _ in range(2)] == [504, 504]
    (tmp_path / "data" / "file").unlink()
    assert client.get("/x").status_code == 504  # by itself it waits for ever


# `memory`, and what a guest's memories come to, in pages: two share what the small one leaves
MEMORIES = [("2MiB", [12, 12, 8]), ("1MiB", [4, 4, 4]), ("16MiB", [124, 124, 8])]


@pytest.mark.parametrize(("memory", "pages"), MEMORIES)
def test_memory_is_for_all_memories_together(
    make_client: SiteMaker, tmp_path: Path, memory: str, pages: list[int]
) -> None:
    (tmp_path / "memories.wat").write_text(component_text("memories"))
    client = make_client({"/x": {"module": str(tmp_path / "memories.wat"), "memory": memory}})
    grown = [int(line) for line in client.get("/x").text.split()]
    assert grown == pages
    assert sum(grown) * 65536 <= int(memory.removesuffix("MiB")) << 20


def test_too_little_memory_for_all_is_said(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "memories.wat").write_text(component_text("memories"))
    client = make_client({"/x": {"module": str(tmp_path / "memories.wat"), "memory": "704KiB"}})
    assert client.get("/x").status_code == 503
    assert "has 2 memories, and `memory` leaves 64 KiB for each" in caplog.text
