"""The harness itself, with an application that has nothing to do with ours."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .apache import Apache, Site
from .client import Connection, Truncated, chunked, request
from .fixtures import open_tmp as open_tmp
from .gunicorn import start_gunicorn
from .process import ServerError, ServerProcess, session_members, wait_for
from .server import Server
from .werkzeug import start_werkzeug

APPS = Path(__file__).with_name("apps")
KINDS = ("sync", "gthread", "preload", "embedded", "prefork", "daemon")


@contextmanager
def trivial(kind: str, tmp: Path) -> Iterator[Server]:
    """The trivial application under each kind of server."""
    if kind in ("sync", "gthread", "preload"):
        server: Server = start_gunicorn(
            "trivial:application",
            tmp,
            worker_class="sync" if kind == "sync" else "gthread",
            workers=2,
            threads=1 if kind == "sync" else 4,
            preload=kind == "preload",
            env={"TRIVIAL_VALUE": "given"},
            pythonpath=(APPS,),
        )
    else:
        group = "process-group=trivial" if kind == "daemon" else "process-group=%{GLOBAL}"
        daemon = "WSGIDaemonProcess trivial processes=2 threads=4 display-name=%{GROUP}" if kind == "daemon" else ""
        text = (
            f"{daemon}\n"
            f'WSGIScriptAlias / "${{SERVER_SCRIPTS}}/trivial.py" {group} application-group=%{{GLOBAL}}\n'
            '<Directory "${SERVER_SCRIPTS}">\nRequire all granted\n</Directory>'
        )
        site = Site(
            text=text, scripts=APPS, mpm="prefork" if kind == "prefork" else "event", daemons=2 * (kind == "daemon")
        )
        server = Apache.start(site, tmp, env={"TRIVIAL_VALUE": "given"})
    with server:
        yield server


@pytest.mark.parametrize("kind", KINDS)
def test_answers_streams_reloads_and_stops(kind: str, open_tmp: Path) -> None:
    with trivial(kind, open_tmp) as server:
        answer = request(server.address, "GET", "/")
        assert (answer.status, answer.field("content-type")) == (200, "text/plain")
        assert "value=given" in answer.text
        assert int(answer.text.split()[0].removeprefix("pid=")) in server.pids()

        gate = open_tmp / "gate"
        with Connection(server.address) as connection:
            connection.send_request("GET", f"/stream?{gate}")
            head = connection.read_head()
            connection_pieces = connection.pieces(head)
            assert next(connection_pieces)[1] == b"first\n"  # the gate is still shut
            gate.touch()
            assert b"".join(piece for _, piece in connection_pieces) == b"second\n"

        before = server.pids()
        assert len(before) == 2
        server.reload()
        after = server.pids()
        assert not set(before) & set(after)
        assert int(request(server.address, "GET", "/").text.split()[0].removeprefix("pid=")) in server.pids()

        session = server.process.pid
        code, killed = server.stop()
        assert (code, killed) == (0, ())
        assert session_members(session) == []
        assert server.log()


def test_werkzeug_answers_and_restarts(open_tmp: Path) -> None:
    with start_werkzeug(None, open_tmp) as server:
        answer = request(server.address, "POST", "/x", body=b"ab")
        assert answer.text.startswith("werkzeug POST /x")
        assert answer.text.rstrip().endswith("body=b'ab'")
        old = server.pids()
        server.reload()
        assert server.pids() != old
        assert request(server.address, "GET", "/y").text.startswith("werkzeug GET /y")


def test_native_cgi_programs_run_under_mod_cgid(open_tmp: Path) -> None:
    programs = open_tmp / "cgi-bin"
    programs.mkdir()
    script = programs / "who"
    script.write_text('#!/bin/sh\necho "Content-Type: text/plain"\necho\necho "$REQUEST_METHOD $PATH_INFO $(id -un)"\n')
    script.chmod(0o755)
    with Apache.start(Site(text="", wsgi=False, native={"/cgi-bin/": programs}), open_tmp) as server:
        answer = request(server.address, "GET", "/cgi-bin/who/a")
        assert (answer.status, answer.text.split()[:2]) == (200, ["GET", "/a"])
        assert len(server.pids()) == 2


def test_a_server_that_cannot_start_says_why(open_tmp: Path) -> None:
    with pytest.raises(ServerError, match="no_such_module"):
        start_gunicorn("no_such_module:application", open_tmp)
    with pytest.raises(ServerError, match="NoSuchDirective"):
        Apache.start(Site(text="NoSuchDirective On", wsgi=False), open_tmp)


def test_stop_kills_what_does_not_go(open_tmp: Path) -> None:
    script = "trap '' TERM; (trap '' TERM; sleep 600) & touch ready; while :; do sleep 600; done"
    process = ServerProcess(["/bin/sh", "-c", script], output=open_tmp / "log", cwd=open_tmp)
    wait_for("the script", (open_tmp / "ready").exists)
    members = process.members()
    code, killed = process.stop(timeout=0.2)
    assert code == -signal.SIGKILL
    assert set(killed) >= {process.pid}
    assert len(members) >= 2
    assert session_members(process.pid) == []
    assert process.stop() == (code, ())


def test_client_sees_a_cut_body(open_tmp: Path) -> None:
    script = (
        "import socket,sys\ns=socket.create_server(('127.0.0.1',0))\n"
        "open('port.new','w').write(str(s.getsockname()[1]))\nimport os\nos.rename('port.new','port')\n"
        "length=b'Content-Length: 9\\r\\n\\r\\nabc'\n"
        "chunk=b'Transfer-Encoding: chunked\\r\\n\\r\\n3\\r\\nabc\\r\\n'\n"
        "for answer in (length, chunk):\n"
        " c,_=s.accept()\n c.recv(65536)\n c.sendall(b'HTTP/1.1 200 OK\\r\\n'+answer)\n c.close()\n"
    )
    process = ServerProcess(["/usr/bin/env", "python3", "-c", script], output=open_tmp / "log", cwd=open_tmp)
    try:
        wait_for("the port", (open_tmp / "port").exists)
        address = ("127.0.0.1", int((open_tmp / "port").read_text()))
        for _ in range(2):
            with Connection(address) as connection:
                connection.send_request("GET", "/")
                with pytest.raises(Truncated) as caught:
                    connection.read_answer()
                assert caught.value.body == b"abc"
    finally:
        process.stop()


def test_chunked_coding_leaves_out_empty_pieces() -> None:
    assert chunked([b"ab", b"", b"c"]) == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
