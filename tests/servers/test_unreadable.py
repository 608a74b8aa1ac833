"""A file that the server may not read is a 403, and the log says which one, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .apache import include, runs_as_other_user
from .client import get
from .fixtures import FRAGMENTS, serve
from .server import Server
from .test_entries_serve import put

# What is asked for, and what the log says if Apache's children are another user than we are.
CLOSED = {
    "/app/closed": "closed.wat: may not be read by user www-data: mode 0600, owner root:root",
    "/app/inside": "/private may not be entered by user www-data: mode 0700, owner root:root",
    "/app/cgi/closed.wasm": "closed.wasm: may not be read by user www-data: mode 0600, owner root:root",
    "/app/cgi/private/x.wasm": "/private may not be entered by user www-data: mode 0700, owner root:root",
    "/closed.wasm": "closed.wasm: may not be read by user www-data: mode 0600, owner root:root",
}

SITE = """
routes:
  /closed: {module: cgi/closed.wat}
  /inside: {module: cgi/private/x.wasm}
  /cgi: {directory: cgi}
"""


@pytest.fixture(scope="module")
def apache(open_module_tmp: Path) -> Iterator[Server]:
    tmp = open_module_tmp
    for name in ("cgi/closed.wat", "cgi/closed.wasm", "cgi/private/x.wasm", "www/closed.wasm"):
        put(tmp / name).chmod(0o600)
    (tmp / "cgi" / "private").chmod(0o700)
    config = tmp / "site.yaml"
    config.write_text(SITE, encoding="utf-8")
    text = f'Define WSGI_WASM_DOCROOT "{tmp}/www"\n{include(FRAGMENTS / "wsgi-wasm-handler.conf")}'
    with serve("mod_wsgi-daemon", config, tmp, mount="/app", docroot=tmp / "www", apache_text=text) as running:
        yield running


@pytest.mark.parametrize("path", CLOSED)
def test_what_the_server_may_not_read(apache: Server, path: str) -> None:
    status = get(apache.address, path).status
    if not runs_as_other_user():
        assert status in (200, 503)  # all of it is ours
        return
    assert status == 403
    apache.wait_for_log(CLOSED[path].partition(" may ")[0].rpartition("/")[2])
    lines = [line for line in apache.log().splitlines() if CLOSED[path] in line]
    assert lines, apache.log()[-3000:]
    assert any("[wsgi:warn]" in line for line in lines)


def test_it_is_read_as_soon_as_it_may_be(apache: Server, open_module_tmp: Path) -> None:
    later = put(open_module_tmp / "www" / "later.wasm")
    later.chmod(0o600)
    if runs_as_other_user():
        assert get(apache.address, "/later.wasm").status == 403
    later.chmod(0o644)
    assert get(apache.address, "/later.wasm").status in (200, 503)
