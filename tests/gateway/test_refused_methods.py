"""CONNECT, TRACE and TRACK reach no guest, whatever answers the route; a wrapped application gets its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from guests.build import guest
from spin.conftest import write_app
from wsgi_wasm import ConfigError, Gateway, create_app
from wsgi_wasm.config import parse_config

METHODS = ("CONNECT", "TRACE", "TRACK", "trace", "Connect")
USUAL = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

SITE = """\
routes:
  /module: {module: env.wasm}
  /few: {module: env.wasm, methods: [GET]}
  /raw: {module: env.wasm, interface: raw}
  /programs: {directory: programs}
  /workers: {directory: programs, interface: wws}
  /app: {spin: app/spin.toml}
  /lent: {selectable: true}
handler: {}
"""

# path, and what `Allow` says
ROUTES = {
    "/module": USUAL,
    "/few": "GET, HEAD",
    "/raw": USUAL,
    "/programs/env.wasm": USUAL,
    "/programs/none.wasm": USUAL,
    "/workers/env": USUAL,
    "/app/env/1/x": USUAL,
    "/app/robots.txt": USUAL,
    "/app/.well-known/spin/health": USUAL,
    "/app/nothing/there": USUAL,
    "/no/route": USUAL,
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write_app(tmp_path / "app")
    (tmp_path / "programs").mkdir()
    for copy in (tmp_path / "env.wasm", tmp_path / "programs" / "env.wasm"):
        shutil.copyfile(guest("env"), copy)
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path / "site.yaml"


def answer(app: Any, method: str, path: str) -> tuple[int, str | None, bytes]:
    environ = EnvironBuilder(path).get_environ()
    environ["REQUEST_METHOD"] = method
    body, status, fields = run_wsgi_app(app, environ, buffered=True)
    return int(status[:3]), fields.get("Allow"), b"".join(body)


@pytest.mark.parametrize("method", METHODS)
def test_no_route_takes_them(site: Path, method: str) -> None:
    gateway = create_app(site)
    answers = {path: answer(gateway, method, path) for path in ROUTES}
    assert {path: (status, allow) for path, (status, allow, _) in answers.items()} == {
        path: (405, allow) for path, allow in ROUTES.items()
    }
    assert all(body.startswith(b"405 Method Not Allowed\n") for _, _, body in answers.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", [None, "/lent"])
def test_no_file_takes_them_that_the_front_server_chose(site: Path, method: str, route: str | None) -> None:
    gateway = create_app(site)
    status, allow, _ = answer(
        lambda environ, start: gateway.handle_script(environ, start, site.parent / "env.wasm", route), method, "/x.wasm"
    )
    assert (status, allow) == (405, USUAL)


@pytest.mark.parametrize("method", METHODS)
def test_a_wrapped_application_gets_those_for_its_own_paths(make_app: Callable[..., Gateway], method: str) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}".encode()]

    gateway = make_app({"/x": {"module": "hello"}}, app=app)
    assert answer(gateway, method, "/other") == (200, None, f"{method} /other".encode())
    assert answer(gateway, method, "/x")[0] == 405


def test_options_for_the_server_as_a_whole(make_app: Callable[..., Gateway]) -> None:
    """RFC 9110 9.3.7: it is about no path, so a route for every path does not take it."""
    gateway = make_app({"/": {"module": "hello"}})
    environ = EnvironBuilder("/").get_environ()
    environ |= {"REQUEST_METHOD": "OPTIONS", "PATH_INFO": "*", "RAW_URI": "*", "REQUEST_URI": "*"}
    body, status, fields = run_wsgi_app(gateway, environ, buffered=True)
    assert (status, b"".join(body), fields["Allow"], fields["Content-Length"]) == ("200 OK", b"", USUAL, "0")
    assert Client(gateway).open("/", method="OPTIONS").data.startswith(b"hello")


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "TRACK"])
def test_no_route_can_ask_for_them(tmp_path: Path, method: str) -> None:
    text = f"routes: {{/x: {{module: x.wasm, methods: [GET, {method}]}}}}"
    with pytest.raises(ConfigError, match=f"'{method}' is never given to a guest"):
        parse_config(text.encode(), tmp_path / "site.yaml")
