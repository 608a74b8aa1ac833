"""What guests can do with the directories that a route grants them, and with those that it does not."""

from __future__ import annotations

import logging
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from conftest import SiteMaker
from guests.build import guest
from guests.printed import variables
from swapping import swapping
from wsgi_wasm.engine.program import opening


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """data/ with a file, a link out of it and a link within; secret beside it."""
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "file").write_text("content")
    (data / "inside").symlink_to("file")
    (data / "out").symlink_to("../secret")
    (data / "up").symlink_to("..")
    (data / "etc").symlink_to("/etc")
    (tmp_path / "secret").write_text("secret")
    return tmp_path


def files(make_client: SiteMaker, tree: Path, writable: bool) -> Client:
    dirs: dict[str, Any] = {"/data": {"path": str(tree / "data"), "writable": writable}}
    return make_client({"/files": {"module": "files", "dirs": dirs}})


def done(response: TestResponse) -> bool:
    """The guest prints the operation and OK, or the name of the error."""
    assert response.status_code == 200
    return response.text.splitlines()[0].endswith(" OK")


def snapshot(tree: Path) -> dict[str, tuple[int, bytes, int]]:
    found = {}
    for path in sorted(tree.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (info.st_mode, content, info.st_mtime_ns)
    return found


CHANGES = [
    "op=write&path=/data/file&text=x",
    "op=append&path=/data/file&text=x",
    "op=create&path=/data/new",
    "op=truncate&path=/data/file",
    "op=unlink&path=/data/file",
    "op=mkdir&path=/data/new",
    "op=rmdir&path=/data/sub",
    "op=rename&path=/data/file&to=/data/other",
    "op=link&path=/data/file&to=/data/other",
    "op=symlink&path=/data/other&to=file",
    "op=utimes&path=/data/file",
]


@pytest.mark.parametrize("query", CHANGES)
def test_a_read_only_directory_cannot_be_changed(make_client: SiteMaker, tree: Path, query: str) -> None:
    client = files(make_client, tree, writable=False)
    before = snapshot(tree)
    assert not done(client.get("/files", query_string=query))
    assert snapshot(tree) == before, "a guest has changed something below a read-only directory"
    assert done(files(make_client, tree, writable=True).get("/files", query_string=query)), "or this proves nothing"


ESCAPES = [
    "/secret",
    "/data/../secret",
    "/data/sub/../../secret",
    "/data/out",
    "/data/out/",
    "/data/up/secret",
    "/data/up/../secret",
    "/data/etc/passwd",
    "/data//../secret",
    "/data/./../secret",
    "/etc/passwd",
    "../secret",
    "data/../../secret",
    "/proc/self/environ",
    "/data/sub/",
]


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("path", ESCAPES)
def test_a_directory_cannot_be_left(make_client: SiteMaker, tree: Path, path: str, writable: bool) -> None:
    client = files(make_client, tree, writable)
    before = (tree / "secret").read_text()
    for op in ("read", "write", "append", "truncate"):
        response = client.get("/files", query_string={"op": op, "path": path, "text": "overwritten"})
        assert not done(response), op
        assert "root:" not in response.text
    assert (tree / "secret").read_text() == before


def test_what_is_granted_works(make_client: SiteMaker, tree: Path) -> None:
    client = files(make_client, tree, writable=True)
    assert "content" in client.get("/files?op=read&path=/data/file").text
    assert "content" in client.get("/files?op=read&path=/data/inside").text
    assert done(client.get("/files?op=write&path=/data/file&text=fresher"))
    assert (tree / "data" / "file").read_text() == "fresher"
    reading = files(make_client, tree, writable=False)
    assert "fresher" in reading.get("/files?op=read&path=/data/file").text


def test_without_directories_there_is_no_file_system(make_client: SiteMaker) -> None:
    client = make_client({"/files": {"module": "files"}})
    for path in ("/", ".", "/etc/passwd", "/data/file"):
        assert not done(client.get("/files", query_string={"op": "read", "path": path}))


@pytest.fixture
def special(tree: Path) -> Iterator[Path]:
    """Pipes and a socket in data/, and links to them."""
    data = tree / "data"
    os.mkfifo(data / "pipe")
    os.mkfifo(data / "sub" / "pipe")
    (data / "to-pipe").symlink_to("sub/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data / "socket"))
        yield data


@pytest.mark.parametrize("path", ["pipe", "./pipe", "sub/pipe", "sub/../pipe", "to-pipe", "sub/../sub//pipe", "socket"])
@pytest.mark.parametrize("op", ["read", "write", "rdwr", "create", "append", "trunc"])
def test_what_is_neither_file_nor_directory_is_not_opened(
    make_client: SiteMaker, tree: Path, special: Path, path: str, op: str
) -> None:
    """A pipe would keep the thread for good: nothing interrupts a call of the host."""
    client = files(make_client, tree, writable=True)
    answer = client.get("/files", query_string={"op": op, "path": f"/data/{path}"})
    assert (answer.status_code, answer.text) == (200, f"{op} ENOTSUP\n")
    proof = client.get("/files", query_string={"op": op, "path": "/data/file"})
    assert proof.text.endswith(f"{op} OK\n"), "or this proves nothing"


def test_a_pipe_in_a_directory_that_has_moved(make_client: SiteMaker, tree: Path, special: Path) -> None:
    client = files(make_client, tree, writable=True)
    answer = client.get("/files?op=at&path=/data/sub&to=/data/moved&text=pipe")
    assert answer.text == "at ENOTSUP\n"
    assert (special / "moved" / "pipe").is_fifo()
    assert done(client.get("/files?op=at&path=/data/moved&to=/data/sub&text=../file")) is False


@pytest.mark.in_process
@pytest.mark.parametrize("op", ["read", "write"])
def test_a_pipe_that_is_put_there_in_between(
    make_client: SiteMaker, tree: Path, op: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at a file and Wasmtime's opening it, which then waits until it is interrupted."""
    looked = opening._is_plain

    def swapped(*arguments: Any) -> bool:
        if not looked(*arguments):
            return False
        (tree / "data" / "file").unlink()
        os.mkfifo(tree / "data" / "file")
        return True

    monkeypatch.setattr(opening, "_is_plain", swapped)
    client = files(make_client, tree, writable=True)
    assert client.get("/files", query_string={"op": op, "path": "/data/file"}).text == f"{op} ENOTSUP\n"


def test_a_file_and_a_pipe_that_change_places_all_the_time(make_client: SiteMaker, tree: Path) -> None:
    client = files(make_client, tree, writable=True)
    file, pipe = tree / "data/file", tree / "data/pipe"
    os.mkfifo(pipe)
    with swapping(file, pipe):
        answers = {client.get("/files?op=read&path=/data/file").text.splitlines()[-1] for _ in range(30)}
    assert answers <= {"read OK", "read ENOTSUP", "read ENOENT"}


def test_a_directory_that_is_missing_is_503(make_client: SiteMaker, tree: Path) -> None:
    client = make_client({"/files": {"module": "files", "dirs": {"/data": str(tree / "missing")}}})
    assert client.get("/files?op=read&path=/data/file").status_code == 503


def test_one_guest_cannot_take_all_descriptors(make_client: SiteMaker, tree: Path) -> None:
    client = make_client({"/x": {"module": "manyfds", "dirs": {"/data": str(tree / "data")}}})
    answer = client.get("/x?path=/data/file&most=100000")
    assert answer.status_code == 200
    assert answer.text.split() == ["256", "EMFILE"]


@pytest.mark.in_process
def test_descriptors_are_left_for_the_host(make_client: SiteMaker, tree: Path) -> None:
    """Under a low limit all guests together may hold half of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    client = make_client({"/x": {"module": "manyfds", "dirs": {"/data": str(tree / "data")}}})
    client.get("/x?path=/data/file&most=1")
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        answer = client.get("/x?path=/data/file&most=100000")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer.text.split() == ["150", "EMFILE"]


# --- directory routes ---


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    directory = tmp_path / "cgi-bin"
    (directory / "sub").mkdir(parents=True)
    for name in ("env.wasm", "index.wasm", "sub/deep.wasm", ".hidden.wasm", "run.txt", "caf\xe9.wasm"):
        (directory / name).write_bytes(guest("env").read_bytes())
    (tmp_path / "outside.wasm").write_bytes(guest("env").read_bytes())
    (directory / "leaves.wasm").symlink_to("../outside.wasm")
    (directory / "stays.wasm").symlink_to("env.wasm")
    (directory / "stays-absolute.wasm").symlink_to(directory / "sub" / "deep.wasm")
    (directory / "comes-back.wasm").symlink_to("../cgi-bin/env.wasm")
    (directory / "linked").symlink_to("sub")
    (directory / "self").symlink_to(".")
    (directory / "away").symlink_to("..")
    (directory / "dangles.wasm").symlink_to("nothing.wasm")
    (directory / "loops.wasm").symlink_to("loops.wasm")
    (directory / "folder.wasm").mkdir()
    return directory


SCRIPTS = {
    "/env.wasm": ("/cgi-bin/env.wasm", "", "/env.wasm"),
    "/env.wasm/": ("/cgi-bin/env.wasm", "/", "/env.wasm"),
    "/env.wasm/a//b/../c": ("/cgi-bin/env.wasm", "/a//b/../c", "/env.wasm"),
    "/sub/deep.wasm/x": ("/cgi-bin/sub/deep.wasm", "/x", "/sub/deep.wasm"),
    "/stays.wasm": ("/cgi-bin/stays.wasm", "", "/stays.wasm"),
    "/stays-absolute.wasm/x": ("/cgi-bin/stays-absolute.wasm", "/x", "/stays-absolute.wasm"),
    "/comes-back.wasm": ("/cgi-bin/comes-back.wasm", "", "/comes-back.wasm"),
    "/linked/deep.wasm": ("/cgi-bin/linked/deep.wasm", "", "/linked/deep.wasm"),
    "/": ("/cgi-bin/index.wasm", "", "/index.wasm"),
    "/caf%C3%A9.wasm": ("/cgi-bin/caf\xc3\xa9.wasm", "", "/caf\xc3\xa9.wasm"),
}

NOT_SERVED = [
    "/missing.wasm",
    "/run.txt",
    "/.hidden.wasm",
    "/sub",
    "/sub/",
    "/folder.wasm",
    "/leaves.wasm",
    "/loops.wasm",
    "/dangles.wasm",
    "/self/env.wasm",
    "/self",
    "/away/outside.wasm",
    "/../outside.wasm",
    "/sub/../env.wasm",
    "/%2e%2e/outside.wasm",
    "/./env.wasm",
    "//env.wasm",
    "/sub//deep.wasm",
    "/env.wasm%00",
    "/%00",
    "/..%5coutside.wasm",
    "/env.WASM",
    "/" + "a" * 5000,
    "/%FF%FE.wasm",
]


@pytest.mark.parametrize("path", SCRIPTS)
def test_scripts(make_client: SiteMaker, programs: Path, path: str) -> None:
    client = make_client({"/cgi-bin": {"directory": str(programs)}})
    response = client.get(f"/cgi-bin{path}")
    assert response.status_code == 200
    found = variables(response.data.decode("latin-1"))
    name, info, filename = SCRIPTS[path]
    assert (found["SCRIPT_NAME"], found["PATH_INFO"], found["SCRIPT_FILENAME"]) == (name, info, filename)


@pytest.mark.parametrize("path", NOT_SERVED)
def test_what_is_no_script_is_404(make_client: SiteMaker, programs: Path, path: str) -> None:
    client = make_client({"/cgi-bin": {"directory": str(programs)}})
    response = client.get(f"/cgi-bin{path}")
    assert response.status_code == 404
    assert str(programs) not in response.text


@pytest.mark.parametrize("name", ["x%0AFORGED", "env.wasm%0AFORGED", "x%1B%5B31m", "x%C2%9B31m", "sub/%E2%80%AEx"])
def test_a_path_forges_no_line_of_the_log(
    make_client: SiteMaker, programs: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    client = make_client({"/cgi-bin": {"directory": str(programs)}})
    with caplog.at_level(logging.DEBUG):
        assert client.get(f"/cgi-bin/{name}").status_code == 404
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("wsgi_wasm")]
    assert any("404" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_an_interpreter_sees_the_scripts_read_only(make_client: SiteMaker, tmp_path: Path) -> None:
    """The guest `files` stands in for an interpreter: it is told its script, and finds the directory as its root."""
    directory = tmp_path / "scripts"
    directory.mkdir()
    (directory / "hello.py").write_text("print()")
    interpreter = {"module": str(guest("args")), "args": ["-x", "{script}"]}
    route = {"directory": str(directory), "interpreters": {".py": interpreter}}
    assert make_client({"/s": route}).get("/s/hello.py/info").text.splitlines()[2:] == ["[-x]", "[/hello.py]"]
    route["interpreters"] = {".py": {"module": str(guest("files"))}}
    client = make_client({"/s": route})
    assert "print()" in client.get("/s/hello.py?op=read&path=/hello.py").text
    assert not done(client.get("/s/hello.py?op=write&path=/hello.py&text=x"))
    assert (directory / "hello.py").read_text() == "print()"


def test_scripts_that_appear_and_go(make_client: SiteMaker, programs: Path) -> None:
    client = make_client({"/cgi-bin": {"directory": str(programs)}})
    assert client.get("/cgi-bin/new.wasm").status_code == 404
    (programs / "new.wasm").write_bytes(guest("env").read_bytes())
    assert client.get("/cgi-bin/new.wasm").status_code == 200
    os.unlink(programs / "new.wasm")
    assert client.get("/cgi-bin/new.wasm").status_code == 404


def test_what_takes_several_calls_is_whole(make_client: SiteMaker, tree: Path) -> None:
    dirs = {"/data": {"path": str(tree / "data"), "writable": True}}
    client = make_client({"/large": {"module": "large", "dirs": dirs}})
    said = dict(line.split(": ") for line in client.get("/large").text.splitlines())
    assert said.pop("size") == str((3 << 20) + 7 + 5)
    assert set(said.values()) == {"ok"}, said
    assert (tree / "data" / "large").stat().st_size == (3 << 20) + 12


MANY = 3000


@pytest.mark.parametrize("path", ["/data/many", "/data/many/.", "/data/sub/../many", "/data/to-many"])
def test_a_large_directory_is_listed_once(make_client: SiteMaker, tree: Path, path: str) -> None:
    (tree / "data" / "many").mkdir()
    (tree / "data" / "to-many").symlink_to("many")
    names = {f"{i}-{'n' * (i % 200)}" for i in range(MANY)}
    for name in names:
        (tree / "data" / "many" / name).touch()
    listed = files(make_client, tree, writable=False).get(f"/files?op=list&path={path}").text.splitlines()
    assert listed[-1] == "list OK"
    assert len(listed) == MANY + 3
    assert {line[1:-1] for line in listed[:-1]} == names | {".", ".."}


@pytest.mark.parametrize("path", ["/data/up", "/data/etc", "/data/out"])
def test_no_directory_outside_is_listed(make_client: SiteMaker, tree: Path, path: str) -> None:
    answer = files(make_client, tree, writable=True).get(f"/files?op=list&path={path}").text
    assert answer.startswith("list E"), answer


@pytest.mark.parametrize(
    "query", [f"op={op}&path=/data/{'x' * 5000}" for op in ("read", "stat", "mkdir", "unlink", "list", "readlink")]
)
def test_a_path_that_is_too_long(make_client: SiteMaker, tree: Path, query: str) -> None:
    assert files(make_client, tree, writable=True).get(f"/files?{query}").text.endswith(" ENAMETOOLONG\n")


def test_names_have_the_inodes_of_their_files(make_client: SiteMaker, tree: Path) -> None:
    """As Wasmtime makes them, which may change with its version."""
    listed = files(make_client, tree, writable=False).get("/files?op=inodes&path=/data").text.splitlines()
    assert len(listed) == 1 + 1 + len(list((tree / "data").iterdir()))
    assert all(line.endswith(" same>") for line in listed[:-1]), listed
