"""Guests that call every function of preview 1 with any arguments, in any order, through the whole gateway.

One guest does it for all: it reads its request's body as a program of calls, so nothing is compiled for an input. A
program is a list of steps: the number of a function, then its arguments, each a byte that says how it is meant and
four bytes. `assembled` writes such programs from words.
"""

from __future__ import annotations

import io
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any, ClassVar

from fuzz.target import Target, temporary
from wsgi_wasm import Gateway, create_app
from wsgi_wasm.errors import Cut

# WASI preview 1 (witx/wasi_snapshot_preview1.witx): parameters, in words of one letter. All but two return an errno.
I, L = "i32", "i64"  # noqa: E741
SIGNATURES = {
    "args_get": (I, I), "args_sizes_get": (I, I), "environ_get": (I, I), "environ_sizes_get": (I, I),
    "clock_res_get": (I, I), "clock_time_get": (I, L, I), "fd_advise": (I, L, L, I), "fd_allocate": (I, L, L),
    "fd_close": (I,), "fd_datasync": (I,), "fd_fdstat_get": (I, I), "fd_fdstat_set_flags": (I, I),
    "fd_fdstat_set_rights": (I, L, L), "fd_filestat_get": (I, I), "fd_filestat_set_size": (I, L),
    "fd_filestat_set_times": (I, L, L, I), "fd_pread": (I, I, I, L, I), "fd_prestat_dir_name": (I, I, I),
    "fd_prestat_get": (I, I), "fd_pwrite": (I, I, I, L, I), "fd_read": (I, I, I, I), "fd_readdir": (I, I, I, L, I),
    "fd_renumber": (I, I), "fd_seek": (I, L, I, I), "fd_sync": (I,), "fd_tell": (I, I), "fd_write": (I, I, I, I),
    "path_create_directory": (I, I, I), "path_filestat_get": (I, I, I, I, I),
    "path_filestat_set_times": (I, I, I, I, L, L, I), "path_link": (I, I, I, I, I, I, I),
    "path_open": (I, I, I, I, I, L, L, I, I), "path_readlink": (I, I, I, I, I, I),
    "path_remove_directory": (I, I, I), "path_rename": (I, I, I, I, I, I), "path_symlink": (I, I, I, I, I),
    "path_unlink_file": (I, I, I), "poll_oneoff": (I, I, I, I), "proc_exit": (I,), "proc_raise": (I,),
    "random_get": (I, I), "sched_yield": (), "sock_accept": (I, I, I), "sock_recv": (I, I, I, I, I, I),
    "sock_send": (I, I, I, I, I), "sock_shutdown": (I, I),
}  # fmt: skip
NAMES = (*SIGNATURES, "poke", "grow")
NUMBER = {name: number for number, name in enumerate(NAMES)}

LOADED, RESULT = 0x8000, 0x7FF0  # where the program is, and where the last errno goes
STDIN, READ_ONLY, WRITABLE = 0, 3, 4  # descriptors


def text() -> str:
    """The guest. `$a32` and `$a64` take the next argument: as it stands; with bit 0, what lies at that address; with
    bit 1 (of 64 bits), with its sign; with bit 2, shifted up by 32 bits."""
    imports, functions = [], []
    for name, parameters in SIGNATURES.items():
        result = "" if name == "proc_exit" else "(result i32)"
        imports.append(
            f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {" ".join(parameters)}) {result}))'
        )
        arguments = " ".join("(call $a32)" if one == I else "(call $a64)" for one in parameters)
        call = f"(call ${name} {arguments})"
        functions.append(f"(func ${name}_ {call if not result else f'(i32.store (i32.const {RESULT}) {call})'})")
    table = " ".join(f"${name}_" for name in NAMES)
    return f"""(module
    {" ".join(imports)}
    (memory (export "memory") 2 8)
    (global $p (mut i32) (i32.const {LOADED}))
    (global $end (mut i32) (i32.const 0))
    (table funcref (elem {table}))
    (func $a32 (result i32) (local $kind i32) (local $value i32)
        (local.set $kind (i32.load8_u (global.get $p)))
        (local.set $value (i32.load offset=1 (global.get $p)))
        (global.set $p (i32.add (global.get $p) (i32.const 5)))
        (if (result i32) (i32.and (local.get $kind) (i32.const 1))
            (then (i32.load (i32.and (local.get $value) (i32.const 0xffff)))) (else (local.get $value))))
    (func $a64 (result i64) (local $kind i32) (local $value i64)
        (local.set $kind (i32.load8_u (global.get $p)))
        (local.set $value (i64.extend_i32_u (call $a32)))
        (if (i32.and (local.get $kind) (i32.const 2)) (then (local.set $value (i64.extend32_s (local.get $value)))))
        (if (i32.and (local.get $kind) (i32.const 4))
            (then (local.set $value (i64.shl (local.get $value) (i64.const 32)))))
        (local.get $value))
    {" ".join(functions)}
    (func $poke_ (local $at i32) (local $size i32)
        (local.set $at (call $a32))
        (local.set $size (i32.load8_u (global.get $p)))
        (global.set $p (i32.add (global.get $p) (i32.const 1)))
        (memory.copy (local.get $at) (global.get $p) (local.get $size))
        (global.set $p (i32.add (global.get $p) (local.get $size))))
    (func $grow_ (i32.store (i32.const {RESULT}) (memory.grow (call $a32))))
    (func (export "_start")
        (i32.store (i32.const 0) (global.get $p))
        (i32.store (i32.const 4) (i32.const 0x4000))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (global.set $end (i32.add (global.get $p) (i32.load (i32.const 8))))
        (i64.store (i32.const 0) (i64.const 0)) (i32.store (i32.const 8) (i32.const 0))
        (loop $next
            (if (i32.lt_u (global.get $p) (global.get $end)) (then
                (i32.load8_u (global.get $p))
                (global.set $p (i32.add (global.get $p) (i32.const 1)))
                (call_indirect (i32.rem_u (i32.const {len(NAMES)})))
                (br $next))))))"""


