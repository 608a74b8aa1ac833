"""What becomes of a request when the guest does this or that, in one process. The same under real servers is in
tests/servers/test_hostile.py."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import guest
from servers.limits import full_disk
from wsgi_wasm.engine import gil
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.engine.gil import PATIENCE
from wsgi_wasm.errors import Cut

CUT = -1
CHUNKED = {"Transfer-Encoding": "chunked"}

# guest, query, settings of the route, status (CUT: the answer breaks off), words of the log
ENDS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("loop", "", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("loop", "how=yield", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("loop", "when=after", {"timeout": "1s"}, CUT, "exceeded its timeout"),
    ("loop", "", {"cpu": "100ms"}, 504, "cpu"),
    ("loop", "when=after", {"cpu": "100ms"}, CUT, "cpu"),
    ("sleep", "", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("sleep", "when=after", {"timeout": "1s"}, CUT, "exceeded its timeout"),
    ("sleep", "times=0&seconds=1", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("poll", "kind=forever", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("start_section", "", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("copy_loop", "", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("alloc", "", {"memory": "16MiB"}, 200, ""),
    ("alloc", "then=trap", {"memory": "16MiB"}, 502, "trapped"),
    ("table_grow", "", {}, 200, ""),
    ("trap", "kind=unreachable", {}, 502, "unreachable instruction"),
    ("trap", "kind=div", {}, 502, "division by zero"),
    ("trap", "kind=overflow", {}, 502, "integer overflow"),
    ("trap", "kind=oob", {}, 502, "out-of-bounds memory access"),
    ("trap", "kind=null", {}, 502, "indirect call to null"),
    ("trap", "kind=indirect", {}, 502, "indirect call with the wrong type"),
    ("trap", "kind=abort", {}, 502, "trapped"),
    ("recurse", "", {}, 502, "out-of-bounds memory access"),
    ("recurse_calls", "", {}, 502, "stack overflow"),
    ("flood", "bytes=5000000", {"max_output": "1MiB"}, CUT, "more than max_output"),
    ("flood", "bytes=5000&each=500", {"max_output": "1KiB"}, 502, "more than max_output"),
    ("flood", "where=head", {}, 502, "head"),
    ("exit", "code=0", {}, 502, "no answer: the guest wrote nothing"),
    ("exit", "code=3", {}, 502, ""),
    ("exit", "code=0&when=after", {}, 200, ""),
    ("exit", "code=3&when=after", {}, 200, "exited with status 3"),
    ("exit", "code=3&when=after&how=return", {}, 200, "exited with status 3"),
    ("exit", "code=0&when=half", {}, 502, "head"),
    ("exit", "code=255&when=after", {}, 200, "exited with status 255"),
    ("exit_nested", "", {}, 200, ""),
    ("exit_huge", "", {}, 502, "the guest wrote nothing"),
    ("silent", "", {}, 502, "no answer: the guest wrote nothing"),
    ("data_outside", "", {}, 502, "out-of-bounds memory access"),
    # what cannot be served at all: 503, by name, and only its own route
    ("no_start", "", {}, 503, "exports no _start"),
    ("start_param", "", {}, 503, "must be () -> ()"),
    ("start_global", "", {}, 503, "_start is global"),
    ("unknown_import", "", {}, 503, "has unsupported imports"),
    ("wrong_import", "", {}, 503, "fd_write"),
    ("unstable", "", {}, 503, "wasi_unstable"),
    ("memory_import", "", {}, 503, "imports its memory"),
    ("no_memory", "", {}, 503, "exports no memory"),
    ("memories", "", {}, 503, "memor"),
    ("memory64", "", {}, 503, "memory"),
    ("exceptions", "", {}, 502, "no answer"),
    ("broken", "", {}, 503, "type mismatch"),
    ("big_memory", "", {}, 503, "`memory` allows"),
]


@pytest.mark.parametrize(
    ("name", "query", "settings", "status", "words"), ENDS, ids=[f"{row[0]}-{row[1]}-{row[3]}" for row in ENDS]
)
def test_end(
    make_client: SiteMaker,
    caplog: pytest.LogCaptureFixture,
    name: str,
    query: str,
    settings: dict[str, Any],
    status: int,
    words: str,
) -> None:
    client = make_client({"/x": {"module": name, **settings}, "/hello": {"module": "hello"}})
    with caplog.at_level(logging.INFO, "wsgi_wasm"):
        if status == CUT:
            with pytest.raises(Cut):
                client.get("/x", query_string=query)
        else:
            response = client.get("/x", query_string=query)
            assert response.status_code == status
            assert response.headers["X-Request-ID"]
            if status >= 500:
                assert response.text.split("\n")[0].startswith(str(status))
                assert "wasm" not in response.text, "an error body tells nothing of the inside"
    assert words in caplog.text
    assert client.get("/hello").status_code == 200


# what is done to descriptor 1 between writing "one" and writing "two": what arrives
STREAMS = {
    "seek": "one two",
    "pwrite": "one two",
    "allocate": "one two",
    "truncate": "one two",
    "stat": "one two",
    "read": "one two",
    "same": "one two",
    "badly": "one two",
    "swap": "one",
    "close": "one",
    "all": "one",
}


@pytest.mark.parametrize("with_directory", [False, True])
@pytest.mark.parametrize(("kind", "arrives"), STREAMS.items(), ids=STREAMS)
def test_standard_output_is_a_stream(
    make_client: SiteMaker, tmp_path: Path, kind: str, arrives: str, with_directory: bool
) -> None:
    """Whatever a guest tries on descriptor 1, what was appended arrives, in order; a closed one is closed."""
    settings: dict[str, Any] = {"dirs": {"/data": writable(tmp_path)}} if with_directory else {}
    response = make_client({"/x": {"module": "fds", **settings}}).get("/x", query_string=f"kind={kind}")
    assert response.status_code == 200
    assert response.text.split() == arrives.split()


def writable(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "data").mkdir()
    return {"path": str(tmp_path / "data"), "writable": True}


def test_a_renumbered_file_is_a_file(make_client: SiteMaker, tmp_path: Path) -> None:
    """dup2 of a file onto standard output: what is written then belongs to the file, not to the client."""
    client = make_client({"/x": {"module": "fds", "dirs": {"/data": writable(tmp_path)}}})
    response = client.get("/x", query_string="kind=renumber&file=/data/out")
    assert response.status_code == 200
    assert response.text == "one\n"
    assert (tmp_path / "data" / "out").read_text() == "two\n"


HOST_CALLS = [
    line.split('"')[1]
    for line in Path(guest("hello")).with_name("calls.c").read_text(encoding="utf-8").splitlines()
    if "call_is(" in line or 'CALL("' in line
]


@pytest.mark.parametrize("call", HOST_CALLS)
def test_a_host_call_with_bad_arguments_harms_nobody(make_client: SiteMaker, call: str) -> None:
    client = make_client({"/x": {"module": "calls"}, "/hello": {"module": "hello"}})
    assert client.get("/x", query_string=f"call={call}").status_code in (200, 502)
    assert client.get("/hello").status_code == 200


# error number and number of events
POLLS = {
    "relative": "0 1",
    "absolute": "0 1",
    "past": "0 1",
    "realtime": "0 1",
    "both": "0 1",
    "badclock": "0 1",
    "none": "28 0",
    "stdin": "0 1",
    "stdout": "0 1",
    "badfd": "0 1",
    "many": "28 0",
    "outside": "21 0",
}


@pytest.mark.parametrize(("kind", "answer"), POLLS.items(), ids=POLLS)
def test_poll(make_client: SiteMaker, kind: str, answer: str) -> None:
    response = make_client({"/x": {"module": "poll"}}).get("/x", query_string=f"kind={kind}")
    assert response.status_code == 200
    assert response.text == f"{kind} {answer}\n"


def test_no_memory_of_another_request(make_client: SiteMaker) -> None:
    """A guest scans all memory that it can reach for what the guest before it left there."""
    client = make_client({"/x": {"module": "secret"}})
    for _ in range(50):
        assert client.get("/x", query_string="do=fill").status_code == 200
        scanned = client.get("/x", query_string="do=scan")
        assert scanned.status_code == 200
        assert scanned.text.split() == ["found", "0"]


def test_standard_error_goes_to_the_log(make_client: SiteMaker, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client({"/x": {"module": "stderr", "max_stderr": "4KiB"}})
    client.get("/x", query_string="kind=lines&n=3")
    lines = [record for record in caplog.records if record.name == "wsgi_wasm.guest"]
    assert len(lines) == 3
    assert all(re.match(r"/x stderr\S* \[", record.getMessage()) for record in lines)
    caplog.clear()
    client.get("/x", query_string="kind=flood&bytes=1000000")
    assert "the rest is dropped" in caplog.text
    assert len(caplog.text) < 8192
    caplog.clear()
    client.get("/x", query_string="kind=control")
    assert all(character.isprintable() or character in "\n\t" for character in caplog.text)
    caplog.clear()
    client.get("/x", query_string="kind=partial")
    assert [record for record in caplog.records if record.name == "wsgi_wasm.guest"]


def test_descriptors_do_not_leak(make_client: SiteMaker, tmp_path: Path) -> None:
    """A guest that leaves 100 files open, and one that traps with them open, leave none behind in the host."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    client = make_client({"/x": {"module": "manyfds", "dirs": {"/data": str(tmp_path / "data")}}})
    query = "path=/data/file&most=100"
    client.get("/x", query_string=query)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert client.get("/x", query_string=query).status_code == 200
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_thread_with_too_small_a_stack_is_refused_by_name(tmp_path: Path) -> None:
    """mod_wsgi's stack-size and musl's default are examples. A guest that recurses there would end the process.

    In a process of its own: glibc gives a new thread the larger stack of one that has ended.
    """
    site = tmp_path / "site.yaml"
    site.write_text(f"routes: {{/x: {{module: {guest('recurse_calls')}}}}}\n")
    code = """
import sys, threading
from werkzeug.test import Client
from wsgi_wasm import create_app
client = Client(create_app(sys.argv[1]))
for size in (512 << 10, 2 << 20):
    threading.stack_size(size)
    thread = threading.Thread(target=lambda: print(client.get("/x").status_code))
    thread.start()
    thread.join(30)
"""
    ended = subprocess.run([sys.executable, "-P", "-c", code, str(site)], capture_output=True, text=True, check=False)
    assert ended.stdout.split() == ["503", "502"], ended.stderr
    assert "512 KiB of stack" in ended.stderr


