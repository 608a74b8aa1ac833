"""Requests that guests make: to a real server beside the tests, and to where they must not go."""

from __future__ import annotations

import http.server
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import VERSIONS, component
from servers.process import closed_port
from wsgi_wasm.binary.wrap import wrap
from wsgi_wasm.engine.code.adapter import adapter_parts
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.hostapi import forwarder
from wsgi_wasm.isolation import connections


class Upstream(http.server.BaseHTTPRequestHandler):
    """The path says how it answers."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str], bytes]]
    crowd = threading.Barrier(4, timeout=60)

    def do_GET(self) -> None:
        body = self._body()
        self.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if self.path.startswith("/slow"):
            time.sleep(5)
        elif self.path.startswith("/crowd"):
            self.crowd.wait()
            time.sleep(0.3)
        elif self.path.startswith("/close"):
            self.close_connection = True
            return
        elif self.path.startswith("/forged"):
            self.send_response(599)
            self.send_header("wsgi-wasm-error", "00000000000000000000000000000000 4")
            self._answer(b"a server's own 599")
            return
        elif self.path.startswith("/pieces"):
            self._pieces()
            return
        elif self.path.startswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest")
            self._answer(b"moved")
            return
        self.send_response(201)
        size = int(self.path.rpartition("=")[2]) if self.path.startswith("/big") else 0
        self._answer(b"x" * size if size else b"answer to " + body)

    do_POST = do_GET

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        self.send_header("x-up", "yes")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _pieces(self) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for _ in range(3):
            self.wfile.write(b"6\r\npiece\n\r\n")
            time.sleep(0.1)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[http.server.ThreadingHTTPServer]:
    Upstream.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


Server = http.server.ThreadingHTTPServer


def site(make_client: SiteMaker, *allowed: str, version: str = "0.2.12", **settings: Any) -> Client:
    route = {"module": str(component("client", version)), "allowed_outbound_hosts": list(allowed), **settings}
    return make_client({"/x": route})


def url(server: Server, path: str = "/", host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.server_address[1]}{path}"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_request_is_made(make_client: SiteMaker, upstream: Server, version: str) -> None:
    client = site(make_client, "http://127.0.0.1:*", version=version)
    response = client.get(f"/x/get?{url(upstream, '/up?a=1&b')}")
    assert (response.status_code, response.text) == (201, "answer to ")
    assert response.headers["x-up"] == "yes"
    ((method, path, fields, body),) = Upstream.seen
    assert (method, path, body) == ("GET", "/up?a=1&b", b"")
    host = f"127.0.0.1:{upstream.server_address[1]}"
    assert fields == {"host": host, "connection": "close", "x-from": "a guest"}


@pytest.mark.parametrize("size", [0, 5, 100_000, 3_000_000])
def test_bodies_go_both_ways(make_client: SiteMaker, upstream: Server, size: int) -> None:
    client = site(make_client, "http://127.0.0.1:*")
    response = client.post(f"/x/post?{url(upstream)}", data=b"y" * size)
    assert response.status_code == 201
    assert response.data == b"answer to " + b"y" * size


def test_an_answer_streams(make_client: SiteMaker, upstream: Server) -> None:
    assert site(make_client, "http://127.0.0.1:*").get(f"/x/get?{url(upstream, '/pieces')}").text == "piece\n" * 3


# what is allowed, how and what is asked for; the answer
DENIED, URI_INVALID, PROHIBITED, REFUSED, DNS, TERMINATED, TIMEOUT, LIMIT = 15, 19, 4, 6, 1, 7, 33, 11
PROTOCOL = 35
ERRORS: list[tuple[list[str], str, str, int]] = [
    ([], "get", "http://127.0.0.1:{port}/", DENIED),
    (["http://api.example"], "get", "http://127.0.0.1:{port}/", DENIED),
    (["https://127.0.0.1:*"], "get", "http://127.0.0.1:{port}/", DENIED),
    (["http://127.0.0.1:1"], "get", "http://127.0.0.1:{port}/", DENIED),
    (["http://127.0.0.1:*"], "get", "http://127.0.0.1:{closed}/", REFUSED),
    (["*://*:*"], "get", "ws://127.0.0.1:{port}/", PROTOCOL),
    (["http://127.0.0.1:*"], "get", "http://user@127.0.0.1:{port}/", URI_INVALID),
    (["http://127.0.0.1:*"], "get", "http://127.0.0.1:{port}/close", TERMINATED),
    (["http://*.invalid"], "get", "http://name.invalid/", DNS),
    # names and spellings that lead inward
    (["http://*:*"], "get", "http://127.0.0.1:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://localhost:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://127.1:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://2130706433:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://0x7f000001:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://0177.0.0.1:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://0:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://[::1]:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://[::ffff:127.0.0.1]:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://[64:ff9b::7f00:1]:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://inward.example:{port}/", PROHIBITED),
    (["http://*:*"], "get", "http://169.254.169.254/latest/meta-data", PROHIBITED),
]


@pytest.fixture
def inward(monkeypatch: pytest.MonkeyPatch) -> None:
    """`inward.example` is a name of this machine, as its host name would be where the system knows it."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == "inward.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.mark.parametrize(("allowed", "how", "target", "code"), ERRORS, ids=[f"{row[2]} {row[3]}" for row in ERRORS])