def step(name: str, *arguments: int) -> bytes:
    """An argument is a number, `at(ADDRESS)` for what lies there, or over 32 bits for a shifted one."""
    parts = [bytes([NUMBER[name]])]
    for value in arguments:
        kind, number = (
            (1, value - AT) if AT <= value < AT + 0x10000 else (4, value >> 32) if value >> 32 else (0, value)
        )
        parts.append(bytes([kind]) + (number & 0xFFFFFFFF).to_bytes(4, "little"))
    return b"".join(parts)


AT = 1 << 70


def at(address: int) -> int:
    return AT + address


def poke(address: int, data: bytes) -> bytes:
    return step("poke", address) + bytes([len(data)]) + data


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


HEAD = poke(0x100, b"Content-Type: text/plain\n\n") + poke(0x80, words(0x100, 26)) + step("fd_write", 1, 0x80, 1, 0x90)
ALL_RIGHTS = 0x1FFFFFFF
PATHS = (
    b"a.txt",
    b"d/b.txt",
    b"out",
    b"up/secret.txt",
    b"new",
    b"d/",
    b"../secret.txt",
    b"/etc/passwd",
    b"link",
    b"fifo",
)


def opened(directory: int, path: bytes, flags: int = 0, result: int = 0x60) -> bytes:
    return poke(0x200, path) + step(
        "path_open", directory, 1, 0x200, len(path), flags, ALL_RIGHTS, ALL_RIGHTS, 0, result
    )


def seeds() -> Iterator[bytes]:
    """Each as a snapshot calls, which does not ask which directories there are, and as other programs do."""
    for seed in _seeds():
        yield seed
        yield step("fd_prestat_get", READ_ONLY, 0x90) + seed


def _seeds() -> Iterator[bytes]:
    yield b""
    yield HEAD
    show = poke(0x70, words(0x1000, 200)) + step("fd_write", 1, 0x70, 1, 0x90)
    for path in PATHS:
        for directory in (READ_ONLY, WRITABLE):
            read = poke(0x70, words(0x1000, 200)) + step("fd_read", at(0x60), 0x70, 1, 0x90)
            yield HEAD + opened(directory, path) + read + show
            yield (
                HEAD
                + opened(directory, path, 9)
                + poke(0x70, words(0x100, 20))
                + step("fd_write", at(0x60), 0x70, 1, 0x90)
            )
            named = poke(0x200, path)
            yield named + step("path_unlink_file", directory, 0x200, len(path))
            yield named + step("path_create_directory", directory, 0x200, len(path))
            yield named + step("path_filestat_get", directory, 1, 0x200, len(path), 0x300)
            yield named + step("path_readlink", directory, 0x200, len(path), 0x1000, 99, 0x90) + show
            yield named + poke(0x280, b"x") + step("path_rename", directory, 0x200, len(path), WRITABLE, 0x280, 1)
            yield named + poke(0x280, b"x") + step("path_link", directory, 0, 0x200, len(path), WRITABLE, 0x280, 1)
            yield (
                named
                + poke(0x280, b"x")
                + step("path_symlink", 0x200, len(path), WRITABLE, 0x280, 1)
                + opened(WRITABLE, b"x")
            )
    for name, parameters in SIGNATURES.items():
        for values in (
            (0,) * 9,
            (3, 0x200, 1, 0x300, 0x400, 1, 1, 1, 0x500),
            (0xFFFFFFFF,) * 9,
            (1, 1 << 32, 5, 5, 5, 5, 5, 5, 5),
        ):
            yield HEAD + step(name, *values[: len(parameters)])
    yield step("fd_renumber", 3, 1) + HEAD
    yield step("fd_close", 0) + step("fd_close", 1) + step("fd_close", 2) + step("fd_close", 3) + HEAD
    yield (
        HEAD
        + opened(WRITABLE, b"big", 1)
        + step("fd_allocate", at(0x60), 0, 1 << 36)
        + step("fd_filestat_set_size", at(0x60), 1 << 40)
    )
    yield (
        HEAD
        + poke(0x300, bytes(16) + (1).to_bytes(8, "little") + (10**6).to_bytes(8, "little") + bytes(16))
        + step("poll_oneoff", 0x300, 0x400, 1, 0x90)
    )
    yield b"".join(opened(READ_ONLY, b"a.txt", 0, 0x60 + 4 * number) for number in range(30)) + HEAD
    yield step("grow", 5) + step("random_get", 0, 0x20000) + step("grow", 1000) + HEAD


