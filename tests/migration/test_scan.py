"""`wsgi-wasm scan`: what it says of files, and what hostile files, names and directories do to it."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.conftest import Command, command_line, environment
from guests.build import guest, native_compiler
from wsgi_wasm.cli import main
from wsgi_wasm.cli.columns import columns_of, fitted
from wsgi_wasm.migration.elf import read_elf
from wsgi_wasm.migration.needs import MOST_NEEDS
from wsgi_wasm.migration.places import ProgramPlace, places_of_httpd
from wsgi_wasm.migration.scan import Candidate, scan
from wsgi_wasm.migration.scan_report import as_page

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "scan_cases.yaml").read_text("utf-8"))


def nothing(_: int) -> None:
    """No progress is shown."""


def programs(directory: Path) -> dict[str, Candidate]:
    return {program.path: program for program in scan(ProgramPlace(directory), nothing).programs}


def put(path: Path, content: str | bytes, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def native(source: str, output: Path, *flags: str) -> None:
    """Compile C for this machine."""
    text = output.with_suffix(".c")
    text.write_text(source, encoding="utf-8")
    subprocess.run([native_compiler(), "-o", output, text, *flags], check=True)


# --- what a file is and needs ---


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_files(case: dict[str, Any], tmp_path: Path) -> None:
    content = bytes.fromhex(case["bytes"]) if "bytes" in case else case["text"]
    put(tmp_path / case["name"], content, int(str(case.get("mode", 755)), 8))
    found = programs(tmp_path)
    if case["way"] is None:
        assert found == {}
        return
    program = found[case["name"]]
    assert (program.way.name, program.kind.language) == (case["way"], case["language"])
    assert [need.kind for need in program.needs] == case.get("needs", [])
    assert set(case.get("what", [])) <= {need.what for need in program.needs}


def test_a_native_program_and_its_source(tmp_path: Path) -> None:
    native('int main(void) { return fopen("/var/lib/n", "w") == 0; }', tmp_path / "counter.cgi")
    program = programs(tmp_path)["counter.cgi"]
    assert (program.way.name, program.way.how) == ("recompile", "wsgi-wasm build counter.c")
    assert [(need.kind, need.what) for need in program.needs] == [("writes", "/var/lib/n")]
    assert "counter.c" not in programs(tmp_path)


def test_a_source_that_has_another_name_is_found_by_the_symbols(tmp_path: Path) -> None:
    native("int main(void) { return 0; }", tmp_path / "first")
    (tmp_path / "src").mkdir()
    (tmp_path / "first.c").rename(tmp_path / "src" / "first.c")
    (tmp_path / "first").rename(tmp_path / "second.cgi")
    assert programs(tmp_path)["second.cgi"].way.how == "wsgi-wasm build -o second.wasm src/first.c"


@pytest.mark.parametrize("flags", [(), ("-s",), ("-static", "-Wl,--unresolved-symbols=ignore-all")])
def test_what_a_native_program_needs(flags: tuple[str, ...], tmp_path: Path) -> None:
    source = """#include <stdlib.h>
      #include <unistd.h>
      int main(int argc, char **argv) {
        if (argc > 5) { fork(); system(argv[1]); socket(1, 2, 3); system("/usr/sbin/sendmail -t"); } return 0; }"""
    native(source, tmp_path / "all", *flags, "-w")
    (tmp_path / "all.c").unlink()
    program = programs(tmp_path)["all"]
    assert program.way.name == "native"
    assert {"programs", "sockets", "mail"} <= {need.kind for need in program.needs}
    assert ("linked statically, so what it needs is told less well" in program.remarks) == ("-static" in flags)


def test_libraries_are_no_programs(tmp_path: Path) -> None:
    native("int x(void) { return 0; }", tmp_path / "libx.so", "-shared", "-fPIC")
    native("int x(void) { return 0; }", tmp_path / "x.o", "-c")
    for source in tmp_path.glob("*.c"):
        source.unlink()
    assert programs(tmp_path) == {}


def test_modules_beside_a_script_count(tmp_path: Path) -> None:
    put(tmp_path / "a.py", "#!/usr/bin/python3\nimport first\nfrom package import x\n")
    put(tmp_path / "first.py", "import second, first\n", 0o644)
    put(tmp_path / "second.py", "import socket\nimport second, first\n", 0o644)
    put(tmp_path / "package" / "__init__.py", "", 0o644)
    (program,) = programs(tmp_path).values()
    assert [(need.kind, need.where) for need in program.needs] == [("sockets", "second.py, line 1")]


def test_modes_are_told(tmp_path: Path) -> None:
    put(tmp_path / "suid.py", "#!/usr/bin/python3\n", 0o4755)
    put(tmp_path / "open.py", "#!/usr/bin/python3\n", 0o777)
    found = programs(tmp_path)
    assert [(need.what, need.where) for need in found["suid.py"].needs] == [("set-user-ID", "mode 4755")]
    assert found["suid.py"].way.name == "native"
    assert found["open.py"].remarks == ("anybody can write it",)


def test_a_module_with_foreign_imports(tmp_path: Path) -> None:
    module = b"\0asm\1\0\0\0" + b"\1\4\1\x60\0\0" + b"\2\x09\1\3env\1f\0\0"
    put(tmp_path / "odd.wasm", module)
    put(tmp_path / "good.wasm", guest("echo").read_bytes())
    found = programs(tmp_path)
    assert found["odd.wasm"].remarks == ("imports functions of 'env'",)
    assert found["good.wasm"].remarks == ()


# --- hostile files and names ---


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    put(tmp_path / "good.py", "#!/usr/bin/python3\n")
    os.mkfifo(tmp_path / "pipe.cgi", 0o755)
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(tmp_path / "socket.cgi"))
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "up").symlink_to("..")
    (tmp_path / "root").symlink_to("/")
    (tmp_path / "gone.cgi").symlink_to("nowhere")
    (tmp_path / "device.cgi").symlink_to("/dev/zero")
    (tmp_path / "linked.cgi").symlink_to("good.py")
    found = scan(ProgramPlace(tmp_path), nothing)
    assert [program.path for program in found.programs] == ["good.py", "linked.cgi"]
    assert found.programs[1].remarks == ("a link",)
    told = "\n".join(found.remarks)
    for name in ("pipe.cgi", "socket.cgi", "self", "up", "root", "gone.cgi", "device.cgi"):
        assert f"{name}: " in told


def test_unreadable_files_are_remarks(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        return  # who reads everything
    put(tmp_path / "secret.py", "#!/usr/bin/python3\n", 0o100)
    put(tmp_path / "closed" / "x.py", "#!/usr/bin/python3\n")
    (tmp_path / "closed").chmod(0)
    found = scan(ProgramPlace(tmp_path), nothing)
    (tmp_path / "closed").chmod(0o700)
    assert len(found.remarks) == 2


def test_huge_files_are_read_at_their_beginning(tmp_path: Path) -> None:
    for name, head in (("big.py", b"#!/usr/bin/python3\n"), ("big.cgi", b"\x7fELF"), ("big.wasm", b"\0asm\1\0\0\0")):
        put(tmp_path / name, head)
        os.truncate(tmp_path / name, 1 << 40)  # sparse
    put(tmp_path / "data.bin", b"\0", 0o644)
    os.truncate(tmp_path / "data.bin", 1 << 40)
    found = programs(tmp_path)
    assert set(found) == {"big.py", "big.cgi", "big.wasm"}
    assert "only its first 256 KiB were read" in found["big.py"].remarks


@pytest.mark.parametrize(
    "text",
    [
        "(" * 250_000,
        "-" * 250_000 + "1",
        "x = " + "[" * 100_000,
        "import " + ", ".join(f"m{number}" for number in range(20_000)),
        "a = '" + "\\" * 250_000,
        "import os\n" + "os.system('x')\n" * 15_000,
        "\0" * 250_000,
        "\ud800",
    ],
    ids=range(8),
)
def test_hostile_scripts(text: str, tmp_path: Path) -> None:
    data = text.encode("utf-8", "surrogatepass")
    for suffix in ("py", "c", "pl", "sh", "php", "rb"):
        put(tmp_path / f"x.{suffix}", data)
        put(tmp_path / f"y.{suffix}", b"#!" + data)
    for program in programs(tmp_path).values():
        assert len(program.needs) <= MOST_NEEDS


@pytest.mark.parametrize("text", ["/*", "//", '"', "'", '"\\', "fopen(", "open(", "#include <", "/**/", "(*"])
def test_repeated_text_takes_no_time_in_its_square(text: str, tmp_path: Path) -> None:
    """A test that hangs is an error."""
    for suffix in ("c", "pl", "sh", "php", "rb", "py"):
        put(tmp_path / f"x.{suffix}", text * (262_144 // len(text)))
    scan(ProgramPlace(tmp_path), nothing)


def test_cut_and_changed_executables(tmp_path: Path) -> None:
    """At most they are refused."""
    native("int main(void) { return 0; }", tmp_path / "good")
    whole = (tmp_path / "good").read_bytes()
    chance = random.Random(1)
    path = tmp_path / "changed"
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            data[chance.choice((chance.randrange(64), chance.randrange(len(data))))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        with path.open("rb") as file, suppress(ValueError):
            read_elf(file.fileno())


HOSTILE = "\x1b[2Jx\u202e<script>alert(1)</script>&\n.py"


def test_hostile_names(tmp_path: Path, wsgi_wasm: Command) -> None:
    place = tmp_path / "cgi-bin"
    place.mkdir()
    put(place / HOSTILE, f"#!/usr/bin/python3\nimport {'é' * 50}\nopen('/<b>\\x1b[2J', 'w')\n")
    put(Path(os.fsdecode(bytes(place) + b"/\xff.py")), "#!/usr/bin/python3\n")
    (place / "link\x1b").symlink_to("..")
    done = wsgi_wasm("scan", "cgi-bin", "--html", "report.html")
    assert done.status == 0
    for line in (done.text + done.err).splitlines():
        assert line.isprintable()
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "<b>\\" not in page
    assert all(line.isprintable() for line in page.splitlines())
    parsed = json.loads(wsgi_wasm("scan", "cgi-bin", "--json").text)
    assert HOSTILE in [program["path"] for program in parsed["places"][0]["programs"]]


# --- the command ---


def test_the_page_stands_by_itself(tmp_path: Path) -> None:
    put(tmp_path / "a.py", "#!/usr/bin/python3\n")
    page = as_page([scan(ProgramPlace(tmp_path), nothing)], ["a remark"], "1")
    assert "default-src 'none'" in page
    assert not re.search(r"\b(?:src|href)=|url\(|@import|<script|<link", page)


def test_json(tmp_path: Path, wsgi_wasm: Command) -> None:
    put(tmp_path / "cgi-bin" / "a.py", "#!/usr/bin/python3\nimport socket\n")
    put(tmp_path / "cgi-bin" / "b.txt", "", 0o644)
    done = wsgi_wasm("scan", "cgi-bin", "--json")
    assert (done.status, done.err) == (0, "")
    found = json.loads(done.text)
    assert found["summary"]["native"] == 1
    (place,) = found["places"]
    assert (place["files"], place["others"]) == (2, {".txt": 1})
    assert place["programs"][0] | {"size": 0} == {
        "path": "a.py",
        "form": "script",
        "language": "Python",
        "interpreter": "/usr/bin/python3",
        "size": 0,
        "mode": "0755",
        "way": "native",
        "how": "opens network connections",
        "needs": [{"kind": "sockets", "what": "socket", "where": "line 2", "blocks": True}],
        "remarks": [],
    }


@pytest.mark.parametrize("what", ["nowhere", "empty.conf"])
def test_nothing_to_look_at(what: str, tmp_path: Path, wsgi_wasm: Command) -> None:
    (tmp_path / "empty.conf").write_text("Listen 80\n", encoding="utf-8")
    done = wsgi_wasm("scan", what)
    assert (done.status, done.out) == (1, b"")
    assert what in done.err
    assert "Traceback" not in done.err


def test_a_page_that_cannot_be_written(tmp_path: Path, wsgi_wasm: Command) -> None:
    done = wsgi_wasm("scan", ".", "--html", "nowhere/report.html")
    assert done.status == 1
    assert "nowhere/report.html: cannot be written: No such file" in done.err


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits_the_terminal(width: int, tmp_path: Path) -> None:
    long = "a" * 100
    put(tmp_path / "c" / f"{long} größe 漢字漢字漢字.py", "#!/usr/bin/python3\nimport socket, smtplib, mysite\n")
    shown = on_a_terminal(width, "scan", str(tmp_path / "c"))
    table = [line for line in shown.splitlines() if line.strip()]
    assert max(map(columns_of, table[1:-1])) <= width
    assert "漢" in shown


def on_a_terminal(width: int, *arguments: str) -> str:
    """What a command shows there, without colours."""
    ours, theirs = pty.openpty()
    env = environment(None, {"COLUMNS": str(width), "LINES": "50", "NO_COLOR": "1"})
    process = subprocess.Popen(
        command_line(*arguments), stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=env
    )
    os.close(theirs)
    shown = b""
    while piece := read_some(ours):
        shown += piece
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's end of a terminal
        return b""


def test_progress_counts(tmp_path: Path) -> None:
    for number in range(300):
        put(tmp_path / str(number // 100) / f"{number}.txt", "", 0o644)
    counts: list[int] = []
    assert scan(ProgramPlace(tmp_path), counts.append).files == 300
    assert counts == list(range(1, 301))


def test_columns() -> None:
    rows = [("NAME", "TEXT"), ("a", "one two three four"), ("漢字", "")]
    lines = list(fitted(rows, 20, lambda row, column, text: text.upper() if row else text))
    assert lines == ["NAME  TEXT", "A     ONE TWO THREE", "      FOUR", "漢字"]


# --- Apache's configuration ---


def test_places_of_httpd(tmp_path: Path) -> None:
    for folder in ("cgi-bin", "other dir", "mixed", "all", "vhost", "plain", "local"):
        (tmp_path / folder).mkdir()
    put(tmp_path / "one" / "tool.cgi", "#!/bin/sh\n")
    put(tmp_path / "one" / "not.cgi", "#!/bin/sh\n")
    put(tmp_path / "local" / ".htaccess", "Options +ExecCGI\nAddHandler cgi-script .pl\n", 0o644)
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.conf").write_text(
        f"<VirtualHost *:80>\n  ScriptAliasMatch ^/v/(.*) {tmp_path}/vhost/$1\n</VirtualHost>\n", encoding="utf-8"
    )
    (tmp_path / "httpd.conf").write_text(
        f"""
        ServerRoot "{tmp_path}"
        DocumentRoot "{tmp_path}"
        LoadModule cgid_module modules/mod_cgid.so
        Define BIN cgi-bin
        Include sites/*.conf
        IncludeOptional nothing/*.conf
        # ScriptAlias /commented plain
        <IfModule mod_cgid.c>
            scriptalias /cgi-bin/ ${{BIN}}
        </IfModule>
        ScriptAlias \\
            "/other/" "other dir"
        ScriptAlias /tool one/tool.cgi
        ScriptAlias /gone gone/
        ScriptAlias /unknown ${{NOTHING}}/cgi
        AddHandler cgi-script .cgi pl
        <Directory {tmp_path}/mixed>
            Options +ExecCGI
        </Directory>
        <Directory "{tmp_path}/all">
            Options Indexes ExecCGI
            SetHandler cgi-script
        </Directory>
        <Directory {tmp_path}/cgi-bin>
            Options +ExecCGI
        </Directory>
        <Directory {tmp_path}/plain>
            Options +ExecCGI
            Options -ExecCGI
        </Directory>
        <Directory {tmp_path}/local>
            AllowOverride All
        </Directory>
        <Directory "/home/*/cgi-bin">
            Options +ExecCGI
        </Directory>
        """,
        encoding="utf-8",
    )
    found = places_of_httpd(tmp_path / "httpd.conf")
    assert [(place.url, place.directory.name, place.suffixes, place.names) for place in found.places] == [
        ("/cgi-bin", "cgi-bin", None, None),
        ("/other", "other dir", None, None),
        ("/tool", "one", None, {"tool.cgi"}),
        ("/mixed", "mixed", {".cgi", ".pl"}, None),
        ("/all", "all", None, None),
        ("/local", "local", {".cgi", ".pl"}, None),
        ("/v", "vhost", None, None),
    ]
    told = "\n".join(found.remarks)
    for words in ("gone: is not a directory", "--define NOTHING=VALUE", "pattern"):
        assert words in told
    defined = places_of_httpd(tmp_path / "httpd.conf", {"NOTHING": str(tmp_path / "one" / "..")})
    assert not any("NOTHING" in remark for remark in defined.remarks)
    (one,) = (place for place in found.places if place.names)
    assert [program.path for program in scan(one, nothing).programs] == ["tool.cgi"]


@pytest.mark.parametrize("text", ["Include a.conf", "<Directory /x>", "ScriptAlias / bin\0", "</Directory>", "=="])
def test_configurations_that_cannot_be_used(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.conf").write_text(text + "\n", encoding="utf-8")
    assert main(["scan", str(tmp_path / "a.conf")]) == 1
    assert f"{tmp_path}/a.conf:1:1: " in capsys.readouterr().err


def test_a_scan_of_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "bin" / "a.py", "#!/usr/bin/python3\n")
    (tmp_path / "httpd.conf").write_text("ScriptAlias /cgi-bin/ bin/\n", encoding="utf-8")
    assert main(["scan", str(tmp_path / "httpd.conf")]) == 0
    assert "at /cgi-bin: 1 program" in capsys.readouterr().out
