"""Which path of a directory route runs which file, and what a path without its slash is answered with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from werkzeug.test import Client, EnvironBuilder

from conftest import SiteMaker
from guests.build import guest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """cgi/ with the guest `env` as index.wasm, in it and in folders with names that a URL has to escape."""
    for folder in ("", "sub", "größe test", "a?b%c", "empty"):
        (tmp_path / "cgi" / folder).mkdir()
        if folder != "empty":
            shutil.copyfile(guest("env"), tmp_path / "cgi" / folder / "index.wasm")
    shutil.copyfile(guest("env"), tmp_path / "cgi" / "x.wasm")
    return tmp_path / "cgi"


@pytest.fixture
def client(make_client: SiteMaker, tree: Path) -> Client:
    routes = {"/cgi-bin": {"directory": str(tree)}, "/exact": {"directory": str(tree), "exact": True}}
    return make_client({**routes, "/": {"directory": str(tree)}})


MOVED = {
    "/cgi-bin": "/cgi-bin/",
    "/cgi-bin/sub": "/cgi-bin/sub/",
    "/cgi-bin/sub?": "/cgi-bin/sub/",
    "/cgi-bin/sub?a=1&b=%2F%20+c": "/cgi-bin/sub/?a=1&b=%2F%20+c",
    "/cgi-bin/sub?//evil.example/": "/cgi-bin/sub/?//evil.example/",
    "/cgi-bin/gr%C3%B6%C3%9Fe%20test?x=ö": "/cgi-bin/gr%C3%B6%C3%9Fe%20test/?x=%C3%B6",
    "/cgi-bin/a%3Fb%25c": "/cgi-bin/a%3Fb%25c/",
    "/sub": "/sub/",
}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(("path", "location"), MOVED.items())
def test_a_directory_without_its_slash(client: Client, method: str, path: str, location: str) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.headers["Location"]) == (301, location)
    assert (answer.text == "") == (method == "HEAD")
    assert client.get(location).status_code == 200


def test_below_a_mount(client: Client) -> None:
    """And where the server gives a mount two slashes, the location names no other server."""
    for mount in ("/app", "//app"):
        builder = EnvironBuilder(path="/cgi-bin/sub", query_string="q", environ_overrides={"SCRIPT_NAME": mount})
        assert client.open(builder).headers["Location"] == "/app/cgi-bin/sub/?q"


STAYS = {
    "/cgi-bin/": 200,
    "/cgi-bin/sub/": 200,
    "/cgi-bin/sub/index.wasm": 200,
    "/cgi-bin/x.wasm": 200,
    "/cgi-bin/x.wasm/sub": 200,
    "/exact": 200,
    "/cgi-bin/empty": 404,
    "/cgi-bin/empty/": 404,
    "/cgi-bin/nothing": 404,
    "/cgi-bin/sub//": 404,
    "/cgi-bin//sub": 404,
    "//evil.example/sub": 404,
    "//sub": 404,
    "/cgi-bin/..": 404,
    "/cgi-bin/sub/..": 404,
}


@pytest.mark.parametrize(("path", "status"), STAYS.items())
def test_what_is_not_redirected(client: Client, path: str, status: int) -> None:
    answer = client.open(EnvironBuilder(path="/", environ_overrides={"PATH_INFO": path}))
    assert (answer.status_code, "Location" in answer.headers) == (status, False)