# --- the site ---

SECRET = b"no guest may read this"
SITE = """
cache_dir: {base}/cache
engine: {{instances: 4}}
routes:
  /calls:
    module: {base}/modules/calls.wat
    dirs: {{/ro: {base}/tree/ro, /rw: {{path: {base}/tree/rw, writable: true}}}}
    env: {{A: b, C: "long value"}}
    args: [one, two]
    timeout: 200ms
    cpu: 200ms
    memory: 1MiB
    max_output: 64KiB
    max_stderr: 1KiB
"""


class Faults(logging.Handler):
    """Keeps what the log says of faults of our own."""

    found: ClassVar[list[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.CRITICAL:
            self.found.append(record.getMessage())


class Site:
    """A gateway, and the directories that its guest has."""

    def __init__(self) -> None:
        base = temporary()
        os.chmod(base, 0o700)
        self.tree = base / "tree"
        self.read_only, self.writable = self.tree / "ro", self.tree / "rw"
        (base / "modules").mkdir()
        (base / "modules" / "calls.wat").write_text(text(), "utf-8")
        (self.read_only / "d").mkdir(parents=True)
        (self.read_only / "a.txt").write_bytes(b"plain\n")
        (self.read_only / "d" / "b.txt").write_bytes(b"deeper\n")
        (self.tree / "secret.txt").write_bytes(SECRET)
        for name, leads_to in (("out", "../secret.txt"), ("up", ".."), ("link", "a.txt")):
            (self.read_only / name).symlink_to(leads_to)
        os.mkfifo(self.read_only / "fifo")
        self.writable.mkdir()
        (base / "site.yaml").write_text(SITE.format(base=base), "utf-8")
        logging.getLogger("wsgi_wasm").addHandler(Faults())
        self.app: Gateway = create_app(base / "site.yaml")
        for _ in range(200):  # compiled at the first request
            if self.ask(HEAD)[0] == "200 OK":
                break
        self.kept = self.seen()
        for seed in list(seeds())[:60]:  # the engine's own threads begin with the first file that is read
            self.ask(seed)
            self.clear()
        self.descriptors = self.open()

    def seen(self) -> list[tuple[str, int, int, int]]:
        """All that no guest may change."""
        found = []
        for path in (self.tree, self.tree / "secret.txt", *sorted(self.read_only.rglob("*"))):
            info = path.lstat()
            found.append((str(path), info.st_mode, info.st_size, info.st_mtime_ns * (path != self.tree)))
        return found

    def clear(self) -> None:
        """Let the next guest find its writable directory empty."""
        if any(self.writable.iterdir()):
            shutil.rmtree(self.writable)
            self.writable.mkdir()

    def open(self) -> Counter[str]:
        """What this process has open."""
        found: Counter[str] = Counter()
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found[os.readlink(f"/proc/self/fd/{name}")] += 1
        return found

    def ask(self, body: bytes) -> tuple[str, bytes]:
        said: list[str] = []

        def start_response(status: str, fields: Any, exc_info: Any = None) -> Any:
            said.append(status)
            return lambda data: pieces.append(data)

        pieces: list[bytes] = []
        environ = {
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/calls", "QUERY_STRING": "", "SERVER_NAME": "h",
            "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "h", "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.version": (1, 0),
        }  # fmt: skip
        with suppress(Cut):  # how a server learns that the answer broke off
            pieces += self.app(environ, start_response)
        return said[-1], b"".join(pieces)


@cache
def site() -> Site:
    return Site()


def check(data: bytes) -> None:
    one = site()
    status, body = one.ask(data)
    assert status[:3] not in ("500", "503"), status  # other answers may be the guest's own
    assert SECRET not in body
    assert not Faults.found, Faults.found
    assert one.seen() == one.kept
    for _ in range(100):  # other threads may have something open for a moment
        left = one.open() - one.descriptors
        if not left:
            break
        time.sleep(0.02)
    assert not left, left
    one.clear()


TARGETS = (
    Target(
        "calls",
        "a guest calls any functions of preview 1: an answer of the gateway's, no descriptor left open, no file beyond "
        "what it was granted",
        check,
        lambda: list(seeds()),
        (
            *(bytes([number]) for number in range(len(NAMES))),
            *(step(name, *(0x200,) * len(SIGNATURES[name])) for name in ("path_open", "fd_readdir", "fd_renumber")),
            *(*PATHS, words(3), words(4), words(0xFFFFFFFF), words(0x8000), words(0x20000), b"\1\x60\0\0\0"),
        ),
        tries=1500,
        longest=2000,
    ),
)
