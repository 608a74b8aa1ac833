"""Which files are programs, and what their authors may set, under real servers: directories and dropped-in files, with
guests in processes of their own and within walls."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import component, guest

from .client import get, request, wait_compiled
from .fixtures import serve, serve_docroot

SCRIPT = b"#!/usr/bin/env -S python3 -u\n"


def fill(folder: Path) -> None:
    """Programs with an old name, scripts told by their first line, and what is neither."""
    (folder / "sub").mkdir(parents=True)
    for name in ("counter.cgi", "args.wasm", "sub/args.wasm", "broken/args.wasm"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(guest("args"), folder / name)
    shutil.copyfile(component("http"), folder / "component.cgi")
    (folder / "größe test").write_bytes(SCRIPT)
    (folder / "sub" / "index").write_bytes(SCRIPT)
    (folder / "style.css").write_text("body{}")
    (folder / "sub" / "wsgi_wasm.yaml").write_text("args: [--fast]\nmethods: [GET]\n")
    (folder / "broken" / "wsgi_wasm.yaml").write_text("args: []\ntimeout: 1h\n")
    for path in folder.rglob("*"):
        path.chmod(0o755)
    for path in folder.rglob("wsgi_wasm.yaml"):
        path.chmod(0o644)


SETTINGS = {"programs": ["suffix", "magic"], "local": ["args", "timeout", "methods"], "queue_timeout": "60s"}


@pytest.mark.parametrize(
    ("name", "isolate", "harden"),
    [
        ("gunicorn-gthread", True, True),
        ("gunicorn-preload", False, False),
        ("mod_wsgi-daemon", False, True),
        ("mod_wsgi-daemon", True, False),
        ("mod_wsgi-embedded", False, False),
    ],
)
def test_directories(name: str, isolate: bool, harden: bool, open_tmp: Path) -> None:
    folder = open_tmp / "site" / "cgi-bin"
    fill(folder)
    shutil.copyfile(guest("args"), open_tmp / "site" / "interpreter.wasm")
    route: dict[str, Any] = {
        **SETTINGS,
        "directory": "cgi-bin",
        "programs": ["suffix", "magic", "shebang"],
        "interpreters": {"python3": "./interpreter.wasm"},
        "index": ["index"],
        "isolate": isolate,
    }
    site = open_tmp / "site" / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": {"/cgi-bin": route}, "harden": harden}))
    with serve(name, site, open_tmp) as server:
        for path in ("args.wasm", "component.cgi", "gr%C3%B6%C3%9Fe%20test"):
            wait_compiled(server.address, f"/cgi-bin/{path}")
        assert get(server.address, "/cgi-bin/counter.cgi/extra/path").status == 200
        assert "[/größe test]" in get(server.address, "/cgi-bin/gr%C3%B6%C3%9Fe%20test/x").text
        moved = get(server.address, "/cgi-bin/sub?a=b")
        assert moved.status == 301
        assert (moved.field("Location") or "").endswith("/cgi-bin/sub/?a=b")
        assert "[/sub/index]\n[--fast]" in get(server.address, "/cgi-bin/sub/").text
        for path in ("style.css", "sub/wsgi_wasm.yaml", "nothing"):
            assert get(server.address, f"/cgi-bin/{path}").status == 404
        assert "[--fast]" in get(server.address, "/cgi-bin/sub/args.wasm").text
        assert request(server.address, "POST", "/cgi-bin/sub/args.wasm", body=b"x").status == 405
        assert get(server.address, "/cgi-bin/broken/args.wasm").status == 500
        server.wait_for_log("broken/wsgi_wasm.yaml:2:1: timeout: is more than the 25s of the route")
        assert get(server.address, "/cgi-bin/args.wasm").status == 200


def test_dropped_in_files(open_tmp: Path) -> None:
    docroot = open_tmp / "htdocs"
    fill(docroot)
    site = open_tmp / "site.yaml"
    site.write_text(yaml.safe_dump({"handler": SETTINGS}))
    text = '<FilesMatch "\\.(cgi|css)$">\nSetHandler wsgi-wasm-guest\n</FilesMatch>'
    with serve_docroot(docroot, open_tmp, site=site, text=text) as server:
        wait_compiled(server.address, "/args.wasm")
        assert get(server.address, "/counter.cgi/x").status == 200
        assert get(server.address, "/style.css").status == 404
        assert "[--fast]" in get(server.address, "/sub/args.wasm").text
        assert get(server.address, "/broken/args.wasm").status == 500
        server.wait_for_log("broken/wsgi_wasm.yaml:2:1: timeout: is more than the 25s of the route")
        assert get(server.address, "/sub/wsgi_wasm.yaml").status == 403
