"""What calls of the host take of its memory: nothing that stays, and for one large value what the docs say."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hostapi.driver import Driver
from wsgi_wasm.config.granted import Database, KeyValueStore
from wsgi_wasm.hostapi import keyvalue, sqlite
from wsgi_wasm.hostapi.limits import MAX_RESULT

STORES, SQL = Driver(keyvalue.API), Driver(sqlite.API, sqlite.SPIN)
MIB = 1 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_nothing_stays(tmp_path: Path) -> None:
    """Every kind of value is lifted and lowered some thousand times; each leak would be of at least sixteen bytes."""
    store = KeyValueStore(name="d", path=tmp_path / "kv.db", redis=None, prefix="", max_size=64 * MIB)
    stores = keyvalue.stores({"default": store})
    databases = {"default": Database(path=tmp_path / "db", max_size=64 * MIB)}

    def use(count: int) -> None:
        for _ in range(count):
            with STORES.guest(stores) as guest:
                handle, bucket = guest.ok("[static]store.open", "default"), guest.ok("open", "default")
                for _ in range(50):
                    guest.ok("[method]store.set", handle, "a", b"x" * 1000)
                    guest.ok("get-many", bucket, ["a", "b"])
                    guest.ok("[method]bucket.list-keys", bucket, None)
                    guest.error("[static]store.open", "no")
                    guest.ok("swap", guest.ok("[static]cas.new", bucket, "a"), b"1")
            with SQL.guest(databases) as guest:
                handle = guest.ok("[static]connection.open", "default")
                for _ in range(50):
                    guest.ok("[method]connection.execute", handle, "SELECT 1, 'x', x'00', NULL, 1.5", [])
                    guest.error("[method]connection.execute", handle, "SELEKT", [])
        gc.collect()

    use(10)
    before = resident()
    use(60)
    assert resident() - before < MIB


PEAK = """
import resource, sys
from engine.echoes import Run, call, echo_text, load
from engine.test_hostcalls import Echo
from wsgi_wasm.engine.hostcalls import wit
echo = Echo(b"x" * int(sys.argv[1]))
loaded = load(echo_text(wit.BYTES))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    call(loaded, "run", [echo.api(wit.BYTES)], Run())
except Exception as error:
    assert "fuel" in str(error) or not echo.taken, error
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("size", [2_700_000, MAX_RESULT])
def test_a_large_value_takes_what_the_docs_say(size: int) -> None:
    """docs/stores.md and docs/security.md: 240 MiB."""
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{tests}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", PEAK, str(size)]
    done = subprocess.run(command, cwd=tests, env=environment, capture_output=True, check=True)
    assert int(done.stdout) < 250 * 1024
