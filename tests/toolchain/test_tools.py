"""`wsgi-wasm cc` and its companions, as Makefiles, configure scripts and CMake use them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import environment
from conftest import SiteMaker
from servers.packages import package_parent
from wsgi_wasm.errors import BuildError
from wsgi_wasm.toolchain.command_line import parse
from wsgi_wasm.toolchain.projects import host_name

COMMAND = shlex.join([sys.executable, "-m", "wsgi_wasm"])
HELLO = """#include <stdio.h>
#include "b.h"
int main(void) { printf("Content-Type: text/plain\\n\\n%s %d", WORD, b()); return 0; }
"""


def run(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A shell's line, with `more` in the environment."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment(more=more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "a.c").write_text(HELLO)
    (tmp_path / "b.c").write_text('#include "b.h"\nint b(void) { return 42; }\n')
    (tmp_path / "b.h").write_text("int b(void);\n")
    return tmp_path


def answer(make_client: SiteMaker, program: Path) -> str:
    module = program.with_name("program.wasm")
    shutil.copy(program, module)
    return make_client({"/x": {"module": str(module)}}).get("/x").text


def test_a_makefile(project: Path, make_client: SiteMaker) -> None:
    cc, ar, ranlib = (f"{COMMAND} {name}" for name in ("cc", "ar", "ranlib"))
    flags = "-O2 -g -Wall -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -MMD -DWORD='\"made\"'"
    lines = [
        f"{cc} {flags} -c -o a.o a.c",
        f"{cc} {flags} -c b.c",
        f"{ar} cr libb.a b.o",
        f"{ranlib} libb.a",
        f"{cc} -pthread -Wl,-z,relro -Wl,--as-needed -o prog a.o -L. -lb -lm -ldl -lpthread",
    ]
    done = run(" && ".join(lines), project)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (project / "a.d").read_text().startswith("a.o:")
    assert os.access(project / "prog", os.X_OK)
    assert answer(make_client, project / "prog") == "made 42"


def test_the_package_in_another_place_has_the_same_parts(project: Path) -> None:
    """And a header that has changed makes others."""
    other, cache = project / "other", project / "cache"
    shutil.copytree(package_parent() / "wsgi_wasm", other / "wsgi_wasm", ignore=shutil.ignore_patterns("__pycache__"))

    def parts(package: Path) -> set[str]:
        done = run(f"{COMMAND} cc -DWORD='\"\"' a.c b.c", project, PYTHONPATH=str(package), WSGI_WASM_CACHE=str(cache))
        assert done.returncode == 0, done.stderr
        return {file.name for file in (cache / "toolchain").iterdir()}

    first = parts(package_parent())
    assert parts(other) == first
    with (other / "wsgi_wasm" / "guestlib" / "include" / "wsgi_wasm" / "host.h").open("a") as header:
        header.write("/* more */\n")
    assert {name.partition("-")[0] for name in parts(other) - first} >= {"libhost", "zone"}


CONFIGURE = """#!/bin/sh
# What autoconf's scripts do, without autoconf.
for word; do case $word in --host=*) host=${word#--host=};; --build=*) build=${word#--build=};; esac; done
sh ./config.sub $host || exit 1
. "$CONFIG_SITE"
have() {
    printf 'char %s ();\\nint main (void) { return %s (); }\\n' $1 $1 >conftest.c
    if $CC -o conftest conftest.c -lm >conftest.log 2>&1; then echo "#define HAVE_$1 1"; fi
}
{ have popen; have getuid; have nothing_of_the_kind; } >config.h
echo "#define WORD \\"$ac_cv_func_malloc_0_nonnull $host\\"" >>config.h
printf 'prog: a.c b.c\\n\\t%s -include config.h -o prog a.c b.c\\n' "$CC" >Makefile
"""


def test_a_configure_script_with_an_old_config_sub(project: Path, make_client: SiteMaker) -> None:
    (project / "configure").write_text(CONFIGURE)
    (project / "config.sub").write_text(
        'case $1 in none|i386-*) echo $1;; *) echo "not recognized" >&2; exit 1;; esac\n'
    )
    done = run(f"{COMMAND} configure --disable-nls && make", project)
    assert done.returncode == 0, done.stderr
    header = (project / "config.h").read_text()
    assert "HAVE_popen" in header
    assert "HAVE_getuid" in header
    assert "nothing" not in header
    assert answer(make_client, project / "prog") == "yes none 42"


def test_config_sub(tmp_path: Path) -> None:
    assert host_name(tmp_path) == "wasm32-wasi"
    (tmp_path / "build-aux").mkdir()
    (tmp_path / "build-aux" / "config.sub").write_text("exit 0\n")
    assert host_name(tmp_path) == "wasm32-wasi"
    (tmp_path / "build-aux" / "config.sub").write_text("exit 1\n")
    with pytest.raises(BuildError, match="replace it by a newer one"):
        host_name(tmp_path)


CMAKE = """cmake_minimum_required(VERSION 3.10)
project(x C)
include(CheckFunctionExists)
check_function_exists(popen HAVE_POPEN)
check_function_exists(nothing_of_the_kind HAVE_NOTHING)
add_library(b STATIC b.c)
add_executable(prog a.c)
target_link_libraries(prog b m)
target_compile_definitions(prog PRIVATE WORD="cmake ${HAVE_POPEN}${HAVE_NOTHING}")
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
def test_cmake(project: Path, make_client: SiteMaker) -> None:
    (project / "CMakeLists.txt").write_text(CMAKE)
    done = run(f"{COMMAND} cmake -B build && {COMMAND} cmake --build build", project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert answer(make_client, project / "build" / "prog.wasm") == "cmake 1 42"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("cc -dumpmachine", 0, "wasm32-wasi"),
        ("cc --version", 0, "clang version"),
        ("cc -E -P -DX=7 -", 0, "number 7"),
        ("cc -shared -o lib.so b.c", 1, "--disable-shared"),
        ("cc", 1, "no input files"),
        ("cc -c wrong.c", 1, "wrong.c:1:"),
        ("cc -o prog b.c", 1, "undefined symbol: main"),
        ("cc -o prog a.c -DWORD=1", 1, "undefined symbol: b"),
        ("configure", 1, "no such script"),
        ("ar t nothing.a", 1, "nothing.a"),
    ],
)
def test_what_is_said(project: Path, words: str, status: int, says: str) -> None:
    (project / "wrong.c").write_text("int main(void) { return }\n")
    done = run(f"echo number X | {COMMAND} {words}", project)
    assert done.returncode == status, done.stderr
    assert says in done.stdout + done.stderr
    assert not (project / "prog").exists()


@pytest.mark.parametrize(
    ("words", "mode", "sources", "inputs"),
    [
        ("-c a.c -o x.o", "compile", ["a.c"], ["a.c"]),
        ("-ox a.o b.cc -L lib -lfoo -lm", "link", ["b.cc"], ["a.o", "b.cc", "-Llib", "-lfoo"]),
        ("-x c - -E", "preprocess", ["-"], ["-"]),
        ("-include a.c -I b.c c.c", "link", ["c.c"], ["c.c"]),
        ("-Wl,--start-group a.a -Wl,--end-group -Wl,-z,stack-size=9", "link", [], ["a.a", "-Wl,-z,stack-size=9"]),
        ("-MM a.c", "preprocess", ["a.c"], ["a.c"]),
        ("-v", "ask", [], []),
        ("a.s b.S lib.so", "link", ["a.s", "b.S"], ["a.s", "b.S", "lib.so"]),
    ],
)
def test_command_lines(words: str, mode: str, sources: list[str], inputs: list[str]) -> None:
    line = parse(words.split())
    assert (line.mode, line.sources, line.inputs) == (mode, sources, inputs)
