"""Files that are swapped for others between two looks."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import NEEDS_ROOT
from wsgi_wasm.files.host_file import HostFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """root/sub/file, and secret/file beside root."""
    for name in ("root/sub", "secret"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
    return tmp_path


def content(file: HostFile) -> str:
    with open(file.open(), "rb") as opened:
        assert os.path.samestat(os.fstat(opened.fileno()), file.stat())
        return opened.read().decode()


def kinds(folder: Path, name: str = "root/sub/file") -> dict[str, HostFile]:
    path, root = folder / name, folder / "root"
    return {
        "named": HostFile(path),
        "beneath": HostFile(path, root),
        "by owner": HostFile(path, by_owner=True),
        "by owner, in a folder": HostFile(path, path.parent, by_owner=True),
    }


@pytest.mark.parametrize("kind", kinds(Path()))
def test_a_file(folder: Path, kind: str) -> None:
    file = kinds(folder)[kind]
    assert content(file) == "root/sub"
    file.path.unlink()
    with pytest.raises(FileNotFoundError):
        file.open()
    os.mkfifo(file.path)
    with pytest.raises(OSError, match="not a regular file"):
        file.open()
    file.path.unlink()
    file.path.mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        file.open()


def linked(folder: Path, name: str, target: str) -> None:
    (folder / name).rename(folder / "aside")
    (folder / name).symlink_to(target)


# What is read where a link stands for the folder, and where one stands for the file; or the error.
FOLDER_LINKED: dict[str, str | int] = {
    "named": "secret", "beneath": errno.EXDEV, "by owner": "secret", "by owner, in a folder": errno.ELOOP,
}  # fmt: skip
FILE_LINKED: dict[str, str | int] = {
    "named": "secret", "beneath": errno.EXDEV, "by owner": "secret", "by owner, in a folder": "secret",
}  # fmt: skip


@pytest.mark.parametrize("kind", FOLDER_LINKED)
def test_links_out_of_the_folder(folder: Path, kind: str) -> None:
    for place, target, expected in (
        ("root/sub", "../secret", FOLDER_LINKED[kind]),
        ("root/sub/file", "../../secret/file", FILE_LINKED[kind]),
    ):
        linked(folder, place, target)
        file = kinds(folder)[kind]
        if isinstance(expected, str):
            assert content(file) == expected
        else:
            for call in (file.open, file.stat):
                with pytest.raises(OSError) as caught:  # noqa: PT011
                    call()
                assert caught.value.errno == expected
        (folder / place).unlink()
        (folder / "aside").rename(folder / place)


@NEEDS_ROOT
@pytest.mark.parametrize("kind", ["by owner", "by owner, in a folder"])
def test_a_link_of_another_owner(folder: Path, kind: str) -> None:
    linked(folder, "root/sub/file", "../../secret/file")
    file = kinds(folder)[kind]
    for owner, well in ((0, True), (1234, False)):
        os.chown(file.path, owner, -1, follow_symlinks=False)
        if well:
            assert content(file) == "secret"
            continue
        with pytest.raises(PermissionError, match="another owner"):
            file.open()
    os.chown(folder / "secret" / "file", 1234, -1)
    assert content(file) == "secret"


@NEEDS_ROOT
def test_owners_are_compared_of_what_is_opened(folder: Path) -> None:
    """Somebody swaps a link of his own to another's file for a file of that owner, as fast as he can."""
    place = folder / "root/sub/file"
    (folder / "link").symlink_to("../../secret/file")
    os.chown(folder / "link", 1234, -1, follow_symlinks=False)
    stop = threading.Event()

    def swaps() -> None:
        while not stop.is_set():
            for source, goal in ((place, folder / "aside"), (folder / "link", place),
                                 (place, folder / "link"), (folder / "aside", place)):  # fmt: skip
                source.rename(goal)

    thread = threading.Thread(target=swaps)
    thread.start()
    found = set()
    try:
        for _ in range(3000):
            with suppress(OSError), open(HostFile(place, by_owner=True).open()) as opened:
                found.add(opened.read())
    finally:
        stop.set()
        thread.join()
    assert found <= {"root/sub"}
