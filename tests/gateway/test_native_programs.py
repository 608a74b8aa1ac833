"""`native: true`: what a route has no program for goes on to the wrapped application as it came."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from guests.build import guest
from wsgi_wasm import ConfigError, create_app

SITE = """\
routes:
  /cgi: {directory: programs, native: true}
  /exact: {directory: programs, native: true, exact: true}
  /one: {module: one.wasm, native: true, methods: [GET]}
  /workers: {directory: programs, native: true, interface: wws}
  /own: {directory: programs}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    programs = tmp_path / "programs"
    (programs / "sub").mkdir(parents=True)
    for copy in (programs / "env.wasm", programs / "sub" / "index.wasm"):
        shutil.copyfile(guest("env"), copy)
    (programs / "old.cgi").write_text("#!/bin/sh\n")
    (programs / ".hidden.wasm").write_bytes(b"")
    (programs / "out.wasm").symlink_to("/etc/passwd")
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path / "site.yaml"


def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Says what of the request it got."""
    names = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD")
    body = environ["wsgi.input"].read().decode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-From", "wrapped")])
    ours = sorted(name for name in environ if name.startswith("wsgi_wasm."))
    return [" ".join([*(environ[name] for name in names), body, *ours]).encode()]


# A request, and what the wrapped application says, None where the route answers itself.
REQUESTS: dict[tuple[str, str], str | None] = {
    ("GET", "/cgi/env.wasm/x?q"): None,
    ("POST", "/cgi/env.wasm"): None,
    ("GET", "/cgi/sub/"): None,
    ("GET", "/cgi/sub"): None,  # a redirect to the slash
    ("GET", "/cgi/old.cgi/x?q"): "/mount /cgi/old.cgi/x q GET body",
    ("POST", "/cgi/old.cgi"): "/mount /cgi/old.cgi  POST body",
    ("TRACE", "/cgi/old.cgi"): "/mount /cgi/old.cgi  TRACE body",
    ("GET", "/cgi/"): "/mount /cgi/  GET body",
    ("GET", "/cgi"): "/mount /cgi  GET body",
    ("GET", "/cgi/none"): "/mount /cgi/none  GET body",
    ("GET", "/cgi/.hidden.wasm"): "/mount /cgi/.hidden.wasm  GET body",
    ("GET", "/cgi/out.wasm"): "/mount /cgi/out.wasm  GET body",
    ("GET", "/cgi/../x"): "/mount /cgi/../x  GET body",
    ("GET", "/one"): "/mount /one  GET body",
    ("POST", "/one"): "/mount /one  POST body",
    ("GET", "/workers/none"): "/mount /workers/none  GET body",
    ("GET", "/own/old.cgi"): None,
}


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_what_is_passed_on(site: Path, method: str, path: str) -> None:
    expected = REQUESTS[method, path]
    environ = EnvironBuilder(path, method=method, data=b"body", base_url="http://x/mount/").get_environ()
    parts, status, fields = run_wsgi_app(create_app(site, wrapped), environ)
    body = b"".join(parts).decode()
    assert (fields.get("X-From") == "wrapped") == (expected is not None), (status, body)
    if expected is not None:
        assert body == expected


def test_a_module_that_comes_and_goes(site: Path) -> None:
    """With its file, a program moves, and goes back without it."""
    client = Client(create_app(site, wrapped))
    module = site.with_name("one.wasm")
    assert client.get("/one").headers.get("X-From") == "wrapped"
    shutil.copyfile(guest("env"), module)
    assert "X-From" not in client.get("/one").headers
    module.unlink()
    assert client.get("/one").headers.get("X-From") == "wrapped"


def test_a_server_without_an_application(site: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        create_app(site)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(
        f"{site}:2:1: route /cgi has `native: true`, but nothing is there to pass requests on to"
    )


def test_serve(site: Path) -> None:
    argv = [sys.executable, "-m", "wsgi_wasm", "serve", str(site), "--bind", "127.0.0.1:1"]
    ran = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (ran.returncode, "wsgi-wasm apache enable" in ran.stderr) == (1, True), ran.stderr


def test_a_reload(site: Path) -> None:
    """A mistake like others: the configuration in use stays."""
    site.write_text("reload: true\nroutes: {/own: {directory: programs}}\n")
    gateway = create_app(site)
    site.write_text("reload: true\nroutes: {/other: {directory: programs, native: true}}\n")
    gateway._look_at = 0.0
    assert Client(gateway).get("/own/env.wasm").status_code in (200, 503)
    assert [route.name for route in gateway.config.routes] == ["/own"]
