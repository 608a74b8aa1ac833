"""Components that handle HTTP, in one process: guests written in C, at several versions of WASI."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import VERSIONS, component
from wsgi_wasm.binary.wrap import wrap
from wsgi_wasm.engine.code.adapter import adapter_parts
from wsgi_wasm.engine.gil import GilPolicy
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import Cut

CUT = -1


@pytest.fixture
def client(make_client: SiteMaker) -> Client:
    return site(make_client)


def site(make_client: SiteMaker, version: str = "0.2.12", **settings: Any) -> Client:
    return make_client({"/x": {"module": str(component("http", version)), **settings}, "/hello": {"module": "hello"}})


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_served(make_client: SiteMaker, version: str) -> None:
    client = site(make_client, version)
    response = client.get("/x/hello")
    assert (response.status_code, response.text) == (200, "hello from wasi:http\n")
    assert response.headers["Content-Type"] == "text/plain"
    echoed = client.post("/x/echo", data=b"\0\xff" * 5000)
    assert (echoed.status_code, echoed.data) == (201, b"\0\xff" * 5000)


def test_what_a_handler_is_told(make_client: SiteMaker) -> None:
    client = site(make_client, env={"GREETING": "grüß"}, pass_env=["SSL_*"])
    response = client.open(
        "/x/request?a=%FF&b",
        method="PROPFIND",
        base_url="https://shop.example:8443",
        headers={"X-Test": "caf\xe9", "Authorization": "Basic x", "Connection": "keep-alive", "Proxy": "p"},
        content_type="text/odd",
        data=b"body",
        environ_overrides={"SSL_PROTOCOL": "TLSv1.3", "HTTP_HOST": "shop.example:8443"},
    )
    lines = response.data.decode("latin-1").splitlines()
    assert lines[:4] == ["method 9 PROPFIND", "path /x/request?a=%FF&b", "scheme 1", "authority shop.example:8443"]
    fields = dict(line.removeprefix("header ").split("=", 1) for line in lines if line.startswith("header "))
    assert fields == {"x-test": "caf\xe9", "content-type": "text/odd", "content-length": "4"}
    variables = {
        line.removeprefix("env ")
        for line in response.data.decode("utf-8", "replace").splitlines()
        if line.startswith("env ")
    }
    assert variables == {"GREETING=grüß", "SSL_PROTOCOL=TLSv1.3"}
    assert lines[-1] == "arguments 0"


def test_its_own_variables_may_have_names_of_the_request(make_client: SiteMaker) -> None:
    """They are neither header fields nor what the request says."""
    own = {
        "HTTP_SERVER": "a:1",
        "HTTP_X_TEST": "own",
        "REQUEST_METHOD": "PUT",
        "CONTENT_TYPE": "own",
        "SERVER_NAME": "own",
    }
    client = site(make_client, interface="http", env=own)
    lines = client.get("/x/request", headers={"X-Test": "theirs"}).text.splitlines()
    assert lines[:4] == ["method 0", "path /x/request", "scheme 0", "authority localhost"]
    assert [line for line in lines if line.startswith("header ")] == ["header x-test=theirs"]
    assert sorted(line for line in lines if line.startswith("env ")) == sorted(f"env {n}={v}" for n, v in own.items())


@pytest.mark.parametrize("size", [0, 1, 100_000, 10_000_000])
def test_bodies_of_any_size(make_client: SiteMaker, size: int) -> None:
    client = site(make_client)
    counted = client.post("/x/count", data=b"x" * size)
    assert counted.text == f"{size} 1000\n"  # then the trailers: some, ok, ok, none
    received = client.get(f"/x/big?{size}")
    assert len(received.data) == size
    assert received.data[:26] == b"abcdefghijklmnopqrstuvwxyz"[:size]


# path, settings, status, words of the log
ENDS: list[tuple[str, dict[str, Any], int, str]] = [
    ("hello", {}, 200, ""),
    ("empty", {}, 204, ""),
    ("status?299", {}, 299, ""),
    ("status?999", {}, 502, "not a status"),
    ("status?99", {}, 599, ""),
    ("status?150", {}, 502, "not a status"),
    ("trap", {}, 502, "trapped: unreachable instruction"),
    ("half", {}, CUT, "trapped: unreachable instruction"),
    ("none", {}, 502, "gave no complete response"),
    ("unfinished", {}, CUT, "gave no complete response"),
    ("twice", {}, 502, "gave no complete response"),
    ("error", {}, 502, "wasi:http error-code internal-error: own words"),
    ("body-of-another", {}, 502, "gave no complete response"),
    ("body-and-error", {}, 502, "wasi:http error-code loop-detected"),
    ("body-first?105000", {}, 502, "more than 1 MiB before it returned its response"),
    ("refused", {}, 502, "wasi:http error-code connection-refused"),
    ("fields-forever", {"memory": "4MiB", "timeout": "20s"}, 502, "trapped"),
    ("fields-forever", {"memory": "64MiB", "timeout": "20s"}, 502, "trapped"),
    ("handles-forever", {"timeout": "20s"}, 502, "trapped"),
    ("wrong-handle", {}, 502, "trapped"),
    ("twice-taken", {}, 200, ""),
    ("loop", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("loop", {"cpu": "100ms"}, 504, "cpu"),
    ("loop-after", {"timeout": "1s"}, CUT, "exceeded its timeout"),
    ("sleep", {"timeout": "200ms"}, 504, "exceeded its timeout"),
    ("sleep-after", {"timeout": "1s"}, CUT, "exceeded its timeout"),
    ("big?200000000", {"max_output": "1MiB"}, CUT, "more than max_output"),
    ("big?5000", {"max_output": "1KiB"}, 502, "more than max_output"),
    ("length", {}, 200, "Content-Length is 5, but the body has 16 bytes"),
    ("print", {}, 200, "printed by the guest"),
    ("hello", {"memory": "128KiB"}, 503, "`memory` allows only 128 KiB"),
    ("hello", {"interface": "cgi"}, 503, "`interface` is cgi, but the interface of this guest is http"),
    ("hello", {"interface": "http"}, 200, ""),
]


@pytest.mark.parametrize(
    ("path", "settings", "status", "words"), ENDS, ids=[f"{path}-{status}" for path, _, status, _ in ENDS]
)
def test_end(
    make_client: SiteMaker,
    caplog: pytest.LogCaptureFixture,
    path: str,
    settings: dict[str, Any],
    status: int,
    words: str,
) -> None:
    client = site(make_client, **settings)
    with caplog.at_level(logging.INFO, "wsgi_wasm"):
        if status == CUT:
            with pytest.raises(Cut):
                client.get(f"/x/{path}")
        else:
            response = client.get(f"/x/{path}")
            assert response.status_code == status
            assert response.headers["X-Request-ID"]
    assert words in caplog.text
    assert client.get("/hello").status_code == 200


def test_an_answer_streams_while_the_guest_waits(client: Client) -> None:
    """Each piece is sent before the next is written: what WSGI's write() is given, in order."""
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        written.append(status.encode())
        return written.append

    environ = dict(client.get("/x/hello").request.environ)
    environ["PATH_INFO"] = "/x/stream"
    environ.pop("REQUEST_URI", None), environ.pop("RAW_URI", None)
    rest = b"".join(client.application(environ, start_response))
    assert written == [b"200 OK", b"piece\n", b"piece\n", b"piece\n"]
    assert rest == b""