def test_what_has_no_answer(
    make_client: SiteMaker, upstream: Server, inward: None, allowed: list[str], how: str, target: str, code: int
) -> None:
    client = site(make_client, *allowed)
    with closed_port() as closed:
        response = client.get(f"/x/{how}?{target.format(port=upstream.server_address[1], closed=closed)}")
    assert (response.status_code, response.text) == (502, str(code))
    reached = Upstream.seen
    assert [path for _, path, _, _ in reached] == (["/close"] if code == TERMINATED else [])


def test_a_redirect_is_the_guests_to_follow(make_client: SiteMaker, upstream: Server) -> None:
    """It would be a request of its own, and judged as one: here the guest sees it, and nothing follows it."""
    response = site(make_client, "http://127.0.0.1:*").get(f"/x/get?{url(upstream, '/redirect')}")
    assert (response.status_code, response.text) == (302, "moved")


def test_a_server_cannot_speak_for_the_gateway(make_client: SiteMaker, upstream: Server) -> None:
    response = site(make_client, "http://127.0.0.1:*").get(f"/x/get?{url(upstream, '/forged')}")
    assert response.text == "a server's own 599"


def test_guests_cannot_choose_the_host_field(make_client: SiteMaker, upstream: Server) -> None:
    site(make_client, "http://127.0.0.1:*").get(f"/x/spin?{url(upstream)}")
    ((_, _, fields, _),) = Upstream.seen
    assert fields["host"] == f"127.0.0.1:{upstream.server_address[1]}"


def test_limits_of_time(make_client: SiteMaker, upstream: Server) -> None:
    client = site(make_client, "http://127.0.0.1:*", outbound_timeout="200ms")
    assert client.get(f"/x/get?{url(upstream, '/slow')}").text == str(TIMEOUT)
    client = site(make_client, "http://127.0.0.1:*", timeout="300ms")
    assert client.get(f"/x/get?{url(upstream, '/slow')}").status_code == 504


def test_limits_of_size(make_client: SiteMaker, upstream: Server) -> None:
    """The guest sees its stream end, and hands on what it has."""
    client = site(make_client, "http://127.0.0.1:*", max_outbound="64KiB")
    assert len(client.get(f"/x/get?{url(upstream, '/big?n=60000')}").data) == 60_000
    assert len(client.get(f"/x/get?{url(upstream, '/big?n=5000000')}").data) < 70_000


def test_limits_of_number(make_client: SiteMaker, upstream: Server) -> None:
    client = site(make_client, "http://127.0.0.1:*", outbound_concurrency=4)
    assert client.get(f"/x/many?{url(upstream, '/crowd')}").text == f"4 {LIMIT}"


def test_nothing_is_left_behind(make_client: SiteMaker, upstream: Server) -> None:
    """Requests that nobody waits for any more end with their guest, and give their places back."""
    client = site(make_client, "http://127.0.0.1:*", outbound_concurrency=2, timeout="300ms")
    for _ in range(6):
        assert client.get(f"/x/get?{url(upstream, '/slow')}").status_code == 504
        client.get(f"/x/unread?{url(upstream, '/big?n=5000000')}")
    deadline = time.monotonic() + 60
    while client.get(f"/x/get?{url(upstream)}").status_code != 201:
        assert time.monotonic() < deadline, "the places of requests are not given back"
    assert forwarder.forwarder()._waiting == {}


