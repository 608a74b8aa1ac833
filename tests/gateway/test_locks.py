"""Locks of guests are the host's own: a native program and a guest respect each other."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import guest

KINDS = ("flock", "fcntl", "lockf")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/file").write_text("0\n")
    (tmp_path / "data/link").symlink_to("file")
    return tmp_path


@pytest.fixture
def client(make_client: SiteMaker, tree: Path) -> Client:
    data = str(tree / "data")
    route = {"module": str(guest("locks")), "dirs": {"/data": {"path": data, "writable": True}}}
    return make_client(
        {"/x": route, "/short": {**route, "timeout": "300ms"}, "/read": {**route, "dirs": {"/data": data}}}
    )


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
lock = fcntl.LOCK_SH if sys.argv[3] == "shared" else fcntl.LOCK_EX
if sys.argv[2] == "flock":
    fcntl.flock(file, lock)
else:
    fcntl.lockf(file, lock, *map(int, sys.argv[4:]))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def native(path: Path, kind: str, shared: bool = False, part: tuple[int, int] = (0, 0)) -> Iterator[None]:
    """A native program has a lock; record locks on so many bytes from an offset on."""
    command = [sys.executable, "-c", HOLD, path, kind, "shared" if shared else "exclusive", *map(str, part)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.stdin.close()


def free(path: Path, kind: str) -> bool:
    """Whether no guest has a lock: those of this process would be in the way too, as they are of an open file."""
    with open(path, "r+b") as file:
        try:
            (fcntl.flock if kind == "flock" else fcntl.lockf)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_native_program_has_the_lock(client: Client, tree: Path, kind: str) -> None:
    for path in ("file", "link"):
        query = f"kind={kind}&path=/data/{path}"
        with native(tree / "data/file", kind):
            assert client.get(f"/x?op=try&{query}").text == "try EAGAIN\n"
            assert client.get(f"/short?op=count&{query}").status_code == 504
        assert client.get(f"/x?op=try&{query}").text == "try OK\n"
        assert free(tree / "data/file", kind)


def test_shared_locks(client: Client, tree: Path) -> None:
    for kind in ("flock", "fcntl"):
        with native(tree / "data/file", kind, shared=True):
            assert client.get(f"/x?op=try&kind={kind}").text == "try EAGAIN\n"
            assert client.get(f"/x?op=try&kind={kind}&type=shared").text == "try OK\n"


def test_both_kinds_do_not_see_each_other(client: Client, tree: Path) -> None:
    """As on the host."""
    with native(tree / "data/file", "flock"):
        assert client.get("/x?op=try&kind=fcntl").text == "try OK\n"


def test_what_is_in_the_way(client: Client, tree: Path) -> None:
    assert client.get("/x?op=test").text == "<free 0 0>\ntest OK\n"
    with native(tree / "data/file", "fcntl", shared=True):
        assert client.get("/x?op=test").text == "<read 0 0>\ntest OK\n"
    with native(tree / "data/file", "fcntl", part=(7, 3)):
        assert client.get("/x?op=test").text == "<written 3 7>\ntest OK\n"


@contextmanager
def held(client: Client, tree: Path, query: str) -> Iterator[None]:
    """A guest in a thread has a lock, until it is told to end."""
    answers: list[Any] = []
    query = f"/x?op=hold&until=/data/end&{query}"
    thread = threading.Thread(target=lambda: answers.append(client.get(query).text))
    thread.start()
    try:
        while thread.is_alive() and not (tree / "data/held").exists():
            time.sleep(0.001)
        yield
    finally:
        (tree / "data/end").touch()
        thread.join()
    assert answers == ["hold OK\n"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_guest_has_the_lock(client: Client, tree: Path, kind: str) -> None:
    file = tree / "data/file"
    with held(client, tree, f"kind={kind}"):
        assert not free(file, kind)
        assert client.get(f"/x?op=try&kind={kind}").text == "try EAGAIN\n"
        assert client.get(f"/short?op=count&kind={kind}").status_code == 504
    assert free(file, kind)


def test_a_file_that_is_renamed_keeps_its_lock(client: Client, tree: Path) -> None:
    """And one that comes in its place has none. So it is for one that is locked after it was renamed."""
    (tree / "data/other").write_text("0\n")
    with held(client, tree, "renamed=first&to=/data/new"):
        assert not free(tree / "data/new", "flock")
        (tree / "data/other").rename(tree / "data/file")
        assert client.get("/x?op=try").text == "try OK\n"
        assert client.get("/x?op=try&path=/data/new").text == "try EAGAIN\n"
    assert free(tree / "data/new", "flock")


def test_read_only_directories(client: Client, tree: Path) -> None:
    for path, mode in (("/data/file", "read"), ("/data", "read")):
        assert client.get(f"/read?op=try&path={path}&mode={mode}").text == "try OK\n"
    with native(tree / "data/file", "flock"):
        assert client.get("/read?op=try&mode=read").text == "try EAGAIN\n"
    assert client.get("/read?op=try&mode=read&kind=fcntl&type=shared").text == "try OK\n"
    assert client.get("/read?op=try&mode=read&kind=fcntl").text == "try EBADF\n"


MISUSES = {
    "operation": "EINVAL",
    "nothing": "EINVAL",
    "descriptor": "EBADF",
    "closed": "EBADF",
    "stream": "OK",
    "stream-record": "EINVAL",
    "type": "EINVAL",
    "negative": "EINVAL",
    "endless": "EOVERFLOW",
    "getfl": "OK",
    "unlock": "OK",
    "many": "ENOLCK",
}


@pytest.mark.parametrize("op", MISUSES)
def test_misuse(client: Client, op: str) -> None:
    for kind in ("flock", "fcntl"):
        assert client.get(f"/x?op={op}&kind={kind}").text == f"{op} {MISUSES[op]}\n"


@pytest.mark.in_process
def test_no_descriptor_is_left(client: Client, tree: Path) -> None:
    client.get("/x?op=many")
    before = len(os.listdir("/proc/self/fd"))
    with native(tree / "data/file", "flock"), native(tree / "data/link", "fcntl"):
        for kind in KINDS:
            for query in ("op=try", "op=many", "op=test", "op=unlock", "op=closed"):
                client.get(f"/x?{query}&kind={kind}")
            client.get(f"/short?op=count&kind={kind}")
    assert len(os.listdir("/proc/self/fd")) == before


def test_guests_count_together(client: Client, tree: Path) -> None:
    """In threads of one process: no number is lost."""
    for kind in KINDS:
        (tree / "data/file").write_text("0\n")
        threads = [threading.Thread(target=client.get, args=(f"/x?op=count&n=25&kind={kind}",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (tree / "data/file").read_text() == "150\n"