def test_a_poll_says_which_is_ready(client: Client) -> None:
    assert client.get("/x/two").text == "1 1"


def test_a_directory_serves_both_kinds(make_client: SiteMaker, tmp_path: Path) -> None:
    """What a guest speaks is its own: beside each other in one directory."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "handler.wasm").write_bytes(component("http").read_bytes())
    (folder / "program.wat").write_bytes((Path(__file__).parents[1] / "guests" / "hello.wat").read_bytes())
    client = make_client({"/bin": {"directory": str(folder)}})
    assert client.get("/bin/handler.wasm/hello").text == "hello from wasi:http\n"
    assert client.get("/bin/program.wat").status_code == 200


# name and value of a response field; for `fields.append`: "-" it is taken, 0 invalid-syntax, 1 forbidden
FIELDS: list[tuple[str, bytes, str]] = [
    ("x-plain", b"value", "-"),
    ("X-Upper", b"VALUE", "-"),
    ("x-tab", b"a\tb", "-"),
    ("x-empty", b"", "-"),
    ("x-obs-text", b"caf\xe9 \x80\xff", "-"),
    ("x-cr", b"a\rSet-Cookie: b=c", "0"),
    ("x-lf", b"a\nSet-Cookie: b=c", "0"),
    ("x-crlf", b"a\r\n\r\n<script>", "0"),
    ("x-nul", b"a\0b", "0"),
    ("x-delete", b"a\x7fb", "0"),
    ("x name", b"a", "0"),
    ("x:name", b"a", "0"),
    ("x\r\nset-cookie", b"a", "0"),
    ("x\0", b"a", "0"),
    ("", b"a", "0"),
    ("né", b"a", "0"),
    ("transfer-encoding", b"chunked", "1"),
    ("Transfer-Encoding", b"chunked", "1"),
    ("CONNECTION", b"close", "1"),
    ("keep-alive", b"1", "1"),
    ("Proxy-Connection", b"x", "1"),
    ("proxy-authenticate", b"x", "1"),
    ("Upgrade", b"h2c", "1"),
    ("host", b"evil.example", "1"),
    ("http2-settings", b"x", "1"),
]


@pytest.mark.parametrize("way", ["append", "set", "from-list"])
@pytest.mark.parametrize(("name", "value", "taken"), FIELDS, ids=[repr(name) + str(value) for name, value, _ in FIELDS])
def test_response_fields(client: Client, way: str, name: str, value: bytes, taken: str) -> None:
    response = client.post(f"/x/{way}", data=name.encode() + b"=" + value + b"\1")
    assert response.status_code == 200
    assert response.text == taken
    assert "Set-Cookie" not in response.headers
    arrived = response.headers.get(name) if name.isascii() else None
    if way != "from-list":  # there the list is only tried
        assert arrived == (value.decode("latin-1") if taken == "-" else None)


# fields that the adapter takes and the gateway does not pass on, or answers 502 for
HEADS: list[tuple[bytes, int, str]] = [
    (b"status=404 Not Found\1", 200, ""),
    (b"Status=404\1STATUS=500\1", 200, ""),
    (b"x-sendfile=/etc/passwd\1", 200, ""),
    (b"X-Accel-Redirect=/secret\1", 200, ""),
    (b"X_Sendfile=/etc/passwd\1x_accel_redirect=/secret\1proxy_connection=x\1", 200, ""),
    (b"Transfer_Encoding=chunked\1", 502, "Transfer-Encoding from a guest"),
    (b"content_length=5\1content-length=6\1", 502, "two different values"),
    (b"date=now\1server=me\1trailer=x\1te=x\1", 200, ""),
    (b"content-type=a/b\1Content-Type=c/d\1", 502, "Content-Type appears twice"),
    (b"content-length=5\1content-length=6\1", 502, "two different values"),
    (b"content-length=+5\1", 502, "not a plain number"),
    (b"location=\1", 502, "Location is empty"),
    (b"".join(b"x-%d=y\1" % i for i in range(60)), 200, ""),
]


@pytest.mark.parametrize(("pairs", "status", "words"), HEADS, ids=[repr(pairs[:24]) for pairs, _, _ in HEADS])
def test_response_heads(
    client: Client, caplog: pytest.LogCaptureFixture, pairs: bytes, status: int, words: str
) -> None:
    response = client.post("/x/append", data=pairs)
    assert response.status_code == status
    assert words in caplog.text
    names = {name.lower().replace("_", "-") for name, _ in response.headers}
    assert not names & {
        "status",
        "proxy-connection",
        "transfer-encoding",
        "x-sendfile",
        "x-accel-redirect",
        "server",
        "te",
    }


def test_bodies_and_streams_are_had_once(client: Client) -> None:
    assert client.get("/x/twice-taken").text == "1111"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("body-first", 202, "then 0"),
        ("body-first?1", 404, "0123456789then 0"),
        ("body-first?7000", 404, "0123456789" * 7000 + "then 0"),  # more than streams without a head
        ("body-alone", 203, "body"),
    ],
)
def test_a_body_may_begin_before_its_response_is_given(client: Client, path: str, status: int, text: str) -> None:
    """And the response is what it is when it is given."""
    response = client.get(f"/x/{path}")
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["Content-Type"] == "text/plain"


def test_views_cannot_be_changed(client: Client) -> None:
    assert client.get("/x/immutable").text == "22"


def held_by_this_process() -> tuple[int, int]:
    """Open descriptors, and pages that are resident."""
    return len(os.listdir("/proc/self/fd")), int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.parametrize("path", ["hello", "trap", "none", "error"])
def test_a_thousand_requests_leave_nothing_behind(make_client: SiteMaker, path: str) -> None:
    """With a pool of four instances one that leaked would be missing after the fourth request."""
    client = make_client({"/x": {"module": str(component("http"))}}, engine={"instances": 4})
    logging.disable(logging.CRITICAL)
    try:
        for _ in range(50):
            status = client.get(f"/x/{path}").status_code
        descriptors, pages = held_by_this_process()
        for _ in range(1000):
            assert client.get(f"/x/{path}").status_code == status
        after, pages_after = held_by_this_process()
    finally:
        logging.disable(logging.NOTSET)
    assert after <= descriptors
    assert pages_after - pages < 2500, "10 MB for 1,000 requests"


def test_a_large_body_comes_from_its_file(make_client: SiteMaker) -> None:
    """Over a megabyte a body is spooled to a file, which the guest reads by itself; none of it is left open."""
    client = site(make_client)
    data = bytes(range(256)) * 12_000
    assert client.get("/x/hello").status_code == 200  # what the engine and its threads keep is open now
    descriptors, _ = held_by_this_process()
    for _ in range(3):
        assert client.post("/x/echo", data=data).data == data
    assert held_by_this_process()[0] <= descriptors + 2


def test_requests_at_a_time(make_client: SiteMaker) -> None:
    """Threads do not see each other's output."""
    client = site(make_client)
    answers: dict[int, bytes] = {}

    def ask(number: int) -> None:
        for _ in range(25):
            answers[number] = client.post("/x/echo", data=b"%d " % number * 20_000).data
            if answers[number] != b"%d " % number * 20_000:
                return

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {number: b"%d " % number * 20_000 for number in range(8)}


