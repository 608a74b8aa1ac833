"""A release that is switched by changing a link, under real servers: without a reload, in each worker, for guests in
processes of their own too, and within walls that allow it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import guest

from .client import get, wait_compiled
from .fixtures import serve
from .process import wait_for

FILES = "op=read&path=/data/file"


def site(tmp: Path, **top: Any) -> Path:
    for number in (1, 2):
        folder = tmp / "releases" / str(number)
        for name in ("data", "cgi", "modules"):
            (folder / name).mkdir(parents=True)
        (folder / "data" / "file").write_text(f"release {number}")
        for name in ("cgi/files.wasm", "modules/files.wasm", f"cgi/only{number}.wasm"):
            shutil.copyfile(guest("files"), folder / name)
    (tmp / "current").symlink_to("releases/1")
    (tmp / "etc").mkdir()
    dirs = {"/data": "../current/data"}
    routes = {
        "/cgi": {"directory": "../current/cgi", "dirs": dirs},
        "/module": {"module": "../current/modules/files.wasm", "dirs": dirs},
        "/apart": {"directory": "../current/cgi", "dirs": dirs, "isolate": True},
    }
    path = tmp / "etc" / "site.yaml"
    path.write_text(yaml.safe_dump({"defaults": {"queue_timeout": "60s"}, "routes": routes, **top}), encoding="utf-8")
    return path


def switch(tmp: Path) -> None:
    (tmp / "new").symlink_to("releases/2")
    (tmp / "new").rename(tmp / "current")


PATHS = ("/cgi/files.wasm", "/module", "/apart/files.wasm")


@pytest.mark.parametrize(
    ("name", "top"),
    [
        ("gunicorn-gthread", {}),
        ("mod_wsgi-embedded", {}),
        ("mod_wsgi-daemon", {"harden": {"read": ["../releases"]}}),
        ("gunicorn-sync", {"harden": {"read": ["../releases"]}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_all_paths_of_all_workers(name: str, top: dict[str, Any], open_tmp: Path) -> None:
    with serve(name, site(open_tmp, **top), open_tmp) as server:
        for path in PATHS:
            wait_compiled(server.address, path)
            assert "release 1" in get(server.address, f"{path}?{FILES}").text
        switch(open_tmp)
        for path in PATHS:

            def is_new(path: str = path) -> bool:
                return all("release 2" in get(server.address, f"{path}?{FILES}").text for _ in range(8))

            wait_for(f"{path} to be of release 2", is_new)
        assert get(server.address, "/cgi/only2.wasm").status == 200
        assert get(server.address, "/cgi/only1.wasm").status == 404


def test_walls_that_do_not_allow_it(open_tmp: Path) -> None:
    with serve("gunicorn-sync", site(open_tmp, harden=True), open_tmp, workers=1) as server:
        wait_compiled(server.address, PATHS[0])
        switch(open_tmp)
        wait_for("the refusal", lambda: get(server.address, PATHS[0]).status == 200 and "(harden)" in server.log())
        assert f"{os.path.realpath(open_tmp)}/releases/2" in server.log()
        assert "release 1" in get(server.address, f"{PATHS[0]}?{FILES}").text
