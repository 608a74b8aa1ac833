"""`--user`: commands that root runs as the user whom the server runs as; and files that a user may not read or
write."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from servers.apache import USER
from servers.packages import others_reach, package_parent

HELLO = (Path(__file__).parents[1] / "guests" / "hello.wat").read_bytes()


def root() -> bool:
    return os.geteuid() == 0


def server_user() -> str:
    """Whom root can become; without root, who we are."""
    return USER if root() else pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter, with a module of each kind of rights and an own cache."""
    path = Path(tempfile.mkdtemp(prefix="wsgi-wasm-"))
    path.chmod(0o755)
    for name in ("open.wat", "closed.wat", "private/inside.wat"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(HELLO)
    (path / "closed.wat").chmod(0o600)
    (path / "private").chmod(0o700)
    site = path / "site.yaml"
    site.write_text("routes: {/open: {module: open.wat}}\n", encoding="utf-8")
    cache = path / "cache"
    cache.mkdir(mode=0o700)
    if root():
        shutil.chown(cache, USER, USER)
    yield path
    shutil.rmtree(path)


def run(
    place: Path, *argv: str, prepare: Callable[[], None] | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "-m", "wsgi_wasm", *argv],
        env={**environ, "PYTHONPATH": str(package_parent()), "XDG_CACHE_HOME": str(place / "roots"), **env},
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=prepare,
    )


def nobody() -> None:
    """As somebody who is not root, whatever we are."""
    if root():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


needs_open_package = pytest.mark.skipif(
    root() and not others_reach(package_parent()), reason="the package lies where another user cannot read it"
)


@needs_open_package
@pytest.mark.parametrize("command", ["compile", "check"])
def test_what_is_written_belongs_to_the_user(place: Path, command: str) -> None:
    ran = run(place, command, "--user", server_user(), "site.yaml", WSGI_WASM_CACHE=str(place / "cache"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = list((place / "cache").iterdir())
    assert made
    assert {path.owner() for path in made} == {server_user()}
    assert not (place / "roots").exists(), "root's own places are not the user's"


@needs_open_package
@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("closed.wat", "may not be read by user www-data: mode 0600, owner root:root"),
        ("private/inside.wat", "private may not be entered by user www-data: mode 0700, owner root:root"),
    ],
)
def test_what_the_user_may_not_read(place: Path, module: str, said: str) -> None:
    (place / "site.yaml").write_text(f"routes: {{/x: {{module: {module}}}}}\n", encoding="utf-8")
    ran = run(place, "check", "--user", server_user(), "site.yaml", WSGI_WASM_CACHE=str(place / "cache"))
    if root():
        assert (ran.returncode, said in ran.stdout) == (1, True), ran.stdout + ran.stderr
    else:
        assert ran.returncode == 0, ran.stdout + ran.stderr  # all of it is ours


def test_users_that_cannot_be(place: Path) -> None:
    for command in (["check"], ["compile"], ["interpreter", "build", "python"], ["build-python"]):
        ran = run(place, *command, "site.yaml", "--user", "no-such-user")
        assert (ran.returncode, "there is no user 'no-such-user'" in ran.stderr) == (1, True), ran.stderr
    for user in ("root", "daemon"):
        ran = run(place, "check", "--user", user, "site.yaml", prepare=nobody)
        assert (ran.returncode, "only root can work as another user" in ran.stderr) == (1, True), ran.stderr


# Commands that cannot write where they shall, and what they say about it.
UNWRITABLE = {
    "build into a directory": (["build", "a.c", "-o", "private"], "is not a regular file"),
    "build into a device": (["build", "a.c", "-o", "/dev/null"], "is not a regular file"),
    "build below a file": (["build", "a.c", "-o", "a.c/x.wasm"], "cannot be written"),
    "build where nobody can": (["build", "a.c", "-o", "/proc/x.wasm"], "cannot be written"),
    "serve at a directory": (["serve", "open.wat", "--bind", "unix:private"], "no socket"),
    "serve at a file": (["serve", "open.wat", "--bind", "unix:a.c"], "no socket"),
    "serve where there is nothing": (["serve", "open.wat", "--bind", "unix:none/s"], "there is no directory"),
    "serve below a file": (["serve", "open.wat", "--bind", "unix:a.c/s"], "there is no directory"),
    "serve at a long path": (["serve", "open.wat", "--bind", f"unix:{'x' * 108}"], "longer than 107 bytes"),
    "compile below a file": (["compile", "--cache", "a.c", "open.wat"], "is not a directory"),
    "compile where nobody can": (["compile", "--cache", "/proc/x", "open.wat"], "/proc/x"),
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_paths_that_cannot_be_written(place: Path, case: str) -> None:
    (place / "a.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    argv, said = UNWRITABLE[case]
    ran = run(place, *argv)
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False), ran.stderr
    assert said in ran.stderr


@needs_open_package
@pytest.mark.parametrize("argv", [["build", "a.c"], ["serve", "open.wat", "--bind", "unix:here"]], ids=" ".join)
def test_a_directory_of_somebody_else(place: Path, argv: list[str]) -> None:
    (place / "a.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    place.chmod(0o755 if root() else 0o555)
    ran = run(place, *argv, prepare=nobody, HOME="/nowhere")
    place.chmod(0o755)
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False), ran.stderr
    assert "cannot" in ran.stderr


@pytest.mark.parametrize("most", [0, 100, 10_000])
def test_build_on_a_full_disk(place: Path, most: int) -> None:
    (place / "a.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    ran = run(place, "build", "a.c", prepare=limit)
    assert "Traceback" not in ran.stderr, ran.stderr
    assert ran.returncode in (0, 1), ran.stderr
    assert (place / "a.wasm").exists() == (ran.returncode == 0)
