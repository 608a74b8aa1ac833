"""What hostile guests do, and what comes of it. The same under every server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guests.build import component_text

from .guest_files import HEADS, LEAKED
from .modules import (
    bracket_bomb,
    component_calling,
    component_handles,
    component_socket,
    deep_blocks,
    large_function,
    many_functions,
    many_imports,
)
from .site import CUT, SHORT, Case

DATA: dict[str, Any] = {"dirs": {"/data": "tree/ro"}}
WRITABLE: dict[str, Any] = {"dirs": {"/data": {"path": "tree/rw", "writable": True}}}
CALLS_SOURCE = Path(__file__).parents[1] / "guests" / "calls.c"
HOST_CALLS = re.findall(r'CALL\("([\w-]+)"', CALLS_SOURCE.read_text("utf-8"))
HEADS_TAKEN = ("size-64k", "size-64k-1")
TIMEOUT = "exceeded its timeout"


def ends(row: str, guest: str, *rows: tuple[str, str, int | tuple[int, ...], str], **keys: Any) -> list[Case]:
    """Cases of one guest: name, query, status, words of the log."""
    return [
        Case(row=row, name=name, guest=guest, target=f"?{query}", status=status, log=log, keys=keys)
        for name, query, status, log in rows
    ]


TIME = [
    *ends(
        "G1",
        "loop",
        ("loop", "", 504, TIMEOUT),
        ("loop-after-the-head", "when=after", CUT, TIMEOUT),
        **SHORT,
    ),
    *ends("G1", "loop", ("loop-cpu", "", 504, "exceeded its cpu time"), cpu="300ms"),
    Case(row="G1", name="start-section", guest="start_section", keys=SHORT, status=504, log=TIMEOUT),
    *ends("G2", "sleep", ("sleep-an-hour", "", 504, TIMEOUT), **SHORT),
    *ends("G2", "loop", ("busy-yield", "how=yield", 504, TIMEOUT), **SHORT),
    *ends("G2", "poll", ("longest-time", "kind=forever", 504, TIMEOUT), **SHORT),
    Case(
        row="G2",
        name="million-subscriptions",
        guest="poll",
        target="?kind=many",
        body="many 28 0",
        keys={"memory": "128MiB"},
    ),
    Case(row="G2", name="no-subscription", guest="poll", target="?kind=none", body="none 28 0"),
    Case(row="G4", name="copy-loop", guest="copy_loop", keys={**SHORT, "memory": "128MiB"}, status=504, log=TIMEOUT),
]

MEMORY = [
    Case(row="G3", name="memory-grows-to-the-limit", guest="alloc", body="MiB"),
    Case(row="G3", name="memory-past-the-limit", guest="alloc", target="?then=trap", status=502, log="trapped"),
    Case(row="G3", name="table-grows", guest="table_grow", body="refused"),
    Case(row="G3", name="many-memories", guest="memories", status=503, log="memor"),
    Case(row="G3", name="data-outside", guest="data_outside", status=502, log="out-of-bounds memory access"),
    Case(row="G3", name="large-from-the-start", guest="big_memory", status=503, log="`memory` allows"),
    Case(row="G3", name="memory-of-the-host", guest="memory_import", status=503, log="imports its memory"),
]

OUTPUT = [
    *ends("G5", "flood", ("flood", "bytes=10000000000", CUT, "more than max_output"), max_output="1MiB"),
    *ends(
        "G5",
        "flood",
        ("flood-before-the-head-is-sent", "bytes=5000&each=500", 502, "more than max_output"),
        max_output="1KiB",
    ),
    Case(row="G5", name="byte-by-byte", guest="flood", target="?bytes=300000&each=1", body="xxxx"),
    *ends(
        "G6",
        "stderr",
        ("lines", "kind=lines&n=3", 200, "/G6/lines stderr"),
        ("flood", "kind=flood&bytes=10000000", 200, "the rest is dropped"),
        ("control-characters", "kind=control", 200, "red "),
        ("no-newline", "kind=partial", 200, "/G6/no-newline stderr"),
    ),
    *(
        Case(
            row="G10",
            name=name,
            guest="emit",
            target=f"?case={name}",
            keys={"dirs": {"/heads": "heads"}, "env": {"CORPUS": "/heads"}},
            status=200 if name in HEADS_TAKEN else 502,
            log="" if name in HEADS_TAKEN else f"/G10/{name}",
            absent=LEAKED,
        )
        for name in HEADS
    ),
    Case(row="G10", name="head-without-end", guest="flood", target="?where=head", status=502, log="the head is longer"),
]

TRAPS = [
    *ends(
        "G7",
        "trap",
        ("unreachable", "kind=unreachable", 502, "unreachable instruction"),
        ("division", "kind=div", 502, "division by zero"),
        ("overflow", "kind=overflow", 502, "integer overflow"),
        ("out-of-bounds", "kind=oob", 502, "out-of-bounds memory access"),
        ("null-call", "kind=null", 502, "indirect call to null"),
        ("call-of-another-type", "kind=indirect", 502, "indirect call with the wrong type"),
        ("abort", "kind=abort", 502, "trapped"),
    ),
    Case(row="G8", name="recursion-in-memory", guest="recurse", status=502, log="out-of-bounds memory access"),
    Case(row="G8", name="recursion-on-the-stack", guest="recurse_calls", status=502, log="stack overflow"),
]

STREAMS = {
    "seek": "one\ntwo\n", "pwrite": "one\ntwo\n", "allocate": "one\ntwo\n", "truncate": "one\ntwo\n",
    "stat": "one\ntwo\n", "read": "one\ntwo\n", "same": "one\ntwo\n", "closed": "one\n", "swap": "one\n",
    "close": "one\n", "all": "one\n",
}  # fmt: skip

DESCRIPTORS = [
    Case(
        row="G9", name="files-until-none-is-left", guest="manyfds", target="?path=/data/file", keys=DATA, body="EMFILE"
    ),
    Case(
        row="G9", name="directories-until-none-is-left", guest="manyfds", target="?path=/data", keys=DATA, body="EMFILE"
    ),
    *(
        Case(row="G9", name=f"renumber-{kind}", guest="fds", target=f"?kind={kind}", body=STREAMS[kind])
        for kind in ("same", "closed", "swap")
    ),
    Case(
        row="G9", name="renumber-file", guest="fds", target="?kind=renumber&file=/data/out", keys=WRITABLE, body="one\n"
    ),
    *(
        Case(row="G12", name=f"{kind}{where}", guest="fds", target=f"?kind={kind}", keys=keys, body=STREAMS[kind])
        for kind in ("seek", "pwrite", "allocate", "truncate", "stat", "read", "close", "all")
        for where, keys in (("", {}), ("-with-a-directory", WRITABLE))
    ),
]

ENDINGS = [
    *ends(
        "G11",
        "exit",
        ("exit-0-without-a-word", "code=0", 502, "the guest wrote nothing"),
        ("exit-1-without-a-word", "code=1", 502, ""),
        ("exit-3-after-the-answer", "code=3&when=after", 200, "exited with status 3"),
        ("exit-255-after-the-answer", "code=255&when=after", 200, "exited with status 255"),
        ("exit-within-the-head", "code=0&when=half", 502, "head"),
        ("exit-without-flush", "code=0&how=quick", 502, "the guest wrote nothing"),
    ),
    Case(row="G11", name="exit-nested", guest="exit_nested"),
    Case(row="G11", name="exit-2-to-the-31st", guest="exit_huge", status=502, log="the guest wrote nothing"),
    Case(row="G11", name="returns-without-a-word", guest="silent", status=502, log="the guest wrote nothing"),
    Case(row="G11", name="no-start", guest="no_start", status=503, log="exports no _start"),
    Case(row="G11", name="start-takes-an-argument", guest="start_param", status=503, log="must be () -> ()"),
    Case(row="G11", name="start-is-no-function", guest="start_global", status=503, log="_start is global"),
]

LONG = b"x" * 70_000

BODIES = [
    Case(row="G13", name="reads-past-the-end", guest="readall", method="POST", request_body=LONG, body="70000"),
    Case(row="G13", name="never-reads", guest="readall", target="?n=0&again=0", method="POST",
         request_body=LONG),
    Case(row="G13", name="reads-without-a-body", guest="readall", body="0"),
    Case(row="G13", name="closes-what-it-reads", guest="fds", target="?kind=all", method="POST", request_body=LONG),
]  # fmt: skip

CHANGES = (
    *("op=write&path=/data/file", "op=rdwr&path=/data/file", "op=append&path=/data/file", "op=trunc&path=/data/file"),
    *("op=readtrunc&path=/data/file", "op=truncate&path=/data/file", "op=create&path=/data/new"),
    *("op=exclusive&path=/data/new", "op=mkdir&path=/data/new", "op=unlink&path=/data/file"),
    *("op=rmdir&path=/data/folder", "op=rename&path=/data/file&to=/data/new", "op=link&path=/data/file&to=/data/new"),
    *("op=symlink&path=/data/new&to=file", "op=utimes&path=/data/file", "op=write&path=/data/folder/file"),
    *("op=create&path=/data/folder/", "op=create&path=/data/folder/..//new", "op=create&path=/data/up/new"),
    *("op=write&path=/data/out", "op=create&path=/data/up/", "op=mkdir&path=/data/new/"),
)
LEAVING = (
    *("/data/../secret", "/data/out", "/data/out/", "/data/up/secret", "/data/up/", "/data/up/..", "/secret"),
    *("/data/folder/../../secret", "/data//../secret", "/data/./../secret", "../secret", "/data/up//secret"),
)

FILES = [
    *(
        Case(row="G14", name=query.replace("op=", "").replace("&path=/data", "").replace("/", "_").replace("&to=", ":"),
             guest="files", target=f"?{query}", keys=DATA, body=f"{query.split('&')[0][3:]} E")
        for query in CHANGES
    ),
    *(
        Case(row="G14", name="read" + path.replace("/", "_"), guest="files", target=f"?op=read&path={path}", keys=DATA,
             body="read E")
        for path in LEAVING
    ),
    *(
        Case(row="G14", name=f"from-a-writable-directory-{op}", guest="files", target=f"?op={query}",
             keys={"dirs": {"/data": "tree/ro", "/rw": {"path": "tree/rw", "writable": True}}}, body=f"{op} E")
        for op, query in {
            "rename": "rename&path=/data/file&to=/rw/file",
            "link": "link&path=/data/file&to=/rw/file",
            "symlink": "symlink&path=/rw/link&to=/etc/passwd",
        }.items()
    ),
]  # fmt: skip

CALLS = [
    *(
        Case(row="G17", name=call, guest="calls", target=f"?call={call}", status=(200, 502))
        for call in HOST_CALLS
    ),
    Case(row="G17", name="long-variables", guest="env", fields=(("X-Long", "a" * 7000),), body="HTTP_X_LONG=aaa"),
    Case(row="G17", name="many-arguments", guest="args", target="?" + "+".join("a" * 2000), keys={"query_args": True},
         body="[a]"),
]  # fmt: skip

COMPONENTS = [
    *(
        Case(row="G18", name=path, component="http", target=f"/{path}", keys={"memory": "16MiB", **keys}, status=status,
             log=log)
        for path, keys, status, log in (
            ("trap", {}, 502, "trapped: unreachable instruction"),
            ("half", {}, CUT, "trapped: unreachable instruction"),
            ("none", {}, 502, "gave no complete response"),
            ("unfinished", {}, CUT, "gave no complete response"),
            ("twice", {}, 502, "gave no complete response"),
            ("error", {}, 502, "internal-error"),
            ("fields-forever", {}, 502, "trapped"),
            ("handles-forever", {}, 502, "trapped"),
            ("wrong-handle", {}, 502, "trapped"),
            ("twice-taken", {}, 200, ""),
            ("length", {}, 200, "Content-Length is 5, but the body has 16 bytes"),
            ("loop", SHORT, 504, TIMEOUT),
            ("sleep", SHORT, 504, TIMEOUT),
            ("sleep-after", SHORT, CUT, TIMEOUT),
        )
    ),
    Case(row="G18", name="dropped-twice", status=502, log="trapped",
         text=component_handles("(local.set $h (call $make (i64.const 1)))" + " (call $drop (local.get $h))" * 2)),
    Case(row="G18", name="handles-without-end", status=502, log="handle limit exceeded",
         text=component_handles("(loop $l (drop (call $make (i64.const 0))) (br $l))")),
]  # fmt: skip

IMPORTS = [
    Case(row="G19", name="wasi-unstable", guest="unstable", status=503, log="wasi_unstable"),
    Case(row="G19", name="unknown", guest="unknown_import", status=503, log="has unsupported imports"),
    Case(row="G19", name="wrong-type", guest="wrong_import", status=503, log="fd_write"),
    *(
        Case(row="G19", name=f"called-{name.partition('/')[2][:5]}", text=component_calling(name, "f"), status=502,
             log=f"called {name} f, which is not supported")
        for name in ("wasi:nn/graph@0.2.0", "test:any/thing")
    ),
    Case(row="G19", name="function-that-there-is-not", text=component_calling("wasi:sockets/tcp@0.2.0", "f"),
         status=502, log="wasi:sockets/tcp@0.2.0"),
    Case(row="G19", name="socket", text=component_socket, status=502, log="integer division by zero"),
    Case(row="G19", name="not-called", status=502, log="the guest wrote nothing",
         text=component_text("caller").replace("(call $f) ", "")),
]  # fmt: skip

NO_MODULES: dict[str, str | bytes | Callable[[], str | bytes]] = {
    "truncated": b"\0asm\x01\0\0\0\x01\x04\x01",
    "another-version": b"\0asm\x02\0\0\0",
    "no-module": b"#!/bin/sh\necho no\n",
    "number-without-end": b"\0asm\x01\0\0\0\x01" + b"\xff" * 30,
    "entries-beyond-the-file": b"\0asm\x01\0\0\0\x01\x05\xff\xff\xff\xff\x0f",
    "million-functions": many_functions,
    "function-of-50-MB": large_function,
    "hundred-thousand-imports": many_imports,
    "brackets": bracket_bomb,
    "unknown-import-in-text": '(module (import "a" "b" (func)))',
}
FILES_OF_MODULES = [
    Case(row="G20", name=name, text=text, status=503, log=f"G20-{name}.w") for name, text in NO_MODULES.items()
]

GUEST_CASES: list[Case] = [
    *TIME, *MEMORY, *OUTPUT, *TRAPS, *DESCRIPTORS, *ENDINGS, *BODIES, *FILES, *CALLS, *COMPONENTS, *IMPORTS,
    *FILES_OF_MODULES,
    Case(row="G20", name="deep-blocks", text=deep_blocks, status=(502, 503)),
]  # fmt: skip
