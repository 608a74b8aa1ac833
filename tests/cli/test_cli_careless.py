"""What happens to administrators who are in a hurry: closed streams, full disks, other locales, empty names."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from .conftest import TIMEOUT, Command, command_line, environment
from .programs import PLAIN, printing

COMMANDS = (["check", "x.wat"], ["run", "x.wat"], ["compile", "x.wat"], ["--version"], ["--help"], ["check", "--help"])
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shell(tmp: Path, redirection: str, arguments: list[str]) -> tuple[int, str]:
    """Status and standard error of a command with its streams redirected by a shell."""
    (tmp / "x.wat").write_text(printing(f"{PLAIN}short"))
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command_line(*arguments)],
        cwd=tmp, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_is_no_bug(arguments: list[str], tmp_path: Path) -> None:
    status, said = shell(tmp_path, ">/dev/full", arguments)
    assert (status, said.splitlines()[-1]) == (1, "wsgi-wasm: standard output: No space left on device")
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", COMMANDS[:3], ids=" ".join)
def test_closed_streams(arguments: list[str], closed: str, tmp_path: Path) -> None:
    status, said = shell(tmp_path, closed, arguments)
    assert status == 0
    assert "Traceback" not in said


def test_names_of_files_in_a_locale_without_their_characters(wsgi_wasm: Command, tmp_path: Path) -> None:
    folder = tmp_path / "grö"
    folder.mkdir()
    (folder / "hällo.wat").write_text(printing(f"{PLAIN}short"))
    (tmp_path / "ß.yaml").write_text("routes: {/ä: {module: grö/hällo.wat}}\n", encoding="utf-8")
    cache = tmp_path / "cache"
    for arguments in (["check", "ß.yaml"], ["compile", "ß.yaml"], ["compile", "grö"]):
        done = wsgi_wasm(*arguments, env=ASCII, cache=cache)
        assert (done.status, done.err) == (0, "")
        assert "hällo.wat" in done.text
    assert wsgi_wasm("run", "ß.yaml", "/ä", "--body", env=ASCII, cache=cache).text == "short"


@pytest.mark.parametrize("command", ["serve", "check", "run", "compile", "import spin", "build", "cache list", "scan"])
def test_a_name_that_is_empty(command: str, wsgi_wasm: Command) -> None:
    """As from a variable of the shell that is not set: it is not the working directory."""
    done = wsgi_wasm(*command.split(), "")
    assert done.status == 2
    assert done.err.endswith(": the name is empty\n")


def test_data_without_a_name(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    done = wsgi_wasm("run", "x.wat", "--data", "@")
    assert (done.status, done.err) == (1, "wsgi-wasm: --data @ needs the name of a file, or - for standard input\n")


def test_a_unix_socket_that_is_in_use(wsgi_wasm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("used")
        listening.listen()
        done = wsgi_wasm("serve", "x.wat", "--bind", "unix:used")
    assert done.status == 1
    assert done.err.startswith("wsgi-wasm: unix:used: it is already in use")
    assert (tmp_path / "used").is_socket(), "it is still there"


def test_a_relative_cache_of_the_user_is_none(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}short"))
    env = {"WSGI_WASM_CACHE": "", "XDG_CACHE_HOME": "relative", "HOME": str(tmp_path)}
    assert wsgi_wasm("compile", "x.wat", env=env).status == 0
    assert not (tmp_path / "relative").exists()
    assert list((tmp_path / ".cache" / "wsgi-wasm").glob("*.cwasm"))


@pytest.mark.usefixtures("untraced")  # what is measured would be written by that user
def test_a_cache_of_somebody_else(open_tmp: Path) -> None:
    cache = open_tmp / "cache"
    (cache / "files").mkdir(parents=True)
    (cache / "files").chmod(0)
    other = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*other, *command_line("cache", "list", "--cache", cache)],
        cwd="/", env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False,
    )  # fmt: skip
    (cache / "files").chmod(0o755)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
