"""What is opened beneath a directory lies beneath it, whoever swaps what for what, with openat2 and without."""

from __future__ import annotations

import errno
import os
import resource
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from wsgi_wasm.files import beneath
from wsgi_wasm.files.beneath import (
    Folder,
    Outside,
    is_file_beneath,
    open_beneath,
    open_real,
    read_beneath,
    real_beneath,
    stat_beneath,
)


@pytest.fixture(params=["openat2", "an old kernel", "a filter of system calls"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    numbers = {"an old kernel": errno.ENOSYS, "a filter of system calls": errno.EPERM}
    if request.param in numbers:

        def refused(directory: int, name: bytes, flags: int) -> int:
            raise OSError(numbers[request.param], "")

        monkeypatch.setattr(beneath, "_openat2", refused)
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """root/ with files, and links of every kind; secret/ beside it."""
    root, secret = tmp_path / "root", tmp_path / "secret"
    (root / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "root-2").mkdir()
    secret.mkdir()
    for path in (root / "file", root / "sub" / "file", root / "sub" / "deep" / "file"):
        path.write_text(path.relative_to(root).as_posix())
    for folder in (secret, tmp_path / "root-2"):
        (folder / "file").write_text("secret")
    os.mkfifo(root / "pipe")
    for name, target in LINKS.items():
        (root / name).symlink_to(target.format(root=root, secret=secret))
    (root / "sub" / "up").symlink_to("../file")
    return root


LINKS = {
    "inside": "file",
    "folder": "sub",
    "chain": "folder/up",
    "absolute": "{root}/sub",
    "around": "../root/file",
    "self": ".",
    "out": "../secret/file",
    "out-folder": "../secret",
    "out-absolute": "{secret}/file",
    "out-alike": "../root-2/file",
    "out-chain": "out-folder/file",
    "above": "..",
    "dangling": "nothing",
    "dangling-out": "../nothing",
    "loop": "loop",
    "proc": "/proc/self/root",
}

# A name, and what is there: a file's content, a kind, or an error.
NAMES: dict[str, str | int] = {
    "file": "file",
    "sub/file": "sub/file",
    "./sub//./deep/file": "sub/deep/file",
    "sub/deep/file/": "sub/deep/file",
    "inside": "file",
    "folder/file": "sub/file",
    "folder/deep/file": "sub/deep/file",
    "chain": "file",
    "absolute/file": "sub/file",
    "around": "file",
    "self/sub/file": "sub/file",
    "sub/up": "file",
    "sub/../file": "file",
    "sub/deep/../../file": "file",
    "../root/file": "file",
    "{root}/file": "file",
    "out": errno.EXDEV,
    "out-folder": errno.EXDEV,
    "out-folder/file": errno.EXDEV,
    "out-absolute": errno.EXDEV,
    "out-alike": errno.EXDEV,
    "out-chain": errno.EXDEV,
    "above/secret/file": errno.EXDEV,
    "proc/etc/passwd": errno.EXDEV,
    "..": errno.EXDEV,
    "../secret/file": errno.EXDEV,
    "sub/../../secret/file": errno.EXDEV,
    "/etc/passwd": errno.EXDEV,
    "nothing": errno.ENOENT,
    "nothing/../file": errno.ENOENT,
    "dangling": errno.ENOENT,
    "dangling-out": errno.ENOENT,
    "file/below": errno.ENOTDIR,
    "loop": errno.ELOOP,
    "loop/file": errno.ELOOP,
    "a" * 300: errno.ENAMETOOLONG,
    "pipe": errno.EINVAL,  # which nobody writes to: it must not keep us waiting
    "sub": errno.EINVAL,
    ".": errno.EINVAL,
    "self": errno.EINVAL,
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_name_leads_to(name: str, root: Path) -> None:
    expected = NAMES[name]
    name = name.format(root=root)
    if isinstance(expected, str):
        assert read_beneath(root, name) == expected.encode()
        assert is_file_beneath(root, name)
        assert stat_beneath(root, name).st_ino == (root / expected).stat().st_ino
        assert real_beneath(root, name) == root / expected
        return
    with pytest.raises(OSError) as caught:  # noqa: PT011
        read_beneath(root, name)
    assert caught.value.errno == expected
    assert isinstance(caught.value, Outside) == (expected == errno.EXDEV)
    assert not is_file_beneath(root, name)


def test_a_name_with_a_nul(root: Path) -> None:
    for call in (stat_beneath, read_beneath, real_beneath):
        with pytest.raises(ValueError, match="null"):
            call(root, "file\0.py")
    assert not is_file_beneath(root, "file\0.py")


def test_names_that_are_not_text(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (root / name).write_text("coffee")
    assert read_beneath(root, name) == b"coffee"


def test_a_root_that_has_become_a_link(root: Path, tmp_path: Path) -> None:
    """It was resolved when somebody chose it; whoever has put a link in its place since was somebody else."""
    root.rename(tmp_path / "moved")
    root.symlink_to("moved")
    for name in (".", "sub/file", "around"):
        with pytest.raises(OSError) as caught:  # noqa: PT011
            read_beneath(root, name)
        assert caught.value.errno == errno.ELOOP
    with pytest.raises(NotADirectoryError):
        read_beneath(tmp_path / "moved" / "file", "x")


def inode(folder: Folder) -> int:
    descriptor = folder.open()
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def test_a_folder_is_what_its_path_led_to(root: Path, tmp_path: Path) -> None:
    current = tmp_path / "current"
    current.symlink_to("root")
    folder = Folder.at(current / "folder")
    assert inode(folder) == (root / "sub").stat().st_ino
    current.unlink()
    current.symlink_to("secret")
    assert inode(folder) == (root / "sub").stat().st_ino, "only who reads the path again follows another link"
    swap(root)
    with pytest.raises(OSError, match="symbolic link"):
        folder.open()
    with pytest.raises(NotADirectoryError):
        Folder.at(root / "file").open()
    with pytest.raises(FileNotFoundError):
        Folder.at(root / "nothing").open()


def test_a_folder_whose_links_may_change(root: Path) -> None:
    folder = Folder(root, "folder/deep")
    assert inode(folder) == (root / "sub" / "deep").stat().st_ino
    (root / "folder").unlink()
    (root / "folder").symlink_to("../secret")
    (root.parent / "secret" / "deep").mkdir()
    with pytest.raises(Outside):
        folder.open()


def test_a_directory_is_opened(root: Path) -> None:
    for flags in (os.O_PATH, os.O_RDONLY | os.O_DIRECTORY):
        descriptor = open_beneath(root, "folder", flags)
        assert os.path.samestat(os.fstat(descriptor), (root / "sub").stat())
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)
    with pytest.raises(NotADirectoryError):
        open_beneath(root, "inside", os.O_RDONLY | os.O_DIRECTORY)


def test_no_message_forges_a_line(root: Path) -> None:
    (root / "a\nFORGED").symlink_to("/etc")
    with pytest.raises(Outside) as caught:
        stat_beneath(root, "a\nFORGED")
    assert "\n" not in str(caught.value.strerror)


# Swapped between -----------------------------------------------------------------------------------------------------


def swap(root: Path) -> None:
    (root / "sub").rename(root / "old")
    (root / "sub").symlink_to("../secret")


@pytest.mark.parametrize("name", ["folder/file", "absolute/file", "sub/deep/../file"])
def test_swapped_after_it_was_resolved(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(directory: Path, name: str) -> Path:
        real = real_beneath(directory, name)
        swap(root)
        return real

    monkeypatch.setattr(beneath, "real_beneath", swapped)
    with pytest.raises(OSError) as caught:  # noqa: PT011
        read_beneath(root, name)
    assert caught.value.errno == errno.ELOOP


def test_a_real_path_that_has_a_link_by_now(root: Path) -> None:
    for name in ("sub/file", "file"):
        os.close(open_real(root / name, os.O_RDONLY))
    swap(root)
    for flags in (os.O_RDONLY, os.O_PATH, os.O_RDONLY | os.O_DIRECTORY):
        for name in ("sub/file", "sub", "inside"):
            with pytest.raises(OSError) as caught:  # noqa: PT011
                open_real(root / name, flags)
            assert caught.value.errno == errno.ELOOP


def test_swapped_all_the_time(root: Path) -> None:
    """Beside a thread that makes `sub` a link to another directory and back."""
    stop = threading.Event()

    def swaps() -> None:
        (root / "link").symlink_to("../secret")
        while not stop.is_set():
            for source, target in (("sub", "old"), ("link", "sub"), ("sub", "link"), ("old", "sub")):
                (root / source).rename(root / target)

    swapper = threading.Thread(target=swaps)
    swapper.start()
    found: set[bytes] = set()
    calls: list[Callable[[], bytes]] = [
        lambda: read_beneath(root, "sub/file"),
        lambda: read_beneath(root, "folder/file"),
    ]
    try:
        for _ in range(1000):
            for call in calls:
                with suppress(OSError):
                    found.add(call())
    finally:
        stop.set()
        swapper.join()
    assert found <= {b"sub/file"}


def test_no_descriptor_is_left_open(root: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        for name in list(NAMES) * 10:
            for call in (is_file_beneath, read_beneath):
                with suppress(OSError):
                    call(root, name)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