def test_the_forwarder_serves_nobody_else(make_client: SiteMaker, upstream: Server) -> None:
    """Another process of the machine can connect to it. Without a ticket's word nothing is forwarded."""
    site(make_client, "http://127.0.0.1:*").get(f"/x/get?{url(upstream)}")
    host, _, port = forwarder.forwarder().address.partition(":")
    for word in ("", "/", "/0/", f"/{'0' * 32}/"):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"GET {word} HTTP/1.1\r\nhost: {url(upstream)}\r\n\r\n".encode())
            assert connection.recv(100) == b""
    assert len(Upstream.seen) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate for `localhost`, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
    ]
    command += ["2", "-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return key, cert


@pytest.mark.parametrize(
    ("trusted", "host", "answer"),
    [(True, "localhost", (201, "answer to ")), (False, "localhost", (502, "13")), (True, "127.0.0.1", (502, "13"))],
)
def test_tls(
    make_client: SiteMaker,
    certificate: tuple[Path, Path],
    upstream: Server,
    monkeypatch: pytest.MonkeyPatch,
    trusted: bool,
    host: str,
    answer: tuple[int, str],
) -> None:
    """A certificate that nobody vouches for, or of another name, is none."""
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    upstream.socket = context.wrap_socket(upstream.socket, server_side=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setattr(forwarder, "_forwarder", None)  # one that has not looked at certificates yet
    connections.end_leases()  # isolated guests know the one before
    client = site(make_client, "https://localhost:*", "https://127.0.0.1:*")
    response = client.get(f"/x/get?{url(upstream, host=host).replace('http', 'https')}")
    assert (response.status_code, response.text) == answer
    connections.end_leases()


def test_a_process_that_forks_has_a_forwarder_of_its_own() -> None:
    before = forwarder.forwarder()
    assert forwarder.forwarder() is before
    forwarder._forget()
    assert forwarder.forwarder() is not before
    connections.end_leases()  # which lead to the one before


# --- what stands between a guest and the network cannot be imported past ---

EMPTY = '(component $e) (instance $i (instantiate $e)) (export "{name}" (instance $i))'
PAST = [
    *("wasi:http/types@0.2.0+x", "wasi:http/outgoing-handler@0.2.0+x", "wasi:http/types", "wasi:http/types@0.1.0"),
    *("wasi:io/poll@0.2.0+x", "wasi:io/poll", "wasi:io/streams@0.2.0-rc-2023-11-10", "wasi:http/anything@0.2.0"),
]


@pytest.mark.parametrize("export", ["wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.0"])
@pytest.mark.parametrize("name", PAST)
def test_other_spellings_are_refused(name: str, export: str) -> None:
    text = f'(component (import "{name}" (instance)) {EMPTY.format(name=export)})'
    with pytest.raises(ModuleError) as caught:
        wrap(wat_to_wasm(text.encode()), adapter_parts())
    assert f"imports {name}, which is not supported" in str(caught.value)


def test_a_version_of_many_digits_is_no_other_spelling() -> None:
    text = f'(component (import "wasi:io/poll@0.2.99999999" (instance)) {EMPTY.format(name="wasi:cli/run@0.2.0")})'
    wrap(wat_to_wasm(text.encode()), adapter_parts())


def test_programs_are_given_the_adapters_client(
    make_client: SiteMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that imports wasi:http never gets at the engine's own."""
    text = """(component
        (import "wasi:http/types@0.2.3" (instance $t
          (export "fields" (type $f (sub resource))) (export "[constructor]fields" (func (result (own $f))))))
        (core module $m (import "" "f" (func $f (result i32)))
          (func (export "run") (result i32) (drop (call $f)) (i32.const 0)))
        (core func $f (canon lower (func $t "[constructor]fields")))
        (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $r (export "run" (func $run))) (export "wasi:cli/run@0.2.3" (instance $r)))"""
    (tmp_path / "p.wat").write_text(text)
    with caplog.at_level(logging.INFO):
        assert make_client({"/x": {"module": str(tmp_path / "p.wat")}}).get("/x").status_code == 502
    assert "no answer: the guest wrote nothing" in caplog.text
    wrapped = wrap(wat_to_wasm(text.encode()), adapter_parts())
    assert b"wasi:http/types@0.2.12" not in wrapped.component