def compiled(client: Client, target: str) -> None:
    """Wait until a module is compiled, where a short queue_timeout does not."""
    deadline = time.monotonic() + 30
    while client.get(target).status_code == 503:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_concurrency_is_bounded(make_client: SiteMaker) -> None:
    """Over `concurrency`, and after `queue_timeout`: 503 with Retry-After, while the others are served."""
    client = make_client(
        {
            "/x": {"module": "sleep", "concurrency": 2, "queue_timeout": "100ms", "timeout": "4s"},
            "/hello": {"module": "hello"},
        }
    )
    client.get("/hello")
    compiled(client, "/x?seconds=0&times=1")
    answers: list[int] = []

    def ask() -> None:
        response = client.get("/x")
        answers.append(response.status_code)
        if response.status_code == 503:
            assert int(response.headers["Retry-After"]) > 0

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert client.get("/hello").status_code == 200
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [503, 503, 504, 504]


def test_a_full_pool_is_503(make_client: SiteMaker) -> None:
    routes = {"/x": {"module": "sleep", "queue_timeout": "100ms", "timeout": "4s"}}
    client = make_client(routes, engine={"instances": 2})
    compiled(client, "/x?seconds=0&times=1")
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(client.get("/x").status_code)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == [503, 504, 504]


@pytest.mark.parametrize("size", [3, 100_000, 3_000_000], ids=["bytes", "in memory", "spooled"])
def test_a_body_goes_on_after_a_standard_descriptor_has_changed(make_client: SiteMaker, size: int) -> None:
    body = bytes(i * i % 251 for i in range(size))
    assert make_client({"/x": {"module": "resume"}}).post("/x", data=body).text == digest(body)


