"""A directory that a guest is granted is never another one, whoever swaps what on the way to it, and when."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import guest
from swapping import put_link, swapping
from wsgi_wasm import create_app
from wsgi_wasm.files import beneath, by_path

READ = "/x?op=read&path=/data/file"
SECRET = "secret"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """srv/tenant/data/ with a file, and secret/ beside srv with another one of that name."""
    for folder, content in (("srv/tenant/data", "granted"), ("srv/tenant/data-2", "second"), (SECRET, SECRET)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text(content)
    (tmp_path / SECRET / "data").symlink_to(".")
    return tmp_path


@pytest.fixture(params=["as it is", "without openat2", "without /proc", "without either"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(directory: int, name: bytes, flags: int) -> int:
        raise OSError(38, "Function not implemented")

    if request.param in ("without openat2", "without either"):
        monkeypatch.setattr(beneath, "_openat2", refused)
    if request.param in ("without /proc", "without either"):
        monkeypatch.setattr(by_path, "_has_proc", lambda: False)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request looks where paths lead, if a tenant's links can be told from the administrator's."""
    monkeypatch.setattr("wsgi_wasm.app._RELOAD_EVERY", 0.0 if os.geteuid() == 0 else 3600.0)


def granted(make_client: SiteMaker, tree: Path, path: str = "srv/tenant/data", writable: bool = False) -> Client:
    dirs = {"/data": {"path": str(tree / path), "writable": writable}}
    return make_client({"/x": {"module": "files", "dirs": dirs}})


def swap(path: Path, target: Path) -> None:
    """A link in the place of a directory, as who may write above it can put there."""
    path.rename(path.with_name("aside"))
    put_link(path, target)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("swapped", ["srv/tenant/data", "srv/tenant"])
