"""What attacks on the gateway found, done again under real servers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from guests.bomb import bomb
from guests.build import guest
from servers.client import get
from servers.fixtures import serve
from servers.proc import memory
from servers.process import wait_for
from servers.server import Server

from .found_cases import FOUND_CASES
from .hosts import gunicorn, is_compiled, serves, site_of
from .modules import COMMAND
from .site import SERVERS, Case, Watched, hold


@pytest.mark.parametrize("case", FOUND_CASES, ids=lambda case: case.id)
def test_found(server: Server, case: Case) -> None:
    with Watched(server):
        hold(server, case)
    assert not [line for line in server.log().splitlines() if line.startswith("FORGED")]


def shape(instances: int, tables: int, memories: int) -> str:
    """A component that does nothing, and takes so many of each in the engine's pools."""
    parts = [
        f"(core module $tables {'(table 0 1 funcref) ' * tables})",
        "(core module $memory (memory 0 1)) (core module $empty) (core instance (instantiate $tables))",
        *["(core instance (instantiate $empty))"] * instances,
        *["(core instance (instantiate $memory))"] * memories,
        '(core module $code (func (export "run") (result i32) (i32.const 0)))',
        '(core instance $c (instantiate $code)) (func $run (result (result)) (canon lift (core func $c "run")))',
        COMMAND,
    ]
    return f"(component {' '.join(parts)})"


SHAPES = [(instances, tables, memories) for instances in (0, 60, 200) for tables in (1, 40) for memories in (0, 15, 40)]


@pytest.fixture(params=SERVERS)
def shapes(request: pytest.FixtureRequest, open_tmp: Path) -> Iterator[Server]:
    (open_tmp / "shapes").mkdir()
    for number, one in enumerate(SHAPES):
        (open_tmp / "shapes" / f"{number}.wat").write_text(shape(*one))
    site_of(open_tmp)
    text = (open_tmp / "site.yaml").read_text("utf-8")
    (open_tmp / "site.yaml").write_text(f"{text}\n", encoding="utf-8")
    whole = yaml.safe_load(text)
    whole["routes"]["/shapes"] = {"directory": "shapes"}
    whole["engine"] = {"compile_time": "20s"}
    (open_tmp / "bad").mkdir()
    (open_tmp / "bad" / "bomb.wasm").write_bytes(bomb())
    whole["routes"]["/bad"] = {"directory": "bad"}
    (open_tmp / "site.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    with serve(str(request.param), open_tmp / "site.yaml", open_tmp, workers=1, threads=8, ready="/hello") as server:
        serves(server)
        yield server


def test_components_of_many_shapes(shapes: Server) -> None:
    """F2, F7: they share engines within one budget, or are refused by name; none ends the process or the thread that
    compiles."""
    with Watched(shapes):
        for number in range(len(SHAPES)):
            target = f"/shapes/{number}.wat"
            wait_for(f"{target} to be compiled or refused", partial(settled, shapes, target))
            assert get(shapes.address, target).status in (502, 503)
        assert "EngineError" not in shapes.log()
        assert "Traceback" not in shapes.log()


def settled(server: Server, target: str) -> bool:
    """Whether the guest there runs, or the log says why it does not."""
    name = target.rpartition("/")[2]
    lines = [line for line in server.log().splitlines() if name in line and "compil" not in line]
    return get(server.address, target).status == 502 or bool(lines)


def test_a_module_that_blocks_the_compiler(shapes: Server, open_tmp: Path) -> None:
    """F6: others are compiled meanwhile."""
    with Watched(shapes):
        assert get(shapes.address, "/bad/bomb.wasm").status == 503
        (open_tmp / "shapes" / "later.wat").write_bytes(guest("hello").read_bytes())
        serves(shapes, "/shapes/later.wat")
        assert get(shapes.address, "/bad/bomb.wasm").status == 503


LARGE = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1700)
  (data (i32.const 0) "\\10\\00\\00\\00\\1a\\00\\00\\00") (data (i32.const 16) "Content-Type: text/plain\\n\\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (memory.fill (i32.const 65536) (i32.const 65) (i32.const 104000000))
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 104000000))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def test_no_copy_of_what_a_guest_writes(tmp_path: Path, untraced: None) -> None:
    """F12: a guest that writes 104 MB at once takes its own memory, and little more."""
    site_of(tmp_path, "silent", keys={"memory": "128MiB"})
    (tmp_path / "silent.wat").write_text(LARGE)
    with gunicorn(tmp_path) as server:
        is_compiled(server, "/hello")
        before = peak(server)
        assert len(get(server.address, "/silent").body) == 104_000_000
        assert peak(server) - before < 104_000_000 + (48 << 20)


def peak(server: Server) -> int:
    """The most resident memory that the worker has had, in bytes."""
    (pid,) = server.pids()
    return memory(pid, "VmHWM")