class Sending:
    """`wsgi.input` of a client that sends piece by piece, each when the one before has been echoed."""

    def __init__(self, pieces: list[bytes], after: BaseException | None = None) -> None:
        self.pieces = pieces
        self.after = after
        self.echoed = threading.Semaphore(1)

    def read(self, size: int = -1) -> bytes:
        assert self.echoed.acquire(timeout=60), "the piece before did not come back"
        if self.pieces:
            return self.pieces.pop(0)
        if self.after is not None:
            raise self.after
        return b""


def streamed(client: Client, path: str, body: Sending, length: int | None) -> tuple[list[bytes], str]:
    """What is written of the answer, and its status."""
    written: list[bytes] = []
    statuses: list[str] = []

    def write(data: bytes) -> None:
        written.append(data)
        body.echoed.release()

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        statuses.append(status)
        return write

    environ = {**client.get("/x/hello").request.environ, "REQUEST_METHOD": "POST", "PATH_INFO": path}
    environ.pop("REQUEST_URI"), environ.pop("RAW_URI")
    environ["wsgi.input"] = body
    if length is None:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    else:
        environ["CONTENT_LENGTH"] = str(length)
    written += client.application(environ, start_response)
    return written, statuses[0]


@pytest.mark.parametrize("length", [15, None])
def test_a_body_streams_in_while_the_answer_streams_out(make_client: SiteMaker, length: int | None) -> None:
    """`stream_request`: the client sends the second piece when it has the first one back."""
    client = site(make_client, stream_request=True)
    written, status = streamed(client, "/x/echo", Sending([b"one, ", b"two, ", b"three"]), length)
    assert status == "201 Created"
    assert b"".join(written) == b"one, two, three"
    assert written[:2] == [b"one, ", b"two, "]