def test_swapped_after_the_site_was_loaded(
    make_client: SiteMaker, tree: Path, swapped: str, writable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    client = granted(make_client, tree, writable=writable)
    assert "granted" in client.get(READ).text
    swap(tree / swapped, tree / SECRET)
    assert (tree / "srv/tenant/data/file").read_text() == SECRET
    for query in ("op=read&path=/data/file", "op=list&path=/data", "op=write&path=/data/file&text=x"):
        answer = client.get(f"/x?{query}")
        assert (answer.status_code, SECRET in answer.text) == (503, False)
    assert (tree / SECRET / "file").read_text() == SECRET
    assert "a symbolic link has been put in its place" in caplog.text
    (tree / swapped).unlink()
    (tree / swapped).with_name("aside").rename(tree / swapped)
    assert "granted" in client.get(READ).text


@pytest.mark.usefixtures("kernel")
def test_links_that_the_administrator_has_set(make_client: SiteMaker, tree: Path) -> None:
    """They are followed when the site is read, whoever put them there; later ones of a tenant's are not."""
    (tree / "current").symlink_to("srv/tenant")
    (tree / "srv/tenant/newest").symlink_to("data-2")
    client = granted(make_client, tree, "current/newest")
    assert "second" in client.get(READ).text
    (tree / "srv/tenant/newest").unlink()
    put_link(tree / "srv/tenant/newest", Path("data"))
    assert "second" in client.get(READ).text
    assert "granted" in granted(make_client, tree, "current/newest").get(READ).text


def test_a_directory_that_comes_later(make_client: SiteMaker, tree: Path) -> None:
    client = granted(make_client, tree, "srv/later")
    assert client.get(READ).status_code == 503
    put_link(tree / "srv/later", Path("tenant/data"))
    assert client.get(READ).status_code == 503
    (tree / "srv/later").unlink()
    shutil.copytree(tree / "srv/tenant/data", tree / "srv/later")
    assert "granted" in client.get(READ).text
    shutil.rmtree(tree / "srv/later")
    (tree / "srv/later").write_text("a file by now")
    assert client.get(READ).status_code == 503


def link_beside(path: Path, target: Path) -> Path:
    return put_link(path.with_name("link"), target)


@pytest.mark.in_process
@pytest.mark.usefixtures("kernel")
def test_swapped_all_the_time(make_client: SiteMaker, tree: Path) -> None:
    client = granted(make_client, tree)
    client.get(READ)
    answers = set()
    with swapping(tree / "srv/tenant/data", link_beside(tree / "srv/tenant/data", tree / SECRET)):
        for _ in range(300):
            answer = client.get(READ)
            answers.add((answer.status_code, "granted" in answer.text, SECRET in answer.text))
    assert answers <= {(200, True, False), (503, False, False)}


# Folders that a sidecar names ----------------------------------------------------------------------------------------


@pytest.fixture
def worker(tree: Path) -> Client:
    """A project whose one worker is the guest `files`, which its sidecar gives a folder."""
    project = tree / "project"
    (project / "sub").mkdir(parents=True)
    shutil.copytree(tree / "srv/tenant/data", project / "_data" / "deep")
    shutil.copytree(tree / "srv/tenant/data-2", project / "_other" / "deep")
    shutil.copyfile(guest("reads"), project / "sub" / "x.wasm")
    (project / "sub" / "x.toml").write_text('version = "1"\nfolders = [{from = "../_data/deep", to = "/d"}]\n', "utf-8")
    site = tree / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": {"/": {"directory": "project", "interface": "wws"}}}), "utf-8")
    return Client(create_app(site))


WORKER = "/sub/x"


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("swapped", ["_data/deep", "_data"])
def test_a_sidecars_folder_is_swapped(tree: Path, worker: Client, swapped: str) -> None:
    assert worker.get(WORKER).text == "granted"
    folder = tree / "project" / swapped
    (tree / SECRET / "deep").symlink_to(".")
    swap(folder, tree / SECRET)
    answer = worker.get(WORKER)
    assert (answer.status_code, SECRET in answer.text) == (503, False)
    # A link within the project is as good as what it leads to.
    folder.unlink()
    folder.symlink_to("_other" if swapped == "_data" else "../_other/deep")
    assert worker.get(WORKER).text == "second"


def test_the_project_itself_is_swapped(tree: Path, worker: Client) -> None:
    assert worker.get(WORKER).text == "granted"
    shutil.copytree(tree / "project", tree / "foreign", symlinks=True)
    (tree / "foreign/_data/deep/file").write_text(SECRET)
    swap(tree / "project", tree / "foreign")
    assert SECRET not in worker.get(WORKER).text


@pytest.mark.usefixtures("kernel")
def test_a_sidecars_folder_is_swapped_all_the_time(tree: Path, worker: Client) -> None:
    worker.get(WORKER)
    answers = set()
    with swapping(tree / "project/_data/deep", link_beside(tree / "project/_data/deep", tree / SECRET)):
        for _ in range(300):
            answer = worker.get(WORKER)
            answers.add((answer.status_code, answer.text if answer.status_code == 200 else ""))
    assert answers <= {(200, "granted"), (503, "")}


# Modules ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("interface", ["auto", "wws"])
def test_the_folder_of_a_script_is_swapped_all_the_time(
    make_client: SiteMaker, tree: Path, interface: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is another file run in its place, nor does it become what is known of this one."""
    monkeypatch.setattr("wsgi_wasm.engine.module.RECHECK", 0.0)
    own, foreign = ("args", "env") if interface == "auto" else ("reads", "worker")
    for folder, name in (("cgi/sub", own), (f"{SECRET}/sub", foreign)):
        (tree / folder).mkdir(parents=True)
        shutil.copyfile(guest(name), tree / folder / "x.wasm")
    client = make_client({"/": {"directory": str(tree / "cgi"), "interface": interface, "queue_timeout": "60s"}})
    path = "/sub/x.wasm" if interface == "auto" else "/sub/x"
    quiet = client.get(path)
    assert quiet.status_code == 200
    answers = set()
    with swapping(tree / "cgi/sub", link_beside(tree / "cgi/sub", tree / SECRET / "sub")):
        for _ in range(100):
            answer = client.get(path)
            answers.add((answer.status_code, answer.data if answer.status_code == 200 else b""))
    assert answers <= {(200, quiet.data), (404, b""), (503, b"")}


def test_a_modules_folder_is_swapped(make_client: SiteMaker, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgi_wasm.engine.module.RECHECK", 0.0)
    for folder, name in (("cgi/sub", "args"), (SECRET, "env")):
        (tree / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(guest(name), tree / folder / "x.wasm")
    client = make_client({"/": {"directory": str(tree / "cgi"), "queue_timeout": "60s"}})
    quiet = client.get("/sub/x.wasm").text
    assert "[" in quiet
    swap(tree / "cgi/sub", tree / SECRET)
    assert client.get("/sub/x.wasm").status_code == 404
    (tree / "cgi/sub").unlink()
    (tree / "cgi/aside").rename(tree / "cgi/sub")
    assert client.get("/sub/x.wasm").text == quiet