def digest(body: bytes) -> str:
    """What the guest `resume` says of a body."""
    total = 0
    for byte in body:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return f"{len(body)} {total}\n"


def test_of_an_earlier_body_nothing_is_left(make_client: SiteMaker) -> None:
    """Spooled bodies of one thread go to one file."""
    client = make_client({"/x": {"module": "resume", "max_body": "4MB"}})
    bodies = [bytes([value]) * size for value, size in ((1, 3_000_000), (2, 1_100_000), (3, 2_000_000), (4, 5))]
    for body in bodies:
        assert client.post("/x", data=body).text == digest(body)
    # One that is refused when a part of it has been written, and a guest that does not read its own.
    assert client.post("/x", input_stream=io.BytesIO(bytes(5_000_000)), headers=CHUNKED).status_code == 413
    assert client.post("/x", data=bodies[1]).text == digest(bodies[1])


def test_a_full_disk_is_503(make_client: SiteMaker, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client({"/x": {"module": "resume"}})
    with full_disk(1 << 20):
        response = client.post("/x", data=bytes(3_000_000))
    assert response.status_code == 503
    assert "the body cannot be stored in" in caplog.text
    assert client.post("/x", data=bytes(3_000_000)).status_code == 200


def test_a_guest_that_was_short_may_be_long(make_client: SiteMaker) -> None:
    """A short guest keeps the interpreter's lock until the clock's first tick; see engine/capi/native.c."""
    client = make_client({"/x": {"module": "rounds", "cpu": "1s"}, "/hello": {"module": "hello"}})
    long = "rounds=40000000&every=1000000"
    expected = "".join(f"{line}000000\n" for line in range(1, 41)) + "done\n"
    for _ in range(3):
        for _ in range(3):
            assert client.get("/x").text == "done\n"
        assert client.get("/x", query_string=long).text == expected
        assert client.get("/x").text == "done\n"
        assert client.get("/x", query_string="rounds=0").status_code == 504
        assert client.get("/hello").status_code == 200


def test_a_guest_that_was_short_stops_nobody(make_client: SiteMaker) -> None:
    """Other threads are served while one computes that was short before."""
    client = make_client({"/x": {"module": "rounds", "timeout": "3s"}, "/hello": {"module": "hello"}})
    for _ in range(3):
        assert client.get("/x").text == "done\n"
    statuses: list[int] = []
    endless = threading.Thread(target=lambda: statuses.append(client.get("/x", query_string="rounds=0").status_code))
    endless.start()
    served = 0
    while endless.is_alive():
        assert client.get("/hello").status_code == 200
        served += 1
    endless.join()
    assert statuses == [504]
    assert served > 5, "or it would have stopped the others, but for the one that was on its way"


RANDOM = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1100)
  (data (i32.const 0) "\\10\\00\\00\\00\\0d\\00\\00\\00")
  (data (i32.const 16) "Status:200\\n\\n?")
  (func (export "_start")
    (i32.store8 (i32.const 28) (i32.add (i32.const 65) (call $random (i32.const ADDRESS) (i32.const SIZE))))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.and (i64.eqz (i64.load (i32.const ADDRESS))) (i32.eq (i32.load8_u (i32.const 28)) (i32.const 65)))
      (then unreachable))))"""


FAULT = bytes([65 + 21])


@pytest.mark.parametrize(
    ("address", "size", "answer"),
    [
        (65536, 100, b"A"),
        (65536, 5_000_000, b"A"),
        (1100 * 65536 - 9, 10, FAULT),
        (65536, (64 << 20) + 1, b"A"),
        (65536, 0xFFFFFFFF, FAULT),
    ],
)
def test_random_bytes(make_client: SiteMaker, tmp_path: Path, address: int, size: int, answer: bytes) -> None:
    text = RANDOM.replace("ADDRESS", str(address)).replace("SIZE", str(size))
    (tmp_path / "random.wat").write_text(text)
    client = make_client({"/x": {"module": str(tmp_path / "random.wat")}})
    for _ in range(3):
        response = client.get("/x")
        assert (response.status_code, response.data) == (200, answer)


@pytest.mark.in_process
@pytest.mark.parametrize(
    ("memory", "patience", "held"), [("128MiB", PATIENCE, 9), ("129MiB", PATIENCE, 0), ("128MiB", 0.0, 1)]
)
@pytest.mark.parametrize("kind", ["program", "component"])
def test_who_keeps_the_lock(
    make_client: SiteMaker, monkeypatch: pytest.MonkeyPatch, memory: str, patience: float, held: int, kind: str
) -> None:
    """One that was short before, unless it could do much with one instruction; never again one that kept it long."""
    if native is None:
        return  # nobody keeps it
    monkeypatch.setattr(gil, "PATIENCE", patience)
    monkeypatch.setattr(gil, "SHORT", 60.0)
    name = "run_keeping_gil" if kind == "program" else "run_component_keeping_gil"
    function, calls = getattr(native, name), []

    def counted(job: Any) -> None:
        calls.append(job.gil_seconds)
        function(job)

    monkeypatch.setattr(native, name, counted)
    hello = "hello" if kind == "program" else str(Path(__file__).parents[2] / "benchmarks/guests/hello_http.wat")
    client = make_client({"/x": {"module": hello, "memory": memory}})
    for _ in range(10):
        assert client.get("/x").status_code == 200
    assert len(calls) == held
