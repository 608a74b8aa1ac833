"""Links such as `current`, which are changed while a site is served: all paths move together, but only where the
administrator has changed the link."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import NEEDS_ROOT, SiteMaker
from guests.build import guest
from wsgi_wasm.files.links import followed

TENANT, OTHER = 54321, 54322
READ = "op=read&path=/data/file"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request looks where paths lead, and modules at their files."""
    monkeypatch.setattr("wsgi_wasm.app._RELOAD_EVERY", 0.0)
    monkeypatch.setattr("wsgi_wasm.engine.module.RECHECK", 0.0)


def release(tmp_path: Path, number: int) -> None:
    """releases/N/ with a directory of data, one of programs, one of workers, and a module."""
    folder = tmp_path / "releases" / str(number)
    for name in ("data", "cgi/sub", "workers"):
        (folder / name).mkdir(parents=True)
    (folder / "data" / "file").write_text(f"release {number}")
    name = ("args", "env")[number % 2]
    for place in ("module.wasm", "cgi/x.wasm", "workers/w.wasm"):
        shutil.copyfile(
            guest("files" if place == "module.wasm" else "worker" if "w." in place else name), folder / place
        )
    shutil.copyfile(guest(name), folder / "cgi" / f"only{number}.wasm")
    (folder / "cgi" / "a.script").write_text("")


def switch(link: Path, target: str, owner: int | None = None) -> None:
    """As `ln -sfn` with a rename does it."""
    new = link.with_name("new")
    new.symlink_to(target)
    if owner is not None:
        os.lchown(new, owner, owner)
    new.rename(link)


@pytest.fixture
def site(tmp_path: Path) -> dict[str, Any]:
    for number in (1, 2):
        release(tmp_path, number)
    (tmp_path / "current").symlink_to("releases/1")
    files, current = str(guest("files")), tmp_path / "current"
    return {
        "/dirs": {"module": files, "dirs": {"/data": str(current / "data")}},
        "/module": {"module": str(current / "module.wasm"), "dirs": {"/data": str(current / "data")}},
        "/cgi": {
            "directory": str(current / "cgi"),
            "interpreters": {".script": {"module": files, "dirs": {"/data": str(current / "data")}}},
        },
        "/app": {"directory": str(current / "workers"), "interface": "wws"},
    }


def seen(client: Client) -> set[str]:
    """The releases that answers are of, by every kind of path."""
    texts = [client.get(f"{path}?{READ}").text for path in ("/dirs", "/module", "/cgi/a.script")]
    found = {line for text in texts for line in text.splitlines() if line.startswith("release")}
    own = {number for number in (1, 2) if client.get(f"/cgi/only{number}.wasm").status_code == 200}
    return found | {f"release {number}" for number in own}


@pytest.mark.parametrize("target", ["releases/2", "{tmp}/releases/2", "./releases/../releases/2"])
def test_all_paths_move_together(make_client: SiteMaker, tmp_path: Path, site: dict[str, Any], target: str) -> None:
    client = make_client(site)
    assert seen(client) == {"release 1"}
    switch(tmp_path / "current", target.format(tmp=tmp_path))
    assert seen(client) == {"release 2"}
    assert client.get("/app/w").status_code == 200
    switch(tmp_path / "current", "releases/1")
    shutil.rmtree(tmp_path / "releases" / "2")
    assert seen(client) == {"release 1"}


def test_a_link_that_is_not_there_for_a_moment(make_client: SiteMaker, tmp_path: Path, site: dict[str, Any]) -> None:
    client = make_client(site)
    assert seen(client) == {"release 1"}
    for target in ("nowhere", "current", "releases/1/data/file"):
        switch(tmp_path / "current", target)
        assert seen(client) <= {"release 1"}, target
    (tmp_path / "current").unlink()
    assert "release 1" in client.get(f"/dirs?{READ}").text
    (tmp_path / "current").symlink_to("releases/2")
    assert seen(client) == {"release 2"}


def test_a_directory_becomes_a_link(make_client: SiteMaker, tmp_path: Path, site: dict[str, Any]) -> None:
    (tmp_path / "current").unlink()
    (tmp_path / "releases" / "1").rename(tmp_path / "current")
    client = make_client(site)
    assert seen(client) == {"release 1"}
    (tmp_path / "current").rename(tmp_path / "releases" / "1")
    switch(tmp_path / "current", "releases/2")
    assert seen(client) == {"release 2"}


