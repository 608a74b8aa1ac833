"""Which files of its own the server believes, and how it puts them in place."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.limits import own_mounts
from servers.packages import package_parent
from wsgi_wasm.config.last_good import ALLOWED, load_and_keep, load_or_last_good
from wsgi_wasm.errors import ConfigError, UntrustedFile
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.locks import locked_directory, locked_file, use_directory
from wsgi_wasm.files.replace import MAKING, replace
from wsgi_wasm.files.stamp import stamp
from wsgi_wasm.files.trust import check_file, check_in_place, check_owner, read_file

OWN, OTHER = os.geteuid(), os.geteuid() + 4242

OWNERS = [
    (0, stat.S_IFREG | 0o644, ""),
    (OWN, stat.S_IFREG | 0o600, ""),
    (OWN, stat.S_IFDIR | 0o755, ""),
    (OTHER, stat.S_IFREG | 0o600, f"/x y belongs to user {OTHER}, not to root or to user {OWN}: not used (rm '/x y')"),
    (OTHER, stat.S_IFDIR | 0o755, f"/x y belongs to user {OTHER}, not to root or to user {OWN}: not used (chown {OWN}"),
    (OWN, stat.S_IFREG | 0o620, "/x y can be written by its group or by others: not used (chmod go-w '/x y')"),
    (OWN, stat.S_IFREG | 0o602, "/x y can be written by its group or by others: not used (chmod go-w '/x y')"),
    (0, stat.S_IFDIR | 0o1777, "/x y can be written by its group or by others: not used (chmod go-w '/x y')"),
]


@pytest.mark.parametrize(("owner", "mode", "message"), OWNERS)
def test_whose_a_file_is(owner: int, mode: int, message: str) -> None:
    info = os.stat_result((mode, 1, 1, 1, owner, 0, 0, 0, 0, 0))
    if not message:
        check_owner(Path("/x y"), info)
        return
    with pytest.raises(UntrustedFile) as caught:
        check_owner(Path("/x y"), info)
    assert str(caught.value).startswith(message)


def loose(path: Path) -> None:
    path.write_bytes(b"known")
    path.chmod(0o666)


IRREGULAR: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link": (lambda path: path.symlink_to(path.with_name("target")), "is not a regular file: not used (rm -r "),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "is not a regular file"),
    "a directory": (lambda path: path.mkdir(), "is not a regular file"),
    "a pipe": (os.mkfifo, "is not a regular file"),
    "loose": (loose, "can be written by its group or by others"),
}


@pytest.mark.parametrize("case", IRREGULAR)
@pytest.mark.parametrize("check", [check_file, check_in_place, read_file])
def test_what_is_not_believed(case: str, check: Callable[[Path], object], tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "target").write_bytes(b"known")
    make, message = IRREGULAR[case]
    make(tmp_path / "file")
    with pytest.raises(UntrustedFile) as caught:
        check(tmp_path / "file")
    assert message in str(caught.value)


@pytest.mark.parametrize("check", [check_file, check_in_place, read_file])
def test_a_file_that_has_vanished(check: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "file")


def test_a_file_in_a_directory_that_is_open_to_others(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"known")
    tmp_path.chmod(0o777)
    check_file(tmp_path / "file")
    with pytest.raises(UntrustedFile, match="can be written"):
        check_in_place(tmp_path / "file")


def test_no_name_forges_a_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "a\nFORGED \x1b[31m").symlink_to("/etc")
    with pytest.raises(UntrustedFile) as caught:
        check_file(tmp_path / "a\nFORGED \x1b[31m")
    assert str(caught.value).isprintable()


# Directories ---------------------------------------------------------------------------------------------------------


def test_a_directory_is_made(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = TrustedDirectory(tmp_path / "deep" / "made")
        made.write(made.directory / "one", b"1")
    finally:
        os.umask(before)
    assert made.read(made.directory / "one") == b"1"
    assert made.writable
    assert [path.name for path in made.directory.iterdir()] == ["one"]
    # What root makes is for a server that runs as another user.
    assert (made.directory / "one").stat().st_mode & 0o777 == (0o644 if OWN == 0 else 0o600)


@pytest.mark.parametrize(
    ("directory", "message"),
    [("file", "is not a directory"), ("file/below", "Not a directory"), ("loose", "chmod go-w"), ("dangling", "not a")],
)
def test_a_directory_that_cannot_be(directory: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose").chmod(0o775)
    with pytest.raises(UntrustedFile) as caught:
        TrustedDirectory(tmp_path / directory)
    assert f"{tmp_path}/{directory}" in str(caught.value)
    assert message in str(caught.value)


def test_the_last_good_configuration_is_believed_only_as_ours(tmp_path: Path) -> None:
    site, cache = tmp_path / "site.yaml", tmp_path / "cache"
    environ = {"WSGI_WASM_CACHE": str(cache), ALLOWED: "1"}
    good = b"routes: {/good: {module: a.wasm}}"
    site.write_bytes(good)
    load_and_keep(site, environ)
    (kept,) = cache.iterdir()
    site.write_bytes(b"routes: [")
    assert load_or_last_good(site, environ).routes[0].name == "/good"
    kept.chmod(0o666)
    with pytest.raises(ConfigError):
        load_or_last_good(site, environ)
    site.write_bytes(good)
    load_and_keep(site, environ)
    assert not kept.stat().st_mode & 0o022, "a good start puts its own in the place of one that is not believed"


# Replacing -----------------------------------------------------------------------------------------------------------

# Writes more than there is room for; then says what is there.
FILLS = """
import errno, os, resource, sys
from pathlib import Path
from wsgi_wasm.files.replace import replace
folder = Path(sys.argv[1])
if sys.argv[2:] == ["limit"]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))
replace(folder / "file", b"old", 0o640)
try:
    replace(folder / "file", bytes(1 << 20), 0o640)
