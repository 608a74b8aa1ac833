"""When copies of components' files go: never while a process uses them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from werkzeug.test import Client

from wsgi_wasm import create_app
from wsgi_wasm.engine.code.cache import UNUSED, Cache
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.spin.snapshots import Snapshot, copies, is_used, prune, snapshot, snapshots_home

HOLDER = """\
import sys
from pathlib import Path
from wsgi_wasm.spin.snapshots import snapshot
held = snapshot({"a.txt": Path(sys.argv[1])}, Path(sys.argv[2]))
print(held.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> TrustedDirectory:
    (tmp_path / "a.txt").write_text("a")
    return snapshots_home(Cache(tmp_path / "cache"))


def held(tmp_path: Path) -> Snapshot:
    return snapshot({"a.txt": tmp_path / "a.txt"}, tmp_path / "cache")


def aged(place: Path) -> None:
    then = time.time() - UNUSED - 100
    os.utime(place, (then, then))


def test_a_copy_stays_while_it_is_used(home: TrustedDirectory, tmp_path: Path) -> None:
    one, other = held(tmp_path), held(tmp_path)
    place = one.path
    assert other.path == place
    del one
    assert is_used(place)
    assert prune(home, time.time() + 1) == []
    del other
    gc.collect()
    assert not is_used(place)
    assert prune(home, time.time() - 3600) == []
    assert prune(home, time.time() + 1) == [place]
    assert [*home.directory.iterdir()] == []
    assert held(tmp_path).path == place
    assert (place / "a.txt").read_text() == "a"


def test_another_process_uses_it(home: TrustedDirectory, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "a.txt"), str(tmp_path / "cache")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        place = Path(child.stdout.readline().strip())
        assert place.parent == home.directory
        assert prune(home, time.time() + 1) == []
        child.communicate("")
    assert prune(home, time.time() + 1) == [place]


def test_a_child_of_the_process_uses_it(home: TrustedDirectory, tmp_path: Path) -> None:
    """As a worker does whose gateway was made before the fork."""
    one = held(tmp_path)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    place = one.path
    del one
    gc.collect()
    try:
        assert prune(home, time.time() + 1) == []
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)
    assert prune(home, time.time() + 1) == [place]


def test_old_copies_go_when_another_is_made(home: TrustedDirectory, tmp_path: Path) -> None:
    old = held(tmp_path).path
    gc.collect()
    (home.directory / ".unfinished").mkdir()
    for place in (old, home.directory / ".unfinished"):
        aged(place)
    held(tmp_path)
    assert [place for place, _ in copies(home)] == [old], "loading it counts"
    aged(old)
    gc.collect()
    (tmp_path / "a.txt").write_text("changed")
    new = held(tmp_path)
    assert [*home.directory.iterdir()] == [new.path]


def test_many_that_load_while_others_remove(home: TrustedDirectory, tmp_path: Path) -> None:
    """Whoever has it finds it whole."""
    stop, wrong = threading.Event(), []

    def load() -> None:
        try:
            for _ in range(100):
                one = held(tmp_path)
                if (one.path / "a.txt").read_text() != "a":
                    wrong.append("another text")
                del one
        except OSError as error:
            wrong.append(repr(error))

    def remove() -> None:
        while not stop.is_set():
            prune(home, time.time() + 10)

    loaders, remover = [threading.Thread(target=load) for _ in range(4)], threading.Thread(target=remove)
    remover.start()
    for thread in loaders:
        thread.start()
    for thread in loaders:
        thread.join(60)
    stop.set()
    remover.join(60)
    assert wrong == []


def test_an_application_keeps_its_copies(app: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    routes = {"/": {"spin": str(app / "spin.toml"), "queue_timeout": "1m"}}
    site.write_text(yaml.safe_dump({"routes": routes}))
    cache = Cache(Path(os.environ["WSGI_WASM_CACHE"]))
    gateway = create_app(site)
    answer = Client(gateway).get("/files").text
    places = {place for place, _ in copies(snapshots_home(cache)) if is_used(place)}
    assert places
    prune(snapshots_home(cache), time.time() - UNUSED)
    assert Client(gateway).get("/files").text == answer
