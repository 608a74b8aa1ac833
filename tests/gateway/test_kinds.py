"""What makes a file of a directory a program: its name, its first bytes, its `#!` line, the execute bit."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import component, guest
from wsgi_wasm.errors import Forbidden, NotFound
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.gateway.kinds import ProgramKinds
from wsgi_wasm.gateway.scripts import find_script

CORE = b"\0asm\x01\0\0\0"
SHEBANG = b"#!/usr/bin/env -S python3 -u\nprint()\n"

# Whatever is not named here is as the first line has it: mode 755, in the directory itself.
FILES: dict[str, bytes] = {
    "a.wasm": CORE,
    "a.WASM": CORE,
    "a.wat": b"(module)",
    "counter.cgi": CORE,
    "counter": CORE,
    "component.cgi": b"\0asm\x0d\0\x01\0",
    "older.cgi": b"\0asm\x07\0\0\0",
    "four.cgi": b"\0asm",
    "three.cgi": b"\0as",
    "plain.py": b"print()",
    "form.PY": b"print()",
    "printenv": SHEBANG,
    "crlf": SHEBANG.replace(b"\n", b"\r\n"),
    "mark": b"\xef\xbb\xbf" + SHEBANG,
    "long": b"#!/usr/bin/python3 " + b"x" * 4096,
    "bare": b"#!python",
    "perl.py": b"#!/usr/bin/perl\n",
    "perl": b"#!/usr/bin/perl\n",
    "größe test.py": b"print()",
    "größe test": SHEBANG,
    "empty": b"",
    "empty.py": b"",
    "wasm.py": CORE,
    "style.css": b"body{}",
    "noexec.py": b"print()",
    "noexec": SHEBANG,
    "lib/__init__.py": b"",
    "lib/settings.py": b"PASSWORD = 1",
    "lib/tool": SHEBANG,
    "lib/run.py": SHEBANG,
    "lib/deep/x.py": b"print()",
    "__init__.py": b"",
}
PLAIN = 0o644
MODES = dict.fromkeys(("noexec.py", "noexec", "lib/__init__.py", "lib/settings.py", "__init__.py"), PLAIN)

WAT = dict.fromkeys(("a.wasm", "a.WASM", "a.wat"), ("suffix", ""))
BY_SUFFIX = {
    **WAT,
    **dict.fromkeys(
        ("plain.py", "form.PY", "perl.py", "größe test.py", "empty.py", "wasm.py", "noexec.py"), ("suffix", ".py")
    ),
    **dict.fromkeys(("lib/run.py", "lib/deep/x.py"), ("suffix", ".py")),
}
BY_MAGIC = dict.fromkeys(
    ("a.wasm", "a.WASM", "counter.cgi", "counter", "component.cgi", "older.cgi", "four.cgi", "wasm.py"), ("magic", "")
)
BY_SHEBANG = dict.fromkeys(
    ("printenv", "crlf", "mark", "bare", "größe test", "noexec", "lib/tool", "lib/run.py"), ("shebang", "python")
)

CASES: dict[str, tuple[list[str], bool, dict[str, tuple[str, str]]]] = {
    "suffix": (["suffix"], False, BY_SUFFIX),
    "magic": (["magic"], False, BY_MAGIC),
    "shebang": (["shebang"], False, BY_SHEBANG),
    "all": (["suffix", "magic", "shebang"], False, {**BY_SHEBANG, **BY_MAGIC, **BY_SUFFIX}),
    "turned": (["shebang", "magic", "suffix"], False, {**BY_SUFFIX, **BY_MAGIC, **BY_SHEBANG}),
    "executable": (
        ["suffix", "shebang"],
        True,
        {
            name: told
            for name, told in {**BY_SHEBANG, **BY_SUFFIX}.items()
            if name not in MODES
        },
    ),
}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "cgi" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(MODES.get(name, 0o755))
    return tmp_path / "cgi"


@pytest.mark.parametrize("case", CASES)
def test_what_files_are(tree: Path, case: str) -> None:
    programs, executable, expected = CASES[case]
    kinds = ProgramKinds(programs, (".py", "python"), executable)
    found, refused = {}, []
    for name in FILES:
        try:
            kind = kinds.of(str(tree / name), tree, (tree / name).stat()).kind
        except NotFound as error:
            refused.append(str(error))
        else:
            found[name] = kind.by, kind.interpreter
    assert found == expected
    assert all(str(tree) in text for text in refused)


def test_modules_and_components(tree: Path) -> None:
    kinds = ProgramKinds(["magic"], (), False)
    found = {
        name: kinds.of(str(tree / name), tree, (tree / name).stat()).kind.is_component
        for name in ("counter.cgi", "component.cgi", "older.cgi")
    }
    assert found == {"counter.cgi": False, "component.cgi": True, "older.cgi": False}


def settle(path: Path, monkeypatch: pytest.MonkeyPatch) -> os.stat_result:
    """The status of a file that has not changed for long."""
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    return path.stat()


def test_a_known_file_is_not_opened_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    of_class = HostFile.open

    def noted(file: HostFile) -> int:
        opened.append(file.path.name)
        return of_class(file)

    monkeypatch.setattr(HostFile, "open", noted)
    kinds = ProgramKinds(["suffix", "magic", "shebang"], (".py", "python"), False)
    for name in ("printenv", "style.css", "plain.py"):
        info = settle(tree / name, monkeypatch)
        for _ in range(3):
            try:
                kinds.of(str(tree / name), tree, info)
            except NotFound:
                assert name == "style.css"
    assert opened == ["printenv", "style.css", "plain.py"]
    (tree / "printenv").write_bytes(b"no program any more, and as long as before")
    with pytest.raises(NotFound):
        kinds.of(str(tree / "printenv"), tree, (tree / "printenv").stat())


def test_a_file_that_has_just_changed_is_looked_at_again(tree: Path) -> None:
    kinds = ProgramKinds(["shebang"], ("python",), False)
    path = tree / "printenv"
    info = path.stat()
    assert kinds.of(str(path), tree, info).kind.by == "shebang"
    path.write_bytes(b"x" * len(SHEBANG))
    with pytest.raises(NotFound):
        kinds.of(str(path), tree, info)


def test_pipes_and_links_that_leave(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "out").symlink_to(tree.parent / "secret")
    (tree.parent / "secret").write_bytes(SHEBANG)
    kinds = ProgramKinds(["magic", "shebang"], ("python",), False)
    for name in ("pipe", "out", "gone"):
        with pytest.raises(NotFound):
            kinds.of(str(tree / name), tree, (tree / "printenv").stat())


# Over HTTP -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def client(make_client: SiteMaker, tree: Path) -> Client:
    """The guest `args` stands in for an interpreter: it says which script it is given."""
    for name in ("counter.cgi", "counter", "a.wasm"):
        shutil.copyfile(guest("env"), tree / name)
    shutil.copyfile(component("program"), tree / "component.cgi")
    (tree / "sub").mkdir()
    shutil.copyfile(tree / "printenv", tree / "sub" / "index")
    route: dict[str, Any] = {
        "directory": str(tree),
        "index": ["style.css", "index"],
        "interpreters": {".py": str(guest("args"))},
        "queue_timeout": "60s",
    }
    told = {
        "programs": ["suffix", "magic", "shebang"],
        "interpreters": {**route["interpreters"], "python3": str(guest("args"))},
    }
    return make_client({"/s": route, "/all": {**route, **told}, "/x": {**route, **told, "executable": True}})


def test_served_by_the_routes_rules(client: Client) -> None:
    for path in ("/s/counter.cgi", "/s/printenv", "/all/style.css", "/all/lib/settings.py", "/all/lib/", "/x/noexec"):
        assert client.get(path).status_code == 404, path
    assert "SCRIPT_NAME=/all/counter.cgi\n" in client.get("/all/counter.cgi/extra/path").text
    assert "PATH_INFO=/extra/path\n" in client.get("/all/counter.cgi/extra/path").text
    for path in ("printenv", "form.PY", "größe test", "größe test.py", "crlf", "lib/tool"):
        assert f"[/{path}]" in client.get(f"/all/{path}/x?a=b").text, path
    assert "[/sub/index]" in client.get("/all/sub/").text
    assert client.get("/all/sub").headers["Location"] == "/all/sub/"
    assert client.get("/all/component.cgi?a=b").status_code == 200
    assert client.get("/x/printenv").status_code == 200


def test_a_file_that_changes_its_kind(client: Client, tree: Path) -> None:
    def swap(content: bytes) -> str:
        (tree / "new").write_bytes(content)
        (tree / "new").rename(tree / "counter")
        answer = client.get("/all/counter")
        return answer.text if answer.status_code == 200 else str(answer.status_code)

    assert "[/counter]" in swap(SHEBANG)
    assert "SCRIPT_NAME=/all/counter\n" in swap(guest("env").read_bytes())
    assert swap(b"secret source") == "404"
    assert swap(b"") == "404"
    assert "[/counter]" in swap(SHEBANG)


@contextmanager
def owner() -> Iterator[None]:
    """Whoever may change what `reader` may not."""
    own = os.geteuid()
    os.seteuid(os.getuid())
    try:
        yield
    finally:
        os.seteuid(own)


@pytest.fixture
def reader() -> Iterator[Path]:
    """A directory that everybody may enter, and a user who is not root: to root, nothing is unreadable."""
    directory = Path(tempfile.mkdtemp(prefix="wsgi-wasm-"))
    directory.chmod(0o755)
    if os.getuid() == 0:
        os.seteuid(65534)
    yield directory
    os.seteuid(os.getuid())
    (directory / "folder").chmod(0o755)
    shutil.rmtree(directory)


@pytest.mark.in_process
def test_what_may_not_be_read_is_403(reader: Path) -> None:
    def status(path: str, *programs: str, others_read: bool = False) -> int:
        try:
            find_script(reader, path, ["index.py"], ProgramKinds(programs, (".py", "python"), False, others_read))
        except (Forbidden, NotFound) as error:
            return error.status
        return 200

    with owner():
        (reader / "folder").mkdir()
        for name in ("a.py", "script", "folder/a.py", "folder/index.py", "open.py"):
            (reader / name).write_bytes(SHEBANG)
            (reader / name).chmod(0o644 if name == "open.py" else 0o000)
    assert status("/open.py", "suffix") == 200
    assert status("/a.py", "suffix") == 403
    assert status("/a.py", "suffix", others_read=True) == 200
    assert status("/folder/", "suffix") == 403
    assert status("/script", "suffix") == 404
    assert status("/script", "suffix", "shebang") == 403
    with owner():
        (reader / "folder").chmod(0o000)
    assert status("/folder/a.py", "suffix") == 403
