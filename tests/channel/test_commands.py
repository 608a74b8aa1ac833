"""`commands`: a guest starts exactly the programs that its route grants, and none outlives it."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from channel.hints import hints_anew  # noqa: F401
from conftest import SiteMaker
from servers.process import wait_for
from wsgi_wasm.hostapi.channel.command_line import NeedsShell, may_have, split

TOOL = Path(__file__).with_name("tool.py")

Ask = Callable[..., str]


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """The program, as one that can be executed."""
    path = tmp_path / "tool"
    path.write_text(f"#!{sys.executable}\n{TOOL.read_text('utf-8')}", "utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def ask(make_client: SiteMaker, tool: Path) -> Ask:
    """`ask(line, how="read", route={...}, **command)`: what the guest printed."""

    def asked(line: str, *, how: str = "read", route: dict[str, Any] = {}, query: str = "", **command: Any) -> str:
        command = {"path": str(tool), "args": ["*", "--x=*"], **command}
        client = make_client({"/p": {"module": "popen", "commands": {"tool": command}, **route}})
        answer = client.get(f"/p?line={quote(line)}&how={how}&{query}")
        return answer.text if answer.status_code == 200 else str(answer.status_code)

    return asked


def test_output_and_status(ask: Ask, tool: Path) -> None:
    assert ask('tool args a \'b c\' "d\\"e" f\\ g --x=1') == 'a|b c|d"e|f g|--x=1\n[0]\n'
    assert ask(f"{tool} args") == "\n[0]\n"
    assert ask("/usr/bin/tool status 3", how="system") == "[3]\n"
    assert ask("tool args x 2>&1") == "x\n[0]\n"


def test_input(ask: Ask) -> None:
    assert ask("tool upper", how="write", query="text=abc&times=2") == "ABCABC[0]\n"
    assert ask("tool upper", how="system") == "[0]\n"


def test_more_output_than_anybody_reads(ask: Ask) -> None:
    """The guest writes a megabyte before it reads."""
    assert ask("tool upper", how="write", query="text=" + "a" * 1000 + "&times=1000", max_output="2MiB").startswith(
        "AA"
    )


def test_its_environment_is_its_own(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the server")
    printed = ask("tool env", env={"HOME": "/nowhere"}, cwd=str(tmp_path))
    assert "SECRET" not in printed
    assert printed.startswith("HOME=/nowhere LANG=C.UTF-8 ")
    assert printed.endswith(f" {tmp_path}\n[0]\n")


def test_standard_error_goes_to_the_log(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    assert ask("tool errors") == "printed\n[0]\n"
    assert "to the log" in caplog.text
    assert sorted(ask("tool errors 2>&1").splitlines()) == ["[0]", "printed", "to the log"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("cat /etc/passwd", "the key for it is `commands`"),
        ("tool -x", "its `args` do not allow"),
        ("tool args; id", "needs a shell"),
        ("tool args `id`", "needs a shell"),
        ("tool args $HOME", "needs a shell"),
        ("tool args > /tmp/x", "needs a shell"),
        ("tool args | cat", "needs a shell"),
        ("tool args *", "needs a shell"),
        ("tool 'args", "needs a shell"),
        ("../tool args", "the key for it is `commands`"),
        ("/tmp/tool args", "the key for it is `commands`"),
        ("", ""),
    ],
)
def test_anything_else_is_not_installed(ask: Ask, caplog: pytest.LogCaptureFixture, line: str, hint: str) -> None:
    assert ask(line) == "[not started: 44]\n"
    assert hint in caplog.text
    assert ask(line, how="system") == "[127]\n"


def test_a_route_that_grants_nothing(make_client: SiteMaker) -> None:
    client = make_client({"/p": {"module": "popen"}})
    assert client.get("/p?line=ls").text == "[not started: 44]\n"
    assert client.get("/p?line=ls&how=system").text == "[127]\n"


def test_a_path_that_leads_nowhere(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    assert ask("tool", path="/nonexistent/tool") == "[not started: 44]\n"
    assert "/nonexistent/tool cannot be started: No such file or directory" in caplog.text


def test_its_limits(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    assert ask("tool sleep", timeout="300ms") == "asleep\n[-15]\n"
    assert "has been ended after its timeout" in caplog.text
    assert ask("tool yes", max_output="1MiB", query="quiet=1").endswith(" bytes\n[-9]\n")
    assert "more than max_output" in caplog.text
    assert ask("tool memory 2>/dev/null", memory="128MiB") == "[1]\n"
    assert ask("tool yes", query="first=1&quiet=1").endswith(" bytes\n[1]\n")  # a pipe that nobody reads


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_ends_though_it_ignores_the_signal(ask: Ask) -> None:
    printed = ask("tool stubborn", timeout="300ms")
    assert printed.endswith("[-9]\n")
    wait_for("the program to end", lambda: gone(int(printed.split()[0])))


def test_what_it_has_left_behind_ends_with_it(ask: Ask, tmp_path: Path) -> None:
    assert ask(f"tool daemon {tmp_path}/pid") == "done\n[0]\n"
    wait_for("the daemon to end", lambda: gone(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize("line", ["tool sleep", "tool closes", "tool stubborn"])
def test_it_ends_with_the_guest(ask: Ask, line: str) -> None:
    assert ask(line, route={"timeout": "300ms"}) == "504"


def test_a_guest_that_ends_without_waiting(ask: Ask) -> None:
    """exit() closes what popen() has opened, as the system does natively."""
    assert ask("tool upper", how="leave", query="text=abc") == "ABC"


def test_no_more_at_a_time_than_granted(ask: Ask) -> None:
    assert ask("tool upper", how="flood", concurrency=2) == "[2 EAGAIN]\n"


def test_a_library_that_releases_nothing(ask: Ask) -> None:
    assert ask("tool status 0", how="many", concurrency=20, route={"timeout": "60s"}) == "[40]\n"


def test_more_than_the_system_takes(ask: Ask) -> None:
    assert ask("tool args " + "x" * 200_000) == "[not started: 1]\n"
    assert ask("tool args " + "x " * 2_000) == "[not started: 44]\n"
    assert ask("tool args " + "x" * 100_000) == "x" * 100_000 + "\n[0]\n"


def test_whoever_starts_them_is_started_again(ask: Ask) -> None:
    assert ask("tool args a") == "a\n[0]\n"
    name = b"wsgi_wasm.isolation.spawner"
    mine = f"--server\0{os.getpid()}\0".encode()
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if name in words and mine in words:
                os.kill(int(process.name), signal.SIGKILL)
                found += 1
    assert found
    assert ask("tool args b") == "b\n[0]\n"


def test_nothing_stays_open(ask: Ask) -> None:
    """Neither pipes nor connections of programs that were started, refused or ended with their guest."""
    ask("tool args")
    before = len(os.listdir("/proc/self/fd"))
    for line in ("tool args", "cat", "tool -x"):
        ask(line)
    ask("tool sleep", route={"timeout": "200ms"})
    ask("tool upper", how="flood", concurrency=3)
    ask("tool", path="/nonexistent/tool")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # of the gateways' own


# --- lines ------------------------------------------------------------------------------------------

LINES: list[tuple[str, tuple[str, ...] | None]] = [
    ("a b  c\t d", ("a", "b", "c", "d")),
    ("a '' \"\"", ("a", "", "")),
    ("a'b'\"c\"d", ("abcd",)),
    (r"a\ b \'c \\", ("a b", "'c", "\\")),
    (r'"a\"b\\c\d"', (r'a"b\c\d',)),
    ("a#b c~d e=f g{h} !", ("a#b", "c~d", "e=f", "g{h}", "!")),
    ("a '$(x)`;|&<>*?[]~#'", ("a", "$(x)`;|&<>*?[]~#")),
    ("a 2>&1", ("a",)),
    ("a >/dev/null 2>&1", ("a",)),
    ("", ()),
    *((f"a {one}", None) for one in ("|b", ";", "&", "$x", "`b`", "(b)", "<b", ">b", "*", "b?", "[b]", "~", "#b")),
    ('a "$x"', None),
    ('a "`b`"', None),
    ("a 'b", None),
    ('a "b', None),
    ("a \\", None),
    ("a\nb", None),
    ("a 3>&1", None),
    (" ".join("a" * 2000), None),
]


@pytest.mark.parametrize(("line", "words"), LINES, ids=lambda one: repr(one)[:30])
def test_a_line(line: str, words: tuple[str, ...] | None) -> None:
    if words is None:
        with pytest.raises(NeedsShell):
            split(line)
    else:
        assert split(line).words == words


@pytest.mark.parametrize(
    ("patterns", "argument", "allowed"),
    [
        (["log"], "log", True),
        (["log"], "log2", False),
        (["*"], "--upload-pack=x", False),
        (["--max-count=*"], "--max-count=3", True),
        (["-*"], "-x", True),
        (["?*"], "-x", False),
        ([], "", False),
        (["*"], "", True),
        (["[0-9]*"], "3\nx", True),
    ],
)
def test_an_argument(patterns: list[str], argument: str, allowed: bool) -> None:
    assert may_have(patterns, argument) is allowed
