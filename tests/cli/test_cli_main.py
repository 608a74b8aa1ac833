"""The command line as a whole: exit statuses, help, and what is not loaded for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wsgi_wasm.cli import BUG, COMMANDS, main

from .conftest import Command, command_line, environment
from .programs import PLAIN, printing


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_examples_that_parse(name: str, wsgi_wasm: Command) -> None:
    done = wsgi_wasm(name, "--help")
    assert (done.status, done.err) == (0, "")
    examples = done.text.partition("examples:\n")[2]
    assert f"wsgi-wasm {name} " in examples


def test_version_names_the_engine(wsgi_wasm: Command) -> None:
    assert re.fullmatch(r"wsgi-wasm \S+ \(wasmtime \d+\.\d+\.\d+, Python \S+\)\n", wsgi_wasm("--version").text)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bake",),
        ("serve",),
        ("serve", "site.yaml", "--bind", "nowhere"),
        ("serve", "site.yaml", "--bind", "::1:80"),
        ("serve", "site.yaml", "--workers", "0"),
        ("run", "site.yaml", "no-slash"),
        ("run", "site.yaml", "/", "--header", "no colon"),
        ("run", "site.yaml", "/", "--profile", "0"),
        ("compile",),
        ("build", "--", "-O2"),
        ("build", "x.c", "-O", "9"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], wsgi_wasm: Command) -> None:
    done = wsgi_wasm(*arguments)
    assert (done.status, done.out) == (2, b"")
    assert "usage: wsgi-wasm" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["bake"], ["bake", "serve"], []])
def test_help_and_usage_errors_load_no_engine(arguments: list[str]) -> None:
    script = (
        f"import sys; from wsgi_wasm.cli import main; main({arguments!r}); heavy = {{'wsgi_wasm.engine', "
        "'wsgi_wasm.engine.capi.core', 'wsgi_wasm.app', 'wsgi_wasm.cli.commands', 'gunicorn', 'werkzeug', 'yaml'} "
        "& set(sys.modules); "
        "print('heavy:', *sorted(heavy), file=sys.stderr)"
    )
    assert in_process(script).stderr.splitlines()[-1] == "heavy:"


def in_process(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_command_loads_no_other_one() -> None:
    """Nor what is needed by others alone: a word that is an argument is no command."""
    done = in_process(
        "import sys; from wsgi_wasm.cli import main; main(['build', 'serve', 'check']); "
        "print(*(name for name in sys.modules if name.startswith(('wsgi_wasm.cli.commands.', 'gunicorn.'))))"
    )
    assert done.stdout.split() == ["wsgi_wasm.cli.commands.build"]
    assert done.stderr == "wsgi-wasm: serve: no such file\n"


def test_a_package_that_is_missing_is_named() -> None:
    done = in_process(
        "import sys; sys.modules['gunicorn'] = None; from wsgi_wasm.cli import main; sys.exit(main(['serve', 'x']))"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("wsgi-wasm: the Python package of 'gunicorn' is not installed: ")


# Sends this process an interrupt as soon as the module FIRST is looked for, that is inside an
# import. Whoever starts it may have interrupts ignored, as a shell has for what runs in the
# background.
INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == FIRST:
            print("interrupted", flush=True)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["serve", "x.wat"]
"""
ENTRIES = {
    "module": "import runpy; runpy.run_module('wsgi_wasm', run_name='__main__', alter_sys=True)",
    "script": "from wsgi_wasm.__main__ import main; sys.exit(main())",
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    "first",
    ["wsgi_wasm.cli", "wsgi_wasm.errors", "wsgi_wasm.config", "wsgi_wasm.engine.capi.core", "gunicorn.app.base"],
)
def test_an_interrupt_while_it_is_loaded_is_quiet(first: str, entry: str) -> None:
    done = in_process(INTERRUPTED.replace("FIRST", repr(first)) + ENTRIES[entry])
    assert (done.returncode, done.stdout, done.stderr) == (130, "interrupted\n", "")


def test_interrupts_are_again_what_they_were() -> None:
    done = in_process(
        "import signal; from wsgi_wasm.cli import main\n"
        "for handler in (signal.default_int_handler, signal.SIG_IGN, print):\n"
        "    signal.signal(signal.SIGINT, handler)\n"
        "    main(['bake'])\n"
        "    assert signal.getsignal(signal.SIGINT) is handler, handler\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["serve", "check", "run", "compile"])
def test_every_mistake_of_a_file_is_one_line(name: str, wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("routes:\n  /a: {modul: a.wasm}\n  /b: {module: b.wasm, timeout: 5}\n")
    done = wsgi_wasm(name, "site.yaml")
    assert (done.status, done.out) == (1, b"")
    lines = done.err.splitlines()
    assert any(line.startswith("site.yaml:2:") and "did you mean 'module'?" in line for line in lines)
    assert any(line.startswith("site.yaml:3:") and "timeout" in line for line in lines)
    assert all(line.startswith("site.yaml:") for line in lines)


@pytest.mark.parametrize("file", ["nothing.yaml", "nothing.wasm"])
def test_a_missing_file(file: str, wsgi_wasm: Command) -> None:
    done = wsgi_wasm("check", file)
    assert (done.status, done.err) == (1, f"{file}: cannot be read: No such file or directory\n")


def test_a_bug_of_ours_is_3_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(options: object) -> int:
        raise KeyError("inside")

    monkeypatch.setattr("wsgi_wasm.cli.commands.check.run", broken)
    assert main(["check", "site.yaml"]) == BUG
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "KeyError: 'inside'" in said
    assert said.rstrip().splitlines()[-1].startswith("wsgi-wasm: this is a bug in wsgi_wasm, please report it")


def test_a_reader_who_leaves_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(f"{PLAIN}hello"))
    with subprocess.Popen(
        command_line("run", "x.wat"), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(60) == 141
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


@pytest.mark.usefixtures("untraced")
def test_an_interrupt_is_quiet(tmp_path: Path) -> None:
    fifo = tmp_path / "site.yaml"
    os.mkfifo(fifo)
    # Where the tests themselves run in the background, they have inherited that interrupts are
    # ignored, as would it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            command_line("check", "site.yaml"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stderr is not None
        writing = os.open(fifo, os.O_WRONLY)  # returns once the command reads, and so is past its start
        try:
            process.send_signal(signal.SIGINT)
            # A pipe is refused, unless the signal is faster; it may also come when the command has ended.
            assert process.wait(60) in (130, 1, -signal.SIGINT)
        finally:
            os.close(writing)
        # What comes when the command has ended, the interpreter itself says.
        assert b"Traceback" not in process.stderr.read() or process.returncode == 1