def test_a_move_that_the_file_could_not_say(
    make_client: SiteMaker, tmp_path: Path, site: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The new place is one that another guest may write to: the old one stays."""
    shutil.copytree(tmp_path / "releases" / "2", tmp_path / "out" / "2")
    writer = {"module": str(guest("files")), "dirs": {"/out": {"path": str(tmp_path / "out"), "writable": True}}}
    client = make_client({**site, "/writer": writer})
    assert seen(client) == {"release 1"}
    switch(tmp_path / "current", "out/2")
    assert "release 1" in client.get(f"/dirs?{READ}").text
    assert client.get("/cgi/only1.wasm").status_code == 200
    said = [record.getMessage() for record in caplog.records if "stays in use" in record.getMessage()]
    assert len(said) == 1, "said once"
    assert "is writable, but contains" in said[0]
    switch(tmp_path / "current", "releases/2")
    assert seen(client) == {"release 2"}


def tenants(tmp_path: Path, *, other: int = TENANT) -> None:
    """The folder with `current` is a tenant's, and release 2 somebody's."""
    for path in (tmp_path, tmp_path / "current", *(tmp_path / "releases").rglob("*"), tmp_path / "releases"):
        os.chown(path, TENANT, TENANT, follow_symlinks=False)
    for path in (tmp_path / "releases" / "2", *(tmp_path / "releases" / "2").rglob("*")):
        os.chown(path, other, other)


@NEEDS_ROOT
@pytest.mark.parametrize("owner", [TENANT, OTHER])
def test_links_of_a_tenant(
    make_client: SiteMaker, tmp_path: Path, site: dict[str, Any], owner: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A link leads to what its owner has, and nowhere else."""
    tenants(tmp_path, other=owner)
    client = make_client(site)
    switch(tmp_path / "current", "releases/2", TENANT)
    expected = {TENANT: "release 2", OTHER: "release 1"}[owner]
    assert f"{expected}" in client.get(f"/dirs?{READ}").text
    assert client.get(f"/cgi/only{expected[-1]}.wasm").status_code == 200
    if owner == OTHER:
        assert client.get("/cgi/only2.wasm").status_code == 404
        said = [record.getMessage() for record in caplog.records if "is not followed" in record.getMessage()]
        assert len(said) == 1, "for all paths together"
        assert f"is of user {TENANT}" in said[0]


@NEEDS_ROOT
@pytest.mark.parametrize("owner", [0, OTHER, TENANT])
def test_a_tenant_cannot_use_links_of_root(
    make_client: SiteMaker, tmp_path: Path, site: dict[str, Any], owner: int
) -> None:
    """Moved into a folder of the tenant's, a link of root's says what the tenant likes; so does one that a guest made,
    who is this process's user."""
    tenants(tmp_path, other=owner)
    client = make_client(site)
    switch(tmp_path / "current", "releases/2", 0)
    assert "release 1" in client.get(f"/dirs?{READ}").text
    assert client.get("/cgi/only2.wasm").status_code == 404


@NEEDS_ROOT
def test_a_tenants_link_behind_the_administrators(make_client: SiteMaker, tmp_path: Path, site: dict[str, Any]) -> None:
    """The administrator moves `current` to a release of the tenant's, in which the data are a link to another's."""
    shutil.rmtree(tmp_path / "releases" / "2" / "data")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("release 2")
    (tmp_path / "releases" / "2" / "data").symlink_to("../../secret")
    for path in (tmp_path / "releases" / "2", *(tmp_path / "releases" / "2").rglob("*")):
        os.chown(path, TENANT, TENANT, follow_symlinks=False)
    client = make_client(site)
    switch(tmp_path / "current", "releases/2", 0)
    assert "release 1" in client.get(f"/dirs?{READ}").text
    assert client.get("/cgi/only2.wasm").status_code == 200, "the other paths have moved"


def test_followed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name, target in {
        "l": "a",
        "a/up": "..",
        "loop": "loop",
        "abs": str(tmp_path / "l"),
        "dangling": "no/x",
    }.items():
        (tmp_path / name).symlink_to(target)
    for text in ("l/b", "l/up/a/b", "abs/b/..", "a/./b//", "dangling/y", "no/such", "l/../a", "abs/up/abs/up/l"):
        path = tmp_path / text
        assert str(followed(path).real) == os.path.realpath(path), text
    assert {Path(link.place).name for link in followed(tmp_path / "abs" / "up").links} == {"abs", "l", "up"}
    assert len(followed(tmp_path / "loop" / "x").links) == 1


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_folder_that_others_write_to(
    make_client: SiteMaker, tmp_path: Path, site: dict[str, Any], mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(site)
    tmp_path.chmod(mode)
    switch(tmp_path / "current", "releases/2")
    assert seen(client) >= {"release 1"}
    assert f"others can write to {tmp_path}" in caplog.text
    tmp_path.chmod(0o755)
    switch(tmp_path / "current", "releases/1")
    switch(tmp_path / "current", "releases/2")
    seen(client)