def test_waiting_for_the_client_does_not_count(make_client: SiteMaker) -> None:
    client = site(make_client, stream_request=True, timeout="1s")

    class Slow(Sending):
        def read(self, size: int = -1) -> bytes:
            time.sleep(0.6)
            return super().read(size)

    written, status = streamed(client, "/x/echo", Slow([b"one, ", b"two, ", b"three"]), 15)
    assert (status, b"".join(written)) == ("201 Created", b"one, two, three")


@pytest.mark.parametrize(
    ("body", "length", "status"),
    [
        (Sending([b"x" * 10], TimeoutError()), 20, "408"),
        (Sending([b"x" * 10], OSError("reset")), 20, "400"),
        (Sending([b"x" * 600_000, b"x" * 600_000]), None, "413"),
    ],
)
def test_a_streamed_body_that_breaks_off(
    make_client: SiteMaker, body: Sending, length: int | None, status: str
) -> None:
    """The guest, which has counted what came and answered, does not know: the answer is not the client's to have."""
    client = site(make_client, stream_request=True, max_body="1MiB")
    body.echoed.release(5)
    _, answered = streamed(client, "/x/count", body, length)
    assert answered.startswith(status)


def test_a_guest_that_wants_no_body_ends_its_feeder(make_client: SiteMaker) -> None:
    client = site(make_client, stream_request=True)
    counts = []
    for _ in range(3):
        body = Sending([b"x" * 2000] * 1000)
        body.echoed.release(2000)
        _, status = streamed(client, "/x/hello", body, 2_000_000)
        assert status == "200 OK"
        assert body.pieces
        counts.append((threading.active_count(), held_by_this_process()[0]))
    assert counts[2] <= counts[1] <= counts[0]


