"""A guest that is a snapshot of a program which knew of one directory, `/`, sees all that its route grants."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import frozen
from swapping import put_link, swapping

SECRET = "secret"

DIRS = {"/a": "a", "/srv/data": "data", "/srv/data/deep/one": "one", "/b": "b"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Directories of a route, and secret/ beside them."""
    for folder in (*DIRS.values(), SECRET, "data/sub/low", "data/deep"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for folder in (*DIRS.values(), SECRET):
        (tmp_path / folder / "file").write_text(folder)
    (tmp_path / "data/sub/file").write_text("sub")
    (tmp_path / "data/sub/low/file").write_text("low")
    (tmp_path / "data/down").symlink_to("sub/low")
    (tmp_path / "data/out").symlink_to(f"../{SECRET}")
    (tmp_path / "data/root").symlink_to("/")
    (tmp_path / "data/up").symlink_to("..")
    return tmp_path


@pytest.fixture
def client(make_client: SiteMaker, tree: Path) -> Client:
    dirs = {guest: {"path": str(tree / path), "writable": guest != "/a"} for guest, path in DIRS.items()}
    return make_client({"/x": {"module": str(frozen("frozen")), "dirs": dirs}})


# query: what the guest says
READS = {
    "op=read&path=/a/file": "<a>\nread OK",
    "op=read&path=/srv/data/file": "<data>\nread OK",
    "op=read&path=/b/file": "<b>\nread OK",
    "op=read&path=//srv///data//./file": "<data>\nread OK",
    "op=read&path=/srv/data/../../b/file": "<b>\nread OK",
    "op=read&path=/srv/../../../b/file": "<b>\nread OK",
    "op=read&path=/srv/data/sub/../file": "<data>\nread OK",
    "op=read&path=/srv/data/sub/low/../file": "<sub>\nread OK",
    "op=read&path=/srv/data/sub/low/../../../../a/file": "<a>\nread OK",
    "op=read&path=/srv/data/deep/one/file": "<one>\nread OK",
    "op=read&path=/srv/data/deep/one/../../file": "<data>\nread OK",
    "op=read&path=/srv/data/deep/one/../one/../../sub/file": "<sub>\nread OK",
    "op=read&path=/srv/data/down/file": "<low>\nread OK",
    "op=read&path=/srv/data/down/../file": "<sub>\nread OK",
    "op=read&path=/srv/data/down/../../file": "<data>\nread OK",
    "op=read&path=/srv/data/down/../../../../a/file": "read EPERM",
    "op=read&path=/srv/data/file/": "read ENOTDIR",
    "op=read&path=/srv/data/file/.": "read ENOTDIR",
    "op=read&path=/srv/data/file/..": "read ENOTDIR",
    "op=read&path=/srv/data/nothing/../../../a/file": "read ENOENT",
    "op=read&path=/srv/data/nothing": "read ENOENT",
    "op=read&path=/nothing": "read ENOENT",
    "op=read&path=/nothing/../a/file": "read ENOENT",
    "op=read&path=/etc/passwd": "read ENOENT",
    "op=read&path=/srv/nothing/file": "read ENOENT",
    "op=read&path=/srv/data/out/file": "read EPERM",
    "op=read&path=/srv/data/root/etc/passwd": "read EPERM",
    f"op=read&path=/srv/data/up/{SECRET}/file": "read EPERM",
    f"op=read&path=/srv/data/../{SECRET}/file": "read ENOENT",
    f"op=read&path=/srv/data/sub/../../{SECRET}/file": "read ENOENT",
    "op=read&path=/": "read EBADF",
    "op=read&path=/srv": "read EBADF",
    "op=read&path=/a": "read EBADF",
    "op=stat&path=/": "<directory 0>\nstat OK",
    "op=stat&path=/srv/": "<directory 0>\nstat OK",
    "op=stat&path=/srv/data/file": "<file 4>\nstat OK",
    "op=stat&path=/srv/data/deep": "STAT",
    "op=stat&path=/srv/nothing": "stat ENOENT",
    "op=same&path=/": "<same>\nsame OK",
    "op=same&path=/srv": "<same>\nsame OK",
    "op=same&path=/srv/data": "<same>\nsame OK",
    "op=same&path=/srv/data/deep": "<same>\nsame OK",
    "op=from&path=/&to=a/file": "<a>\nfrom OK",
    "op=from&path=/srv&to=data/file": "<data>\nfrom OK",
    "op=from&path=/srv&to=../b/file": "<b>\nfrom OK",
    "op=from&path=/srv/data&to=file": "<data>\nfrom OK",
    "op=from&path=/srv/data&to=../../b/file": "<b>\nfrom OK",
    "op=from&path=/srv/data/deep&to=one/file": "<one>\nfrom OK",
    "op=from&path=/srv/data/sub&to=file": "<sub>\nfrom OK",
    "op=from&path=/srv/data/sub&to=../../../a/file": "from EPERM",
    "op=readlink&path=/srv/data/down": "<sub/low>\nreadlink OK",
    "op=readlink&path=/srv": "readlink EINVAL",
    "op=readlink&path=/srv/data": "readlink EINVAL",
    "op=readlink&path=/x": "readlink ENOENT",
}

LISTS = {
    "/": ["a", "b", "srv"],
    "/srv": ["data"],
    "/a": ["file"],
    "/srv/data": ["deep", "down", "file", "out", "root", "sub", "up"],
    "/srv/data/deep": ["one"],
    "/srv/data/deep/one/..": ["one"],
    "/srv/data/sub": ["file", "low"],
}

WRITES = {
    "op=create&path=/b/new&text=x": ("create OK", "b/new"),
    "op=create&path=/srv/data/sub/new": ("create OK", "data/sub/new"),
    "op=create&path=/srv/data/../../b/new": ("create OK", "b/new"),
    "op=append&path=/b/file&text=x": ("append OK", ""),
    "op=rdwr&path=/b/file": ("rdwr OK", ""),
    "op=create&path=/a/new": ("create EPERM", ""),
    "op=create&path=/new": ("create EROFS", ""),
    "op=create&path=/srv/new": ("create EROFS", ""),
    "op=create&path=/srv": ("create EISDIR", ""),
    "op=exclusive&path=/srv": ("exclusive EEXIST", ""),
    "op=write&path=/srv": ("write EISDIR", ""),
    "op=mkdir&path=/new": ("mkdir EROFS", ""),
    "op=mkdir&path=/new/": ("mkdir EROFS", ""),
    "op=mkdir&path=/srv": ("mkdir EEXIST", ""),
    "op=mkdir&path=/srv/data": ("mkdir EEXIST", ""),
    "op=mkdir&path=/": ("mkdir EEXIST", ""),
    "op=mkdir&path=/b/new/": ("mkdir OK", "b/new"),
    "op=rmdir&path=/srv": ("rmdir EBUSY", ""),
    "op=rmdir&path=/b": ("rmdir EBUSY", ""),
    "op=rmdir&path=/new": ("rmdir ENOENT", ""),
    "op=unlink&path=/srv": ("unlink EISDIR", ""),
    "op=unlink&path=/srv/data": ("unlink EISDIR", ""),
    "op=unlink&path=/new": ("unlink ENOENT", ""),
    "op=utimes&path=/srv": ("utimes EROFS", ""),
    "op=utimes&path=/b": ("utimes OK", ""),
    "op=utimes&path=/new": ("utimes ENOENT", ""),
    "op=symlink&path=/new&to=b": ("symlink EROFS", ""),
    "op=symlink&path=/b&to=a": ("symlink EEXIST", ""),
    "op=symlink&path=/b/new&to=file": ("symlink OK", "b/new"),
    "op=rename&path=/b/file&to=/b/new": ("rename OK", "b/new"),
    "op=rename&path=/b/file&to=/srv/data/new": ("rename OK", "data/new"),
    "op=rename&path=/b/file&to=/srv/data/sub/../new": ("rename OK", "data/new"),
    "op=rename&path=/b/file&to=/new": ("rename EROFS", ""),
    "op=rename&path=/b/file&to=/srv": ("rename EBUSY", ""),
    "op=rename&path=/b&to=/c": ("rename EBUSY", ""),
    "op=rename&path=/new&to=/b/new": ("rename ENOENT", ""),
    "op=rename&path=/b/file&to=/a/new": ("rename EPERM", ""),
    "op=link&path=/b/file&to=/b/new": ("link OK", "b/new"),
    "op=link&path=/b/file&to=/new": ("link EROFS", ""),
    "op=link&path=/b/file&to=/srv": ("link EEXIST", ""),
    "op=link&path=/srv&to=/b/new": ("link EPERM", ""),
    "op=link&path=/new&to=/b/new": ("link ENOENT", ""),
}


@pytest.mark.parametrize(("query", "said"), READS.items())
def test_reads(client: Client, tree: Path, query: str, said: str) -> None:
    answer = client.get(f"/x?{query}")
    if said == "STAT":
        said = f"<directory {(tree / 'data/deep').stat().st_size}>\nstat OK"
    assert answer.text.strip() == said


@pytest.mark.parametrize(("path", "names"), LISTS.items())
def test_lists(client: Client, path: str, names: list[str]) -> None:
    answer = client.get(f"/x?op=list&path={path}")
    assert sorted(answer.text.split()[:-2]) == sorted(f"<{name}>" for name in [".", "..", *names])
    inodes = client.get(f"/x?op=inodes&path={path}")
    assert "other" not in inodes.text


@pytest.mark.parametrize(("query", "said"), WRITES.items())
def test_writes(client: Client, tree: Path, query: str, said: tuple[str, str]) -> None:
    assert client.get(f"/x?{query}").text.strip() == said[0]
    if said[1]:
        assert (tree / said[1]).exists() or (tree / said[1]).is_symlink()


def test_one_that_asks(make_client: SiteMaker, tree: Path) -> None:
    """It sees what every other guest does: its C library knows no directory above these."""
    client = make_client({"/x": {"module": "frozen", "dirs": {"/srv/data": str(tree / "data")}}})
    assert "<data>" in client.get("/x?op=read&path=/srv/data/file").text
    assert client.get("/x?op=stat&path=/srv").text.strip() == "stat ENOENT"


def test_one_without_directories(make_client: SiteMaker) -> None:
    client = make_client({"/x": {"module": str(frozen("frozen"))}})
    assert client.get("/x?op=stat&path=/").text.strip() == "<directory 0>\nstat OK"
    assert client.get("/x?op=stat&path=/etc").text.strip() == "stat ENOENT"
    assert client.get("/x?op=list&path=/").text.strip().startswith("list E")


@pytest.mark.in_process
def test_links_that_are_swapped_all_the_time(client: Client, tree: Path) -> None:
    """Whatever stands at a name when `..` is taken, and when the path is opened."""
    target = tree / "data/swapped"
    target.mkdir()
    (target / "file").write_text("granted")
    link = put_link(tree / "data/link", tree / SECRET)
    queries = [f"/x?op=read&path=/srv/data/swapped/{rest}" for rest in ("file", "../sub/file", f"../../{SECRET}/file")]
    answers = set()
    with swapping(target, link):
        for _ in range(100):
            answers |= {client.get(query).text.strip() for query in queries}
    errors = {f"read {name}" for name in ("EPERM", "ENOENT", "ENOTDIR", "ELOOP")}
    assert answers <= {"<granted>\nread OK", "<sub>\nread OK", *errors}


LONG = {
    "a/" * 2100: "ENAMETOOLONG",
    "srv/../" * 500 + "b/file": "OK",
    "srv/data/" + "sub/../" * 400 + "file": "OK",
    "srv/data/" + "./" * 1500 + "file": "OK",
    "/" * 3000 + "b/file": "OK",
    "b/" + "x" * 300: "ENAMETOOLONG",
    "srv/data/deep/" + "y/" * 2038: "ENOENT",
}


@pytest.mark.parametrize("path", LONG)
def test_long_paths(client: Client, path: str) -> None:
    assert client.get(f"/x?op=read&path=/{path}").text.split()[-1] == LONG[path]
