"""A counter file that guests of several processes and a native program count up together: no number is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from guests.build import guest

from .apache import give_to_server
from .client import get, wait_compiled
from .fixtures import serve

REQUESTS, ROUNDS = 12, 10

COUNT = """
import fcntl, sys
for _ in range(int(sys.argv[3])):
    with open(sys.argv[1], "r+") as file:
        (fcntl.flock if sys.argv[2] == "flock" else fcntl.lockf)(file, fcntl.LOCK_EX)
        number = int(file.read())
        file.seek(0)
        file.write(f"{number + 1}\\n")
        file.flush()
"""


def site(tmp: Path) -> Path:
    (tmp / "data").mkdir()
    shutil.copyfile(guest("locks"), tmp / "locks.wasm")
    dirs = {"/data": {"path": "data", "writable": True}}
    route = {"module": "locks.wasm", "dirs": dirs, "timeout": "60s", "queue_timeout": "60s"}
    routes = {"/own": {**route, "concurrency": 4}, "/isolated": {**route, "isolate": True, "concurrency": 4}}
    path = tmp / "site.yaml"
    path.write_text(yaml.safe_dump({"routes": routes}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["gunicorn-gthread", "mod_wsgi-daemon"])
def test_counting_together(name: str, open_tmp: Path) -> None:
    path = site(open_tmp)
    for kind in ("flock", "fcntl"):
        (open_tmp / f"data/{kind}").write_text("0\n")
        give_to_server(open_tmp / f"data/{kind}")
    give_to_server(open_tmp)
    with serve(name, path, open_tmp) as server:
        wait_compiled(server.address, "/own?op=unlock&path=/data/flock", "/isolated?op=unlock&path=/data/flock")
        for kind in ("flock", "fcntl"):
            counter = open_tmp / "data" / kind
            query = f"op=count&n={ROUNDS}&kind={kind}&path=/data/{kind}"
            native = [sys.executable, "-c", COUNT, str(counter), kind, str(REQUESTS * ROUNDS)]
            with subprocess.Popen(native) as counting, ThreadPoolExecutor(8) as pool:
                paths = [f"/{route}?{query}" for route in ("own", "isolated") for _ in range(REQUESTS)]
                bodies = {bytes(answer.body) for answer in pool.map(lambda path: get(server.address, path), paths)}
                assert bodies == {b"count OK\n"}
                assert counting.wait() == 0
            assert counter.read_text() == f"{3 * REQUESTS * ROUNDS}\n"
