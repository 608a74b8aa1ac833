"""`wsgi-wasm compile` and `build`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from guests.build import guest

from .conftest import Command
from .programs import PLAIN, printing

SiteWriter = Callable[[str], Path]


def test_a_site_is_compiled_once(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "programs").mkdir()
    for name in ("x.wat", "programs/y.wat"):
        (tmp_path / name).write_text(printing(f"{PLAIN}{name}"))
    site("routes: {/x: {module: x.wat}, /again: {module: x.wat}, /p: {directory: programs}}")
    done = wsgi_wasm("compile", "site.yaml", cache=cache)
    assert (done.status, done.err) == (0, "")
    assert [re.sub(r"[0-9.]+", "N", line.partition(": ")[2]) for line in done.text.splitlines()] == ["N KiB, N s"] * 2
    assert [line.partition(":")[0] for line in done.text.splitlines()] == ["x.wat", "programs/y.wat"]
    assert len(list(cache.glob("*.cwasm"))) == 2
    again = wsgi_wasm("compile", "site.yaml", cache=cache)
    assert all(line.endswith(", cached") for line in again.text.splitlines())
    forced = wsgi_wasm("compile", "--force", "site.yaml", cache=cache)
    assert "cached" not in forced.text
    assert wsgi_wasm("check", "site.yaml", "--no-compile", cache=cache).text.count(" ok\n") == 3


def test_modules_by_name_and_another_cache(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    (tmp_path / "exceptions.wat").write_bytes(guest("exceptions").read_bytes())
    other = tmp_path / "other"
    done = wsgi_wasm("compile", "--cache", other, "--features", "exceptions", "x.wat", "exceptions.wat")
    assert done.status == 0, done.text
    assert len(list(other.glob("*.cwasm"))) == 2
    failed = wsgi_wasm("compile", "--cache", other, "--features", "", "x.wat", "exceptions.wat", "missing.wat")
    assert failed.status == 1


def test_one_that_fails_does_not_stop_the_others(wsgi_wasm: Command, site: SiteWriter, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    site(f"routes: {{/a: {{module: {guest('broken')}}}, /b: {{module: gone.wasm}}, /c: {{module: x.wat}}}}")
    done = wsgi_wasm("compile", "site.yaml")
    assert done.status == 1
    broken, gone, good = done.text.splitlines()
    assert "failed" in broken
    assert gone == "gone.wasm: failed: No such file or directory"
    assert good.startswith("x.wat: ")
    assert done.err == "wsgi-wasm: 2 modules could not be compiled\n"


def test_a_cache_that_cannot_be_used(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text(printing(PLAIN))
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    done = wsgi_wasm("compile", "x.wat", "--cache", loose)
    assert done.status == 1
    assert f"wsgi-wasm: {loose} can be written by its group or by others: not used (chmod go-w {loose})" in done.err


@pytest.mark.parametrize("command", ["compile", "check", "run", "serve"])
def test_a_feature_that_there_is_not(command: str, wsgi_wasm: Command) -> None:
    done = wsgi_wasm(command, "x.wat", "--features", "excpetions")
    assert done.status == 2
    assert "unknown engine features: excpetions; the known ones are " in done.err
    assert done.err.endswith("; did you mean 'exceptions'?\n")


@pytest.mark.parametrize("command", ["check", "run"])
def test_features_for_a_module_by_itself(command: str, wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "x.wat").write_text('(module (tag) (memory (export "memory") 1) (func (export "_start")))')
    fail = ["--fail"] if command == "run" else []
    without = wsgi_wasm(command, "x.wat", *fail, "--features", "")
    assert without.status == 1
    assert "or `--features exceptions` for a module by itself" in without.text + without.err
    done = wsgi_wasm(command, "x.wat", "--features", "exceptions")
    assert "disabled" not in done.text + done.err
    assert command == "run" or done.status == 0


SOURCE = '#include <stdio.h>\nint main(void) { puts("Content-Type: text/plain\\n\\n" WORD); return 0; }\n'


def test_build_without_a_home(wsgi_wasm: Command, tmp_path: Path) -> None:
    """As of a service, or of Apache's user: the compiler wants a directory for its libraries."""
    (tmp_path / "x.c").write_text(SOURCE)
    env = {"HOME": "/proc/nothing", "XDG_CACHE_HOME": "", "ZIG_GLOBAL_CACHE_DIR": "", "TMPDIR": str(tmp_path)}
    assert wsgi_wasm("build", "x.c", "--", '-DWORD="hello"', env=env).status == 0
    assert not list(tmp_path.glob("wsgi-wasm-zig-*"))


def test_build_and_run(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "hello.c").write_text(SOURCE)
    done = wsgi_wasm("build", "hello.c", "-O", "2", "--", '-DWORD="built"')
    assert done.status == 0, done.err
    assert re.fullmatch(r"hello\.wasm: [0-9.]+ ?KiB\n", done.text)
    assert done.err == "to try it, run: wsgi-wasm run hello.wasm\n"
    assert wsgi_wasm("run", "hello.wasm", "--body").text == "built\n"


def test_build_says_what_the_compiler_says(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "hello.c").write_text(SOURCE)
    done = wsgi_wasm("build", "-o", "out.wasm", "hello.c")
    assert (done.status, done.out) == (1, b"")
    assert "WORD" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out.wasm").exists()


@pytest.mark.parametrize("name", ["gone.c", "."])
def test_build_of_nothing(name: str, wsgi_wasm: Command) -> None:
    assert wsgi_wasm("build", "-o", "x.wasm", name).err == f"wsgi-wasm: {name}: no such file\n"


def test_the_python_interpreter_is_looked_for_in_the_cache_that_is_named(
    wsgi_wasm: Command, site: SiteWriter, tmp_path: Path
) -> None:
    (tmp_path / "scripts").mkdir()
    site("routes: {/cgi-bin: {directory: scripts, interpreters: {.py: python}}}")
    done = wsgi_wasm("compile", "--cache", "other", "site.yaml")
    assert done.status == 1
    assert f"run `wsgi-wasm interpreter build python --cache {tmp_path / 'other'}`" in done.text