except OSError as error:
    print(errno.errorcode[error.errno], *os.listdir(folder), (folder / "file").read_text())
"""


def fills(folder: Path, *before: str, how: str = "") -> str:
    command = [*before, sys.executable, "-c", FILLS, str(folder), *filter(None, [how])]
    environ = {**os.environ, "PYTHONPATH": str(package_parent())}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False).stdout.strip()


def test_a_file_that_grows_too_large(tmp_path: Path) -> None:
    assert fills(tmp_path, how="limit") == "EFBIG file old"


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """On a small file system, where one can be mounted; the mount goes with the process."""
    private = own_mounts('mount -t tmpfs -o size=64k tmpfs "$0"', tmp_path)
    if private:
        assert fills(tmp_path, *private) == "ENOSPC file old"
    else:
        assert fills(tmp_path, how="limit") == "EFBIG file old"


def test_a_replaced_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    replace(file, b"old", 0o600)
    before = stamp(file)
    with file.open("rb") as mapped:
        replace(file, b"new", 0o644)
        assert mapped.read() == b"old", "it is another file, and who has the old one keeps it"
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o644
    assert stamp(file) != before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "folder", b"x", 0o600)
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "missing" / "file", b"x", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_interrupted_replacement_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def interrupted(source: str, target: Path) -> None:
        seen.append(Path(source).name)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace(tmp_path / "file", b"x", 0o600)
    assert seen[0].startswith(MAKING), "or `cache prune` would not know it"
    assert not list(tmp_path.iterdir())


def test_stamps(tmp_path: Path) -> None:
    assert stamp(tmp_path / "file") == ""
    (tmp_path / "file").write_bytes(b"1")
    first = stamp(tmp_path / "file")
    assert first
    (tmp_path / "file").write_bytes(b"22")
    assert stamp(tmp_path / "file") != first


# Locks ---------------------------------------------------------------------------------------------------------------


def test_a_lock_file(tmp_path: Path) -> None:
    with locked_file(tmp_path / "lock"), pytest.raises(BlockingIOError), locked_file(tmp_path / "lock", wait=False):
        pass
    with locked_file(tmp_path / "lock", wait=False):
        pass
    (tmp_path / "link").symlink_to("lock")
    with pytest.raises(OSError) as caught, locked_file(tmp_path / "link"):  # noqa: PT011
        pass
    assert caught.value.errno == errno.ELOOP


def test_a_directory_in_use(tmp_path: Path) -> None:
    first, second = use_directory(tmp_path), use_directory(tmp_path)
    os.close(first)
    with pytest.raises(BlockingIOError), locked_directory(tmp_path):
        pass
    os.close(second)
    with locked_directory(tmp_path):
        pass


def test_locks_leave_no_descriptor_open(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        for _ in range(300):
            with locked_directory(tmp_path), pytest.raises(BlockingIOError), locked_directory(tmp_path):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
