"""What is served: a folder with guests, and a configuration that is written anew every second."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from guests.build import component, guest
from servers.apache import give_to_server
from servers.packages import package_parent

PROGRAMS = (
    "nonce",
    "worker",
    "trap",
    "loop",
    "flood",
    "alloc",
    "recurse",
    "recurse_calls",
    "manyfds",
    "stderr",
    "stream",
)
PATIENT: Mapping[str, Any] = {"queue_timeout": "60s", "timeout": "60s"}
HOSTILE: Mapping[str, Any] = {
    "timeout": "1s",
    "memory": "16MiB",
    "max_output": "1MiB",
    "concurrency": 2,
    "queue_timeout": "500ms",
}
SLOW: Mapping[str, Any] = {"body_timeout": "2s", "send_timeout": "2s", "max_output": "100MiB", **PATIENT}


def routes(isolate: bool) -> dict[str, Any]:
    """By path. With `isolate`, guests run in three processes of their own; one route stays in the server's."""
    good: dict[str, Any] = {
        "/good/program": {"module": "nonce.wasm"},
        "/good/upload": {"module": "nonce.wasm"},
        "/good/streamed": {"module": "nonce.wasm", "stream_request": True},
        "/good/component": {"module": "http.wasm"},
        "/good/pairs": {"module": "worker.wasm", "interface": "wws", "key_value": ["default"]},
    }
    bad: dict[str, Any] = {
        "/bad/trap": {"module": "trap.wasm"},
        "/bad/head": {"module": "nonce.wasm"},
        "/bad/component": {"module": "http.wasm"},
        "/bad/upload": {"module": "nonce.wasm", "max_body": "1000B"},
    }
    hostile: dict[str, Any] = {
        f"/hostile/{name}": {"module": file_name(name), **HOSTILE}
        for name in ("loop", "flood", "alloc", "recurse", "recurse_calls", "manyfds", "stderr")
    }
    hostile["/hostile/manyfds"]["dirs"] = {"/data": "data"}
    hostile["/hostile/component"] = {"module": "http.wasm", **HOSTILE}
    hostile["/hostile/dropped"] = {"directory": "dropped", **HOSTILE}
    slow: dict[str, Any] = {
        "/client/upload": {"module": "nonce.wasm", **SLOW},
        "/client/flood": {"module": "flood.wasm", **SLOW},
        "/client/stream": {"module": "stream.wasm", **SLOW},
    }
    for name, group in (("good", good), ("good", bad), ("hostile", hostile), ("hostile", slow)):
        for route in group.values():
            if group is not hostile:
                route.update(PATIENT)
            if isolate:
                route["isolate"] = name
    beside = {"/good/beside": {"module": "nonce.wasm", **PATIENT}}
    return {**good, **bad, **hostile, **slow, **beside}


def file_name(name: str) -> str:
    """Of a program in the folder."""
    return f"{name}{guest(name).suffix}"


class SiteFolder:
    """The folder of one server: guests, data, what is dropped in, the cache, temporary files, logs."""

    def __init__(self, place: Path, isolate: bool) -> None:
        self.place = place
        self.site = place / "site.yaml"
        self.cache, self.temporary, self.dropped = place / "cache", place / "tmp", place / "dropped"
        self._turn = 0
        good: dict[str, Any] = {
            "reload": True,
            "state_dir": str(place / "state"),
            "engine": {"instances": 48, "compile_time": "3s"},
            "routes": routes(isolate),
        }
        other = copy.deepcopy(good)
        other["routes"]["/another"] = {"module": "nonce.wasm"}
        other["defaults"] = {"env": {"TURN": "another"}}
        broken = {**good, "routes": {"/good/program": {"modul": "nonce.wasm", "timeout": "soon"}}}
        self._texts = [yaml.safe_dump(each) for each in (good, other, broken)]

    def lay_out(self, server: str) -> None:
        """Build, copy and compile what a server of this name serves; its user gets what it must write to."""
        for folder in (self.dropped, self.place / "data", self.temporary, self.place / "state"):
            folder.mkdir(mode=0o755)
        for name in PROGRAMS:
            self._copy(guest(name), self.place / file_name(name))
        self._copy(component("http"), self.place / "http.wasm")
        (self.place / "data" / "file").write_text("data\n")
        self.swap()
        command = [sys.executable, "-m", "wsgi_wasm", "compile", "--cache", str(self.cache), str(self.site)]
        done = subprocess.run(
            command,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package_parent())},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the site cannot be compiled: {done.stderr.decode()[-2000:]}")
        if under_apache(server):
            for path in (self.temporary, self.place / "state", self.cache, *self.cache.rglob("*")):
                give_to_server(path)

    def swap(self) -> None:
        """The next configuration in turn: one, another, a broken one."""
        fresh = self.site.with_name("fresh.yaml")
        fresh.write_text(self._texts[self._turn % 3], encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(self.site)
        self._turn += 1

    def settle(self) -> None:
        """A good configuration, whatever was the last."""
        self._turn = 0
        self.swap()

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        shutil.copyfile(source, target)
        target.chmod(0o644)

    def files(self) -> dict[str, int]:
        """How many files lie in the directory for temporary ones, and in the cache."""
        return {"TMPDIR": len(names(self.temporary)), "cache": len(names(self.cache))}


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for one server, into which Apache's user may go."""
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-soak-", ignore_cleanup_errors=True) as text:
        place = Path(text)
        place.chmod(0o755)
        yield place


def under_apache(server: str) -> bool:
    """By the server's name."""
    return not server.startswith("gunicorn")


def names(folder: Path) -> set[str]:
    """Of all files below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
