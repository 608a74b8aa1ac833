"""Each function of preview 1, called without end with arguments as large as they can be.

`python -m hostcalls.preview1` runs all of them in one process, and prints for each what became of it, as JSON.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hostcalls.resident import peak_of
from wsgi_wasm import create_app

TIMEOUT = 0.3  # seconds

# What lies in the guest's memory: 1,024 vectors that each name all from BIG on, the path of a file, the descriptor of
# that file, room for results, subscriptions to what comes in an hour, and a head. From BIG on all bytes are "a".
VECTORS, PATH, FD, RESULT, HOURS, BIG, ONE = 8192, 256, 260, 264, 65536, 1 << 20, 512
SIZE = 100_000_000
ALL = (1 << 32) - 1


class Row(NamedTuple):
    function: str
    arguments: tuple[Any, ...]
    """Numbers of 32 bits, of 64 bits in a list; "fd" is a file that may be written."""
    status: int = 504
    what: str = ""
    forever: bool = True


def _i64(number: int) -> list[int]:
    return [number]


def _descriptor(name: str, *more: Any) -> Row:
    return Row(name, ("fd", *more))


TERABYTE = 1 << 40

ROWS = (
    Row("args_get", (BIG, BIG)),
    Row("args_sizes_get", (RESULT, RESULT)),
    Row("clock_res_get", (ALL, RESULT), 502),
    Row("clock_res_get", (1, RESULT), what="monotonic"),
    Row("clock_time_get", (ALL, _i64(0), RESULT), 502),
    Row("clock_time_get", (0, _i64(0), RESULT), what="realtime"),
    Row("environ_get", (BIG, BIG)),
    Row("environ_sizes_get", (RESULT, RESULT)),
    _descriptor("fd_advise", _i64(0), _i64(TERABYTE), 4),
    _descriptor("fd_allocate", _i64(0), _i64(TERABYTE)),
    Row("fd_close", (ALL,)),
    _descriptor("fd_datasync"),
    _descriptor("fd_fdstat_get", RESULT),
    _descriptor("fd_fdstat_set_flags", 4),
    _descriptor("fd_fdstat_set_rights", _i64(0), _i64(0)),
    _descriptor("fd_filestat_get", RESULT),
    _descriptor("fd_filestat_set_size", _i64(TERABYTE)),
    _descriptor("fd_filestat_set_times", _i64(0), _i64(0), 2 | 8),
    _descriptor("fd_pread", VECTORS, 1024, _i64(0), RESULT),
    _descriptor("fd_pread", BIG, SIZE // 8, _i64(0), RESULT)._replace(what="vectors by the million"),
    Row("fd_prestat_dir_name", (3, BIG, SIZE)),
    Row("fd_prestat_get", (3, RESULT)),
    _descriptor("fd_pwrite", VECTORS, 1024, _i64(0), RESULT),
    Row("fd_read", (0, VECTORS, 1024, RESULT), what="the body"),
    _descriptor("fd_read", VECTORS, 1024, RESULT),
    Row("fd_readdir", (3, BIG, SIZE, _i64(0), RESULT)),
    Row("fd_readdir", (3, BIG, SIZE, _i64(1 << 60), RESULT), what="past the end"),
    Row("fd_renumber", ("fd", "fd")),
    Row("fd_renumber", (0, 2), what="standard streams"),
    _descriptor("fd_seek", _i64(TERABYTE), 0, RESULT),
    _descriptor("fd_sync"),
    _descriptor("fd_tell", RESULT),
    Row("fd_write", (1, VECTORS, 1024, RESULT), 502, "standard output"),
    Row("fd_write", (1, ONE, 2, RESULT), 200, "an answer in one call", forever=False),
    Row("fd_write", (1, BIG, SIZE // 8, RESULT), what="vectors by the million"),
    Row("fd_write", (2, VECTORS, 1024, RESULT), what="standard error"),
    _descriptor("fd_write", VECTORS, 1024, RESULT),
    Row("path_create_directory", (3, BIG, SIZE)),
    Row("path_filestat_get", (3, 1, BIG, SIZE, RESULT)),
    Row("path_filestat_set_times", (3, 1, BIG, SIZE, _i64(0), _i64(0), 2 | 8)),
    Row("path_link", (3, 0, BIG, SIZE, 3, BIG, SIZE)),
    Row("path_open", (3, 1, BIG, SIZE, 0, _i64(2), _i64(2), 0, RESULT)),
    Row("path_open", (3, 1, PATH, 1, 0, _i64(2), _i64(2), 0, RESULT), what="files without end"),
    Row("path_readlink", (3, BIG, SIZE, BIG, SIZE, RESULT)),
    Row("path_remove_directory", (3, BIG, SIZE)),
    Row("path_rename", (3, BIG, SIZE, 3, BIG, SIZE)),
    Row("path_symlink", (BIG, SIZE, 3, BIG, SIZE)),
    Row("path_unlink_file", (3, BIG, SIZE)),
    Row("poll_oneoff", (HOURS, BIG, 1024, RESULT)),
    Row("poll_oneoff", (HOURS, BIG, ALL, RESULT), what="subscriptions by the million"),
    Row("proc_exit", (ALL,), 502),
    Row("proc_raise", (9,)),
    Row("random_get", (BIG, SIZE)),
    Row("random_get", (0, 1 << 31), what="2 GiB"),
    Row("sched_yield", ()),
    Row("sock_accept", (0, 0, RESULT)),
    Row("sock_recv", (0, VECTORS, 1024, 0, RESULT, RESULT)),
    Row("sock_send", (1, VECTORS, 1024, 0, RESULT)),
    Row("sock_shutdown", (0, 3)),
)


def module(row: Row) -> str:
    """The guest, as text."""
    kinds = " ".join("i64" if isinstance(one, list) else "i32" for one in row.arguments)
    pushes = " ".join(_push(one) for one in row.arguments)
    returns = row.function != "proc_exit"
    call = f"(call $f {pushes})"
    # What imports this and never asks is a snapshot, which sees other paths.
    asks = f"(drop {call})" if row.function == "fd_prestat_get" else ""
    return f"""(module
 (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
 (import "wasi_snapshot_preview1" "{row.function}" (func $f (param {kinds}) {"(result i32)" * returns}))
 (memory (export "memory") 1600)
 (data (i32.const {PATH}) "f") (data (i32.const {ONE + 16}) "Status: 200\\n\\n")
 (func (export "_start") (local $i i32)
  (memory.fill (i32.const {BIG}) (i32.const 97) (i32.const {SIZE}))
  (i32.store (i32.const {ONE}) (i32.const {ONE + 16})) (i32.store (i32.const {ONE + 4}) (i32.const 13))
  (i32.store (i32.const {ONE + 8}) (i32.const {BIG})) (i32.store (i32.const {ONE + 12}) (i32.const {SIZE}))
  (loop $vectors
   (i32.store (i32.add (i32.const {VECTORS}) (i32.mul (local.get $i) (i32.const 8))) (i32.const {BIG}))
   (i32.store offset=4 (i32.add (i32.const {VECTORS}) (i32.mul (local.get $i) (i32.const 8))) (i32.const {SIZE}))
   (i64.store offset=24 (i32.add (i32.const {HOURS}) (i32.mul (local.get $i) (i32.const 48)))
    (i64.const 3600000000000))
   (br_if $vectors (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1024))))
  {asks}
  (if (call $open (i32.const 3) (i32.const 0) (i32.const {PATH}) (i32.const 1) (i32.const 1) (i64.const 0x1fffffff)
    (i64.const 0x1fffffff) (i32.const 0) (i32.const {FD})) (then unreachable))
  (loop $again {f"(drop {call})" if returns else call} {"(br $again)" * row.forever})))"""


def _push(argument: Any) -> str:
    if argument == "fd":
        return f"(i32.load (i32.const {FD}))"
    return f"(i64.const {argument[0]})" if isinstance(argument, list) else f"(i32.const {argument})"


def _request(path: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "CONTENT_LENGTH": str(4 << 20),
        "HTTP_X_LONG": "x" * 8000,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(bytes(4 << 20)),
    }


def outcomes(folder: Path) -> Iterator[dict[str, Any]]:
    """What became of each row: its status, seconds that the guest took, and MiB by which the process grew."""
    names = folder / "names"
    names.mkdir()
    for i in range(2000):
        (names / f"{i:0100d}").touch()
    routes: dict[str, dict[str, Any]] = {}
    for i, row in enumerate(ROWS):
        (folder / f"{i}.wat").write_text(module(row))
        directory = names if row.function == "fd_readdir" else folder / "w"
        directory.mkdir(exist_ok=True)
        routes[f"/{i}"] = {"module": f"{i}.wat", "dirs": {"/w": {"path": str(directory), "writable": True}}}
        if not row.forever:
            routes[f"/{i}"] |= {"max_output": "200MiB", "timeout": "60s", "cpu": "60s"}
    defaults = {"timeout": f"{int(TIMEOUT * 1000)}ms", "cpu": f"{int(TIMEOUT * 1000)}ms", "max_output": "10MiB"}
    (folder / "site.yaml").write_text(yaml.safe_dump({"routes": routes, "defaults": defaults}))
    application = create_app(folder / "site.yaml")
    for i in range(len(ROWS)):
        while (found := outcome(application, f"/{i}"))["status"] == 503:  # it is being compiled
            time.sleep(0.1)
        yield found


def outcome(application: Any, path: str) -> dict[str, Any]:
    """The same of one request."""
    statuses: list[str] = []
    sizes: list[int] = []

    def start(status: str, _fields: object) -> Any:
        statuses.append(status)
        return lambda data: sizes.append(len(data))

    def run() -> float:
        environ = _request(path)
        sizes.extend(map(len, application(environ, start)))
        return float(environ.get("wsgi_wasm.guest_us", 0)) / 1e6

    seconds, grown = peak_of(run)
    return {"status": int(statuses[0][:3]), "seconds": seconds, "grown": grown, "length": sum(sizes)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        json.dump(list(outcomes(Path(folder))), sys.stdout)


if __name__ == "__main__":
    main()
