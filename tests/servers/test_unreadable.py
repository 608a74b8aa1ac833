"""A file that the server may not read is a 403, and the log says which one, and whose it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .apache import Apache, Site, include, runs_as_other_user
from .client import get
from .fixtures import FRAGMENTS, fragment_defines, scripts, server_environ
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
def apache(open_module_tmp: Path) -> Iterator[Apache]:
    tmp = open_module_tmp
    for name in ("cgi/closed.wat", "cgi/closed.wasm", "cgi/private/x.wasm", "www/closed.wasm"):
        put(tmp / name).chmod(0o600)
    (tmp / "cgi" / "private").chmod(0o700)
    config = tmp / "site.yaml"
    config.write_text(SITE, encoding="utf-8")
    environ = {"WSGI_WASM_CONFIG": str(config), **server_environ("mod_wsgi-daemon", tmp, None, None)}
    whole = Site(
        text=include(FRAGMENTS / "wsgi-wasm.conf", FRAGMENTS / "wsgi-wasm-handler.conf"),
        scripts=scripts(tmp),
        docroot=tmp / "www",
        daemons=2,
        defines={**fragment_defines(), "WSGI_WASM_DOCROOT": str(tmp / "www")},
    )
    with Apache.start(whole, tmp, env=environ) as running:
        yield running


@pytest.mark.parametrize("path", CLOSED)
def test_what_the_server_may_not_read(apache: Apache, path: str) -> None:
    status = get(apache.address, path).status
    if not runs_as_other_user():
        assert status in (200, 503)  # all of it is ours
        return
    assert status == 403
    apache.wait_for_log(CLOSED[path].partition(" may ")[0].rpartition("/")[2])
    lines = [line for line in apache.log().splitlines() if CLOSED[path] in line]
    assert lines, apache.log()[-3000:]
    assert any("[wsgi:warn]" in line for line in lines)


def test_it_is_read_as_soon_as_it_may_be(apache: Apache) -> None:
    closed = apache.site.docroot
    assert closed is not None
    put(closed / "later.wasm").chmod(0o600)
    if runs_as_other_user():
        assert get(apache.address, "/later.wasm").status == 403
    os.chmod(closed / "later.wasm", 0o644)
    assert get(apache.address, "/later.wasm").status in (200, 503)
