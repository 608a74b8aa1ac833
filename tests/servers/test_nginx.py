"""gunicorn behind a real nginx, configured as the page says: the block is taken from there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import guest
from guests.printed import variables

from .apache import put
from .client import Connection, get, request, wait_compiled
from .fixtures import GUNICORN_CONF, PROJECT, serve
from .gunicorn import start_gunicorn
from .nginx import start_nginx
from .process import wait_for
from .server import Server
from .test_proxies import PATIENT, ask

PAGE = PROJECT / "docs" / "gunicorn.md"
SOCKET = "/run/wsgi-wasm.sock"
OFTEN = 10  # uploads that are refused: each would be a 502 now and then


def block(language: str) -> str:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return next(text for text in found if language != "yaml" or "trusted_proxies" in text)


def write_site(tmp: Path, trusted: str) -> Path:
    modules = {name: tmp / f"{name}.wasm" for name in ("env", "echo", "sleep", "large")}
    for name, module in modules.items():
        put(module, guest(name).read_bytes())
    env: dict[str, Any] = {"module": "env.wasm"}
    routes = {
        "/env": env | {"env": {"SITE": "top"}},
        "/echo": {"module": "echo.wasm"},
        "/small": {"module": "echo.wasm", "max_body": "1MiB"},
        "/unread": env | {"stream_request": True},
        "/sleep": {"module": "sleep.wasm", "timeout": "1h"},
    }
    hosts = {"shop.example": {"routes": routes | {"/env": env | {"env": {"SITE": "shop"}}}}}
    file = tmp / "site.yaml"
    file.write_text(trusted + yaml.safe_dump({**PATIENT, "routes": routes, "hosts": hosts}), encoding="utf-8")
    return file


def unbuffered_or_not(text: str, buffered: bool) -> str:
    """The block without the lines that it says not everybody needs."""
    lines = [line for line in text.splitlines() if not (buffered and "# only if programs" in line)]
    assert len(text.splitlines()) - len(lines) == 2 * buffered
    return "\n".join(lines)


class Pair:
    """The front server, and gunicorn behind it."""

    def __init__(self, front: Server, back: Server) -> None:
        self.front, self.back = front, back
        self.address = front.address


@pytest.fixture(scope="module", params=["unix", "unix-buffered", "tcp", "tcp-sync-buffered"])
def pair(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Pair]:
    """By the guide as it is, and in other ways that it names."""
    kind = str(request.param)
    tmp = open_module_tmp / kind
    tmp.mkdir()
    path = tmp / "s"
    site = write_site(tmp, block("yaml") if kind.startswith("unix") else "trusted_proxies: {from: [127.0.0.1]}\n")
    (tmp / "cache").mkdir(mode=0o700)
    environ = {
        "WSGI_WASM_CONFIG": str(site),
        "WSGI_WASM_CACHE": str(tmp / "cache"),
        "SCRIPT_NAME": "/app",  # as the page says
    }
    with ExitStack() as stack:
        back = stack.enter_context(
            start_gunicorn(
                "wsgi_wasm.wsgi:application",
                tmp,
                worker_class="sync" if "sync" in kind else "gthread",
                workers=2,
                threads=1 if "sync" in kind else 4,
                config=GUNICORN_CONF,
                env=environ,
                options=("--bind", f"unix:{path}"),
                ready="/app/env",
            )
        )
        text = unbuffered_or_not(block("nginx"), kind.endswith("buffered"))
        there = f"unix:{path}" if kind.startswith("unix") else back.url.removeprefix("http://")
        front = stack.enter_context(start_nginx(text.replace(f"unix:{SOCKET}", there), tmp))
        wait_compiled(front.address, *(f"/app/{name}" for name in ("env", "echo", "sleep?seconds=0")))
        yield Pair(front, back)


def test_prefix(pair: Pair) -> None:
    found = variables(get(pair.address, "/app/env/a%20b?q=1").text)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"], found["QUERY_STRING"]) == ("/app/env", "/a b", "q=1")
    assert found["REQUEST_URI"] == "/app/env/a%20b?q=1"
    assert get(pair.address, "/env").status == 404  # nginx's own
    assert get(pair.address, "/app/none").status == 404
    assert get(pair.back.address, "/env").status == 500  # as the page says


def test_client_address_scheme_and_host(pair: Pair) -> None:
    spoofed = (
        *(("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "https")),
        *(("X-Forwarded-Host", "evil"), ("X-Real-IP", "6.6.6.6"), ("Forwarded", "for=6.6.6.6"), ("SCRIPT_NAME", "/x")),
        *(("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/evil"), ("Host", "shop.example")),
    )
    for fields in ((("Host", "shop.example"),), spoofed):
        found = variables(ask(pair.address, "/app/env?spoof", fields, own="127.0.0.5").text)
        told = [found[name] for name in ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "REQUEST_SCHEME", "SITE")]
        assert told == ["127.0.0.5", "shop.example", "80", "http", "shop"]
        assert not [name for name, value in found.items() if "FORWARDED" in name or "evil" in value or "6.6" in value]
    pair.back.wait_for_log("/app/env?spoof", 2)
    lines = [line for line in pair.back.log().splitlines() if "/app/env?spoof" in line]
    assert [line.split()[0] for line in lines] == ["127.0.0.5"] * 2


def test_uploads(pair: Pair) -> None:
    body = b"x" * 9_000_000
    assert request(pair.address, "POST", "/app/echo", body=body).body == b"POST 9000000\n" + body
    for path, status in (("/app/small", 413), ("/app/none", 404), ("/app/unread", 200)):
        found = {request(pair.address, "POST", path, body=body).status for _ in range(OFTEN)}
        assert found == {status}, path


def test_streaming(pair: Pair) -> None:
    """A piece of the answer comes while the guest sleeps; when the client leaves, so does the guest."""
    if "proxy_buffering off" not in (Path(pair.front.process.output).parent / "nginx.conf").read_text("utf-8"):
        return
    before = pair.back.log().count("the client has disconnected")
    with Connection(pair.address) as connection:
        connection.send_request("GET", "/app/sleep?when=after")
        assert next(connection.pieces(connection.read_head()))[1] == b"started\n"
    wait_for("the guest to end", lambda: pair.back.log().count("the client has disconnected") > before)
    assert "Traceback" not in pair.back.log()


def test_serve_is_like_the_others(open_tmp: Path) -> None:
    """Not only gunicorn's command reads the key: nginx's block before werkzeug's server."""
    site = write_site(open_tmp, "trusted_proxies: {from: [127.0.0.1]}\n")
    with serve("werkzeug", site, open_tmp, ready="/env") as back:
        text = block("nginx").replace(f"unix:{SOCKET}", f"{back.address[0]}:{back.address[1]}/")
        with start_nginx(text, open_tmp) as front:
            wait_compiled(front.address, "/app/env")
            found = variables(ask(front.address, "/app/env", own="127.0.0.5").text)
            assert (found["REMOTE_ADDR"], found["SCRIPT_NAME"]) == ("127.0.0.5", "/env")
