"""What `scan` and `compare` read of a site that others made: programs, logs, lists of requests, answers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from fuzz.target import Draw, Target, check_message, temporary
from wsgi_wasm.migration.access_log import read_access_log
from wsgi_wasm.migration.body_rows import MOST_ROWS, rows_of
from wsgi_wasm.migration.compare_rules import BadRules, read_rules
from wsgi_wasm.migration.elf import read_elf
from wsgi_wasm.migration.file_kinds import HEAD, kind_of
from wsgi_wasm.migration.har import read_har
from wsgi_wasm.migration.hidden import Hidden
from wsgi_wasm.migration.html_page import text
from wsgi_wasm.migration.needs import KINDS, MOST_NEEDS, Need, at_most
from wsgi_wasm.migration.planned import MOST_REASONS, BadRequests, Plan, read_list
from wsgi_wasm.migration.python_needs import of_python
from wsgi_wasm.migration.text_needs import of_text
from wsgi_wasm.migration.ways import WAYS, way_of

SITE = Path(__file__).parents[1] / "migration"
LANGUAGES = ("Python", "C", "Perl", "shell", "PHP", "Ruby")


def check_program(data: bytes) -> None:
    draw = Draw(data)
    language, executable = draw.one_of(LANGUAGES), bool(draw.upto(1))
    content = draw.rest()
    kind = kind_of("x.cgi", content[:HEAD], executable)
    script = content.decode("utf-8", "replace")
    found: Iterable[Need] = of_python(script).needs if language == "Python" else of_text(language, script)
    needs = at_most(found)
    assert len(needs) <= MOST_NEEDS
    assert all(need.kind in KINDS for need in needs)
    way = way_of("x.cgi", kind, needs, ())
    assert way.name in WAYS
    for shown in (way.how, *(need.what for need in needs)):
        check_message(text(shown))
        assert "<" not in text(shown)


def check_elf(data: bytes) -> None:
    # closed each time: the target of guests' calls counts what is open in the same process
    with open(os.memfd_create("elf"), "wb", buffering=0) as file, suppress(ValueError):
        file.write(data)
        read_elf(file.fileno())


def check_plan(data: bytes) -> None:
    draw = Draw(data)
    reader = draw.one_of((read_list, read_access_log, read_har))
    try:
        plan: Plan = reader(Path("/nowhere/x"), draw.rest().decode("utf-8", "surrogateescape"))
    except BadRequests as error:
        check_message(error)
        return
    assert len(plan.left_out) <= MOST_REASONS + 1
    for one in plan.requests:
        assert one.target == "*" or one.target.startswith("/")
        assert all("!" <= character <= "~" for character in one.method + one.target)
        assert one.method not in ("TRACE", "CONNECT")
        for name, value in one.fields:
            assert name.isascii()
            assert name.isprintable()
            assert not set(value) & set("\r\n\0")
            assert name.lower() not in ("host", "content-length", "transfer-encoding", "connection")


@cache
def folder() -> Path:
    return temporary()


def check_rules(data: bytes) -> None:
    path = folder() / "rules.yaml"
    path.write_bytes(data)
    try:
        read_rules(path).masked("text")
    except BadRules as error:
        check_message(error)
        assert str(path) in str(error)


def check_bodies(data: bytes) -> None:
    draw = Draw(data)
    secret = "s3cr3t" + str(draw.upto(9))
    hidden = Hidden(b"key")
    hidden.learn([("Cookie", f"id={secret}")])
    whole = draw.rest().decode("utf-8", "surrogateescape").replace("@", secret)
    bodies = whole.partition("|")[::2]
    rows = rows_of(bodies[0], bodies[1], hidden.hide)
    assert len(rows) <= MOST_ROWS + 1
    assert (bodies[0] == bodies[1]) <= all(row.kind in ("same", "gap") for row in rows)
    for row in rows:
        check_message(row.native.replace("\t", ""))
        assert secret not in row.native + row.ours


def programs() -> Iterable[bytes]:
    for position, pattern in enumerate(("*.py", "*.c", "*.sh", "*.sh")):
        yield from (bytes([position, 1]) + path.read_bytes() for path in sorted((SITE / "site").glob(pattern)))


def executables() -> Iterable[bytes]:
    yield Path(os.path.realpath(shutil.which("true") or sys.executable)).read_bytes()[:60_000]


def plans() -> Iterable[bytes]:
    yield b"\0" + (SITE / "requests.txt").read_bytes()
    yield b'\1h:1 ::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b HTTP/1.1" 200 2326 "-" "agent \\x41"\n'
    yield b'\2{"log": {"entries": [{"request": {"method": "POST", "url": "http://h/a?b", "headers": [{"name": "A",'
    yield (
        b'\2{"log": {"entries": [{"request": {"method": "POST", "url": "http://h/a?b", "headers": [{"name": "A", '
        b'"value": "b"}], "postData": {"mimeType": "x", "text": "y", "params": [{"name": "c"}]}}}]}}'
    )


TARGETS = [
    Target(
        "scan-program",
        "what a script or source needs, bounded and fit for a page, whatever it says",
        check_program,
        programs,
        (b"#!", b"import ", b"os.system(", b"/*", b"'", b'"', b"open(", b"\\", b"`", b"=cut\n", b"(" * 100),
    ),
    Target("scan-elf", "what an executable is linked with, or that it is none", check_elf, executables, longest=65536),
    Target(
        "compare-requests",
        "requests that can be sent as they are, or mistakes; nothing that splits a head",
        check_plan,
        plans,
        (b"\\r\\n", b"\\u000a", b"Host: a", b"\n  = ", b"\n  @ ", b'"', b"\\x0a", b"CONNECT", b"//", b"*", b"["),
    ),
    Target(
        "compare-rules",
        "rules, or mistakes with the file's name",
        check_rules,
        lambda: [(SITE / "rules.yaml").read_bytes()],
        (b"[", b"{", b"&a ", b"*a", b"mask: ", b"(?P<", b"status: [1, 2]", b": ", b"!!python/name:os.system"),
    ),
    Target(
        "compare-bodies",
        "the rows around what differs, bounded, printable and without what is hidden",
        check_bodies,
        lambda: [b"\1a\nb\nc|a\nx\nc", b"\2" + b"x" * 400 + b"@a|" + b"x" * 400 + b"@b", b"\3same|same"],
        (b"@", b"|", b"\n", b"x" * 300, b"\x1b", "\u202e".encode()),
    ),
]
