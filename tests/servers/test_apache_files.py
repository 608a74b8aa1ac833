"""`wsgi-wasm apache` and the files of others: nothing is lost, whatever ends the command."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from wsgi_wasm.cli import main
from wsgi_wasm.cli.commands import apache as _apache  # noqa: F401 - once for all forks

from .apache import runs_as_other_user
from .command import command, environment

SITE = "routes:\n  /a: {module: a.wasm}\n"
FOREIGN = b"# somebody else's\n"

CONTROL = """#!/bin/sh
[ "$1" = configtest ] || exit 0
if grep -q refuse "$0.mode" 2>/dev/null && ls "$0.etc"/conf-enabled/*.conf >/dev/null 2>&1; then
    echo "AH00526: Syntax error: Invalid command 'WSGIHandlerScript'" >&2
    exit 1
fi
if grep -q always "$0.mode" 2>/dev/null; then
    echo "AH00526: Syntax error on line 1" >&2
    exit 1
fi
if grep -q kill "$0.mode" 2>/dev/null; then
    kill -9 $PPID
fi
exit 0
"""


class Etc:
    """Directories in Debian's form, and an apachectl that says what a test wants."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        self.etc = tmp / "etc"
        for name in ("conf-available", "conf-enabled"):
            (self.etc / name).mkdir(parents=True)
        self.site = tmp / "site.yaml"
        self.site.write_text(SITE, encoding="utf-8")
        self.control = tmp / "apachectl"
        self.control.write_text(CONTROL, encoding="utf-8")
        self.control.chmod(0o755)
        (tmp / "apachectl.etc").symlink_to(self.etc)
        self.conf = self.etc / "conf-available" / "wasm-site.conf"
        self.script = self.etc / "conf-available" / "wasm-site.wsgi"
        self.link = self.etc / "conf-enabled" / "wasm-site.conf"

    def says(self, mode: str) -> None:
        """What apachectl does from now on."""
        (self.tmp / "apachectl.mode").write_text(mode, encoding="utf-8")

    def argv(self, action: str, *options: str) -> list[str]:
        site = next((word for word in options if word.endswith(".yaml")), str(self.site))
        rest = [word for word in options if word != site]
        common = [] if "--conf-dir" in rest else ["--conf-dir", str(self.etc)]
        control = [] if "--apachectl" in rest else ["--apachectl", str(self.control)]
        return ["apache", action, site, *common, *(control if action != "status" else []), *rest]

    def forked(self, action: str, *options: str, left: int = 0) -> tuple[int, str]:
        """The command in a copy of this process, which saves the start of another: its status, and what it said.
        `left` ends it as `kill_at` says."""
        output = self.tmp / "output"
        child = os.fork()
        if not child:
            status = 99
            try:
                with output.open("w", encoding="utf-8") as sys.stdout:
                    sys.stderr = sys.stdout
                    if left:
                        kill_at(left, str(self.etc))
                    status = main(self.argv(action, *options))
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), output.read_text("utf-8")

    def run(
        self, action: str, *options: str, prepare: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The command."""
        return subprocess.run(
            command(*self.argv(action, *options)),
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=prepare,
        )

    def done(self, action: str, *options: str) -> str:
        """What the command said; it must have worked."""
        ran = self.run(action, *options)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout + ran.stderr

    def refused(self, action: str, *options: str) -> str:
        """What the command said; it must not have worked, and have changed nothing."""
        before = self.tree()
        ran = self.run(action, *options)
        assert ran.returncode == 1, ran.stdout + ran.stderr
        assert self.tree() == before
        return ran.stderr

    def tree(self) -> dict[str, tuple[bytes | str, int, int, int]]:
        """All that is in the directories, with what a restored file could have lost."""
        found = {}
        for path in self.etc.rglob("*"):
            info = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
            found[str(path.relative_to(self.etc))] = (content, info.st_mode, info.st_uid, info.st_mtime_ns)
        for name in ("conf-available", "conf-enabled"):
            found[name] = (*found[name][:3], 0)  # whatever is put into a directory changes its time
        return found


@pytest.fixture
def etc(tmp_path: Path) -> Etc:
    return Etc(tmp_path)


def test_what_is_written(etc: Etc) -> None:
    before = etc.tree()
    etc.done("enable")
    assert etc.conf.stat().st_mode & 0o777 == etc.script.stat().st_mode & 0o777 == 0o644
    assert os.readlink(etc.link) == "../conf-available/wasm-site.conf"
    assert f'site_handler("{etc.site}")' in etc.script.read_text("utf-8").replace("'", '"')
    assert '<LocationMatch "^/a(?:/|\\z)">' in etc.conf.read_text("utf-8")
    names = {path.name for path in etc.conf.parent.iterdir()}
    assert names == {"wasm-site.conf", "wasm-site.wsgi"}, "nothing else is left"
    first = etc.tree()
    assert "nothing had to be changed" in etc.done("enable")
    assert etc.tree() == first
    etc.done("disable")
    assert etc.tree() == before
    assert "is not enabled" in etc.done("disable")


def test_a_dry_run_shows_a_diff(etc: Etc) -> None:
    before = etc.tree()
    said = etc.done("enable", "--dry-run")
    assert f"--- /dev/null\n+++ {etc.conf}\n@@ -0,0 +1," in said
    assert '+<LocationMatch "^/a(?:/|\\z)">' in said
    assert f"link {etc.link} -> ../conf-available/wasm-site.conf" in said
    assert etc.tree() == before
    etc.done("enable")
    etc.site.write_text(SITE.replace("/a", "/b"), encoding="utf-8")
    said = etc.done("enable", "--dry-run")
    assert '-<LocationMatch "^/a(?:/|\\z)">\n' in said
    assert '+<LocationMatch "^/b(?:/|\\z)">\n' in said
    assert "link " not in said
    said = etc.done("disable", "--dry-run")
    assert f"--- {etc.conf}\n+++ /dev/null" in said or f"remove {etc.conf}" in said
    assert f"remove {etc.link}" in said


def test_edits_by_hand(etc: Etc) -> None:
    etc.done("enable")
    etc.conf.write_text(etc.conf.read_text("utf-8").replace("processes=2", "processes=9"), encoding="utf-8")
    for action in ("enable", "disable"):
        assert "wasm-site.conf was changed since it was written" in etc.refused(action)
    status = etc.run("status")
    assert (status.returncode, "was changed since it was written" in status.stdout) == (1, True)
    etc.done("enable", "--force")
    assert "processes=9" not in etc.conf.read_text("utf-8")


FOREIGNERS: dict[str, Callable[[Etc], None]] = {
    "conf": lambda etc: _put(etc.conf, FOREIGN),
    "script": lambda etc: _put(etc.script, FOREIGN),
    "link": lambda etc: etc.link.symlink_to("../elsewhere.conf"),
    "file for the link": lambda etc: _put(etc.link, FOREIGN),
    "conf that is a link": lambda etc: etc.conf.symlink_to("/nowhere"),
    "empty conf": lambda etc: _put(etc.conf, b""),
}


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


@pytest.mark.parametrize("case", FOREIGNERS)
def test_files_of_others(etc: Etc, case: str) -> None:
    """Refused; with --force kept aside, and put back as they were."""
    FOREIGNERS[case](etc)
    before = etc.tree()
    assert "was not written by `wsgi-wasm apache`" in etc.refused("enable")
    assert etc.done("disable").startswith("wasm-site is not enabled")
    etc.done("enable", "--force")
    assert etc.run("status").stdout.count("is as it was written") == 2
    etc.done("disable")
    assert etc.tree() == before


def test_another_site_under_the_same_name(etc: Etc) -> None:
    etc.done("enable")
    (etc.tmp / "other").mkdir()
    other = etc.tmp / "other" / "site.yaml"
    other.write_text(SITE, encoding="utf-8")
    assert f"belongs to another site, {etc.site}" in etc.refused("enable", str(other))
    assert "belongs to another site" in etc.refused("enable", str(other), "--force")
    etc.done("enable", str(other), "--name", "wasm-other")


def test_a_refused_configuration_is_rolled_back(etc: Etc) -> None:
    etc.says("refuse")
    said = etc.refused("enable")
    assert "Apache refuses the change, so it was undone:\n" in said
    assert "mod_wsgi is not loaded" in said
    etc.says("")
    etc.done("enable")
    etc.site.write_text(SITE.replace("/a", "/b"), encoding="utf-8")
    etc.says("refuse")
    etc.refused("enable")  # and what was there before is still there
    etc.done("disable")  # which does not wait for a configuration that is right


def test_a_configuration_that_is_broken_before(etc: Etc) -> None:
    etc.says("always")
    assert "has mistakes already, so nothing was changed" in etc.refused("enable")
    etc.says("")
    before = etc.tree()
    etc.done("enable")
    etc.says("always")
    assert "had mistakes before, and still has" in etc.done("disable")
    assert etc.tree() == before


def interruptions(etc: Etc, action: str, *options: str) -> Iterator[int]:
    """Run the command again and again, each time ended by SIGKILL one call later, until it gets through."""
    for left in range(1, 200):
        status, said = etc.forked(action, *options, left=left)
        if status == 0:
            assert left > 5, "or nothing is counted"
            return
        assert status == -signal.SIGKILL, said
        yield left
    raise AssertionError("it never gets through")


def kill_at(left: int, directory: str) -> None:
    """End this process at its `left`th change of a directory, and before that change."""
    for name in ("rename", "symlink", "link", "unlink", "mkdir"):
        call = getattr(os, name)

        def counted(*arguments: Any, call: Any = call, **more: Any) -> Any:
            nonlocal left
            if any(directory in str(argument) for argument in arguments):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **more)

        setattr(os, name, counted)


@pytest.mark.parametrize("foreign", [False, True], ids=["fresh", "over-another-file"])
def test_an_interrupted_command(etc: Etc, foreign: bool) -> None:
    """Whatever was done by then, the next command begins with what was there before."""
    if foreign:
        _put(etc.conf, FOREIGN)
    before = etc.tree()
    force = ["--force"] if foreign else []
    for _ in interruptions(etc, "enable", *force):
        assert etc.forked("disable")[0] == 0
        assert etc.tree() == before
    for _ in interruptions(etc, "disable"):
        assert etc.forked("enable", *force)[0] == 0
        assert not list(etc.etc.rglob(".*"))
    assert etc.tree() == before


def test_killed_while_apache_checks(etc: Etc) -> None:
    before = etc.tree()
    etc.done("enable")
    etc.done("disable")
    etc.says("kill")
    assert etc.run("enable").returncode == -9
    etc.says("")
    # the first look at the configuration comes before any change
    assert etc.tree() == before
    etc.done("enable")
    first = etc.tree()
    etc.site.write_text(SITE.replace("/a", "/b"), encoding="utf-8")
    etc.says("kill")
    assert etc.run("enable").returncode == -9
    etc.says("")
    status = etc.run("status")
    assert (status.returncode, "a command was interrupted" in status.stdout) == (1, True)
    etc.site.write_text(SITE, encoding="utf-8")
    assert "what it had changed was undone first" in etc.done("enable")
    assert etc.tree() == first


def test_a_full_disk(etc: Etc) -> None:
    """No more than so many bytes can be written to a file, as with a quota."""
    before = etc.tree()
    for most in range(0, 3000, 250):
        ran = etc.run("enable", prepare=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most)))
        if ran.returncode == 0:
            break
        assert ran.returncode == 1, ran.stderr
        assert "File too large" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert etc.tree() == before
    assert ran.returncode == 0


def test_commands_at_the_same_time(etc: Etc) -> None:
    running = []
    for number in range(8):
        code = f"import sys\nfrom wsgi_wasm.cli import main\nsys.exit(main({etc.argv('enable')!r}))"
        action = "enable" if number % 2 else "disable"
        code = code.replace("'enable'", repr(action))
        running.append(
            subprocess.Popen([sys.executable, "-P", "-c", code], env=environment(), stderr=subprocess.PIPE, text=True)
        )
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said
    etc.done("enable")
    assert etc.run("status").stdout.count("is as it was written") == 2


def test_as_a_user_who_may_not(etc: Etc) -> None:
    for path in (etc.tmp, *etc.tmp.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path == etc.control else 0o644)
    for parent in etc.tmp.parents[:3]:
        if parent.stat().st_uid == os.getuid() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)

    def nobody() -> None:
        if runs_as_other_user():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

    if not runs_as_other_user():
        (etc.etc / "conf-available").chmod(0o555)
    ran = etc.run("enable", prepare=nobody)
    assert ran.returncode == 1, ran.stderr
    assert "cannot be written to by this user: run this command as root" in ran.stderr
    ran = etc.run("enable", "--dry-run", prepare=nobody)
    assert ran.returncode == 0, ran.stderr
    assert "LocationMatch" in ran.stdout


def test_directories_that_are_links(etc: Etc) -> None:
    """The link leads to the file wherever the directories are, and whatever leads there."""
    moved = etc.tmp / "far" / "away"
    moved.mkdir(parents=True)
    shutil.move(etc.etc / "conf-enabled", moved)
    (etc.etc / "conf-enabled").symlink_to(moved / "conf-enabled")
    before = etc.tree()
    etc.done("enable")
    link = moved / "conf-enabled" / "wasm-site.conf"
    assert link.resolve() == etc.conf.resolve()
    assert link.read_bytes() == etc.conf.read_bytes()
    etc.done("disable")
    assert etc.tree() == before


def test_a_directory_without_links(etc: Etc) -> None:
    flat = etc.tmp / "conf.d"
    flat.mkdir()
    etc.done("enable", "--conf-dir", str(flat))
    assert sorted(path.name for path in flat.iterdir()) == ["wasm-site.conf", "wasm-site.wsgi"]
    etc.done("disable", "--conf-dir", str(flat))
    assert not list(flat.iterdir())


# What cannot be written so that httpd reads it back, in the path of the virtual environment.
UNWRITABLE = {'/a"b': "a quotation mark", "/a\\b": "a backslash", "/a\nb": "not printable", "/${PATH}": "`${`"}


@pytest.mark.parametrize("path", UNWRITABLE)
def test_paths_that_apache_would_read_otherwise(etc: Etc, path: str) -> None:
    said = etc.refused("enable", "--python-home", path)
    assert "cannot be written to Apache's configuration" in said
    assert UNWRITABLE[path] in said


NAMES = ("a b'c", 'a"b', "a\nb", "a\\", "a${PATH}", "a%{x}", "<a>", "größe", "\udcff")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_of_sites(etc: Etc, name: str) -> None:
    """The path of a site stands in a comment and in Python alone."""
    place = etc.tmp / name
    place.mkdir()
    site = place / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    before = etc.tree()
    etc.done("enable", str(site))
    scope: dict[str, object] = {}
    called: list[str] = []
    text = etc.script.read_bytes().replace(b"from wsgi_wasm.mod_wsgi import site_handler", b"")
    exec(compile(text, "script", "exec"), {"site_handler": called.append}, scope)
    assert called == [str(site)]
    lines = etc.conf.read_bytes().split(b"\n")
    assert all(line.startswith((b"#", b"WSGI", b" ", b"<")) or not line for line in lines)
    assert not [line for line in lines if line.startswith(b"#") and line.endswith(b"\\")]
    etc.done("disable", str(site))
    assert etc.tree() == before


def test_what_cannot_be_found(etc: Etc) -> None:
    assert "there is no such program" in etc.refused("enable", "--apachectl", "/nowhere/apachectl")
    assert "is not a directory" in etc.refused("enable", "--conf-dir", str(etc.tmp / "nowhere"))
    etc.site.write_text("routes: {/a: {}}\n", encoding="utf-8")
    assert "needs 'module', 'directory' or 'spin'" in etc.refused("enable")


@pytest.mark.parametrize("text", [None, "", "[1]", '{"a": 1}', "\0"])
def test_a_damaged_journal(etc: Etc, text: str | None) -> None:
    """As after a power failure; nothing is guessed."""
    journal = etc.conf.parent / ".wasm-site.undo"
    journal.mkdir()
    if text is not None:
        (journal / "list.json").write_text(text, encoding="utf-8")
    assert ".wasm-site.undo, what an interrupted command has left, is damaged" in etc.refused("enable")
