"""Libraries that `wsgi-wasm sysroot add` builds of Debian's sources, and programs that use them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.conftest import command_line, environment
from conftest import SiteMaker
from wsgi_wasm.errors import BuildError
from wsgi_wasm.toolchain import debian
from wsgi_wasm.toolchain.build import build
from wsgi_wasm.toolchain.sysroot import LIBRARIES, add

PROGRAMS = {
    "zlib": ("#include <zlib.h>", 'printf("%lx", crc32(0, (const Bytef *)"abc", 3));', "-lz", "352441c2"),
    "expat": (
        "#include <expat.h>",
        'XML_Parser p = XML_ParserCreate(NULL); printf("%d", XML_Parse(p, "<a/>", 4, 1));',
        "-lexpat",
        "1",
    ),
    "libpng": ("#include <png.h>", 'printf("%d", png_access_version_number() / 10000);', "-lpng -lz", "1"),
    "pcre2": (
        "#define PCRE2_CODE_UNIT_WIDTH 8\n#include <pcre2.h>",
        'int e; size_t at; printf("%d", pcre2_compile((PCRE2_SPTR)"(a|b)+", 6, 0, &e, &at, NULL) != NULL);',
        "-lpcre2-8",
        "1",
    ),
}


def test_off_debian_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSGI_WASM_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(BuildError, match="is not installed: use Debian"):
        debian.fetch_source("zlib", tmp_path)


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSGI_WASM_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(debian, "_text", lambda file: 'ID=fedora\nVERSION_CODENAME=""\n')
    with pytest.raises(BuildError, match="this system is not Debian"):
        debian.fetch_source("zlib", tmp_path)


def test_the_machines_own_archives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://a.example/debian bookworm main\n"
        "deb [signed-by=/k.gpg] http://a.example/debian bookworm main contrib\n"
        "deb http://other.example/apt stable main\ndeb-src http://a.example/debian bookworm main\n"
    )
    (tmp_path / "sources.list.d" / "d.sources").write_text(
        "Types: deb\nURIs: http://b.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
        "Signed-By: /keys.gpg\n\nTypes: deb\nURIs: http://c.example\nSuites: nodistro\nComponents: main\n"
    )
    monkeypatch.setattr(debian, "_ETC", tmp_path)
    monkeypatch.setattr(debian, "_release", lambda: "bookworm")
    assert sorted(debian._source_lines()) == [
        "deb-src [signed-by=/k.gpg] http://a.example/debian bookworm main contrib",
        "deb-src [signed-by=/keys.gpg] http://b.example/debian bookworm main",
        "deb-src [signed-by=/keys.gpg] http://b.example/debian bookworm-updates main",
    ]


@pytest.mark.corpus
@pytest.mark.timeout(1800)  # what is compiled takes minutes
@pytest.mark.parametrize("name", LIBRARIES)
def test_library(name: str, tmp_path: Path, make_client: SiteMaker) -> None:
    add([name])
    header, body, flags, expected = PROGRAMS[name]
    source = tmp_path / "uses.c"
    source.write_text(
        f'#include <stdio.h>\n{header}\nint main(void) {{ puts("Content-Type: text/plain\\n"); {body} return 0; }}\n'
    )
    build([source], tmp_path / "uses.wasm", flags=flags.split())
    (tmp_path / "data").mkdir()
    dirs = {"/data": {"path": str(tmp_path / "data"), "writable": True}}
    response = make_client({"/x": {"module": str(tmp_path / "uses.wasm"), "dirs": dirs}}).get("/x")
    assert response.text.strip() == expected


def test_list(tmp_path: Path) -> None:
    done = subprocess.run(
        command_line("sysroot", "list"), env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout.count("not built") == len(LIBRARIES)
