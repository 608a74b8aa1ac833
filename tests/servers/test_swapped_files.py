"""Directories and scripts that a thread swaps for links as fast as it can, under real servers: nobody gets what lies
elsewhere. And pipes, which keep no thread."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import component_text, guest
from swapping import put_link, swapping

from .apache import give_to_server
from .client import get, wait_compiled
from .fixtures import serve

SECRET = "this is another's"


def site(tmp: Path) -> Path:
    for folder in ("srv/data", "project/_data", "cgi/sub", "secret", "pipes"):
        (tmp / folder).mkdir(parents=True)
    for file, text in (("srv/data/file", "own"), ("project/_data/file", "own"), ("secret/file", SECRET)):
        (tmp / file).write_text(text)
    for name, file in (("files", "files.wasm"), ("reads", "project/w.wasm"), ("hello", "hello.wasm"),
                       ("args", "cgi/sub/x.wasm"), ("env", "secret/x.wasm")):  # fmt: skip
        source = guest(name)
        shutil.copyfile(source, (tmp / file).with_suffix(source.suffix))
    (tmp / "project/w.toml").write_text('version = "1"\nfolders = [{from = "_data", to = "/d"}]\n')
    (tmp / "pipe.wat").write_text(component_text("files"))
    os.mkfifo(tmp / "pipes" / "file")
    hello = {"module": next(tmp.glob("hello.*")).name}
    routes: dict[str, Any] = {
        "/hello": hello,
        "/dirs": {"module": "files.wasm", "dirs": {"/data": "srv/data"}},
        "/pipe": {"module": "files.wasm", "dirs": {"/data": "pipes"}},
        "/component": {"module": "pipe.wat", "dirs": {"/data": "pipes"}, "timeout": "1s"},
        "/cgi": {"directory": "cgi"},
        "/app": {"directory": "project", "interface": "wws"},
    }
    path = tmp / "site.yaml"
    path.write_text(yaml.safe_dump({"defaults": {"queue_timeout": "60s"}, "routes": routes}), encoding="utf-8")
    give_to_server(tmp)
    return path


SWAPPED = {
    "srv/data": "/dirs?op=read&path=/data/file",
    "project/_data": "/app/w",
    "cgi/sub": "/cgi/sub/x.wasm",
}


@pytest.mark.parametrize("name", ["gunicorn-gthread", "mod_wsgi-daemon"])
def test_nothing_else_is_given(name: str, open_tmp: Path) -> None:
    with serve(name, site(open_tmp), open_tmp, ready="/hello") as server:
        for place, path in SWAPPED.items():
            wait_compiled(server.address, path)
            quiet = get(server.address, path).body
            link = put_link(open_tmp / place.replace("/", "-"), open_tmp / "secret")
            bodies = set()
            with swapping(open_tmp / place, link):
                for _ in range(100):
                    answer = get(server.address, path)
                    assert answer.status in (200, 404, 503)
                    bodies.add(answer.body if answer.status == 200 else b"")
            assert bodies <= {quiet, b""}, place
        assert get(server.address, "/pipe?op=read&path=/data/file").body.endswith(b"ENOTSUP\n")
        wait_compiled(server.address, "/component")
        assert [get(server.address, "/component").status for _ in range(3)] == [504] * 3
        assert get(server.address, "/hello").status == 200
