"""Workers' key-value pairs under a server with several processes."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from guests.build import guest
from servers.client import get, wait_compiled
from servers.fixtures import serve

SITE = """
state_dir: state
routes:
  /: {module: worker.wasm, interface: wws, key_value: [default], queue_timeout: 60s}
"""


def test_processes_keep_each_others_pairs(tmp_path: Path) -> None:
    shutil.copyfile(guest("worker"), tmp_path / "worker.wasm")
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    names = [f"key{number}" for number in range(40)]
    with serve("gunicorn-gthread", tmp_path / "site.yaml", tmp_path, ready="/", workers=3) as server:
        wait_compiled(server.address, "/")
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda name: get(server.address, f"/?set={name}"), names))
        assert [answer.status for answer in answers] == [200] * len(names)
        kept = json.loads(get(server.address, "/").body)["kv"]
    assert kept == {name: str(len(name)) for name in names}