HELLO = Path(__file__).parents[2] / "benchmarks" / "guests" / "hello_http.wat"


@pytest.mark.parametrize("path", ["/loop", "/x/sleep"])
def test_one_that_was_short_stops_nobody(
    make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A component that imports nothing to wait in keeps the interpreter's lock, until the clock's first tick; one that
    could wait never does. See engine/capi/native_component.c."""
    begin = "(call $from-list (i32.const 0)"
    text = HELLO.read_text()
    assert begin in text
    (tmp_path / "loop.wat").write_text(text.replace(begin, f"(loop $l (br $l)) {begin}"))
    monkeypatch.setattr(GilPolicy, "_short", property(lambda guest: True, lambda guest, short: None))
    routes = {"/loop": str(tmp_path / "loop.wat"), "/x": str(component("http")), "/hello": str(HELLO)}
    client = make_client({route: {"module": module, "timeout": "1s"} for route, module in routes.items()})
    statuses: list[int] = []
    long = threading.Thread(target=lambda: statuses.append(client.get(path).status_code))
    served = 0
    assert client.get("/hello").status_code == 200
    long.start()
    while long.is_alive():
        assert client.get("/hello").text == "hello world\n"
        served += 1
    long.join()
    assert statuses == [504]
    assert served > 5, "or it would have stopped the others, but for the one that was on its way"


@pytest.mark.in_process
def test_without_a_descriptor_left_the_next_request_is_served(
    make_client: SiteMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A pool of its own: another one's slots may have their files already.
    client = make_client({"/x": {"module": str(component("http"))}}, engine={"instances": 3})
    made = os.memfd_create
    for failing in ("wsgi_wasm-stdout", "wsgi_wasm-stderr"):

        def create(name: str, flags: int, failing: str = failing) -> int:
            if name == failing:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return made(name, flags)

        monkeypatch.setattr(os, "memfd_create", create)
        assert client.get("/x/hello").status_code == 503
        assert "the output of a component cannot be stored: Too many open files" in caplog.text
        caplog.clear()
    monkeypatch.setattr(os, "memfd_create", made)
    assert client.get("/x/hello").status_code == 200


def test_a_world_may_use_types_of_what_it_imports(make_client: SiteMaker, tmp_path: Path) -> None:
    text = HELLO.read_text()
    after = '(alias export $types "response-outparam" (type $response-outparam))'
    assert after in text
    used = '(import "out" (type (eq $response-outparam))) (import "own" (type (eq $listed)))'
    (tmp_path / "x.wat").write_text(text.replace(after, f"{after} (type $listed (list u8)) {used}"))
    assert make_client({"/x": {"module": str(tmp_path / "x.wat")}}).get("/x").text == "hello world\n"


def test_of_the_world_only_what_is_called_is_imported() -> None:
    """The engine looks each imported function up for every instance."""
    wrapped = wrap(wat_to_wasm(HELLO.read_bytes()), adapter_parts()).component
    called, others = b"[method]output-stream.blocking-write-and-flush", b"[method]output-stream.blocking-splice"
    assert called in wrapped
    assert others not in wrapped.partition(b"wasi:cli/run@")[0]
