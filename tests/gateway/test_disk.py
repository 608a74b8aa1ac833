"""Disks that are full, read-only, missing or damaged: what cannot be written is done without, and tried again."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import component, guest
from servers.limits import full_disk
from servers.process import wait_for
from wsgi_wasm.engine import supply
from wsgi_wasm.engine.code.budget import COMMAND
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.compiler import compile_once
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.errors import CacheError
from wsgi_wasm.files.room import unwritable
from wsgi_wasm.gateway import spool as spools

LARGE = b"x" * (spools.SPOOL_SIZE + 100_000)


@pytest.fixture
def make_client(make_client: SiteMaker) -> SiteMaker:
    """One whose requests wait for a compiler however slow the machine is."""
    return partial(make_client, defaults={"queue_timeout": "2m"})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "cache"
    monkeypatch.setenv("WSGI_WASM_CACHE", str(directory))
    return directory


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for temporary files. Files that were kept from earlier bodies are gone."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    forget_files()
    yield directory
    forget_files()


def forget_files() -> None:
    """Those that were kept from earlier bodies."""
    while spools._spare:
        spools._spare.pop().file.close()


def fresh_module(tmp_path: Path, name: str = "fresh") -> str:
    """A guest that no cache has."""
    path = tmp_path / f"{name}.wat"
    path.write_bytes(guest("hello").read_bytes() + f"\n;; {tmp_path}".encode())
    return str(path)


# --- bodies ---


def answers(client: Client) -> tuple[int, int]:
    """The statuses of a small body and of a large one, and that the guest has what it was sent."""
    small, large = (client.post("/echo", data=data) for data in (b"x" * 100_000, LARGE))
    for answer, data in ((small, b"x" * 100_000), (large, LARGE)):
        assert answer.status_code != 200 or answer.data.endswith(data)
    return small.status_code, large.status_code


def test_a_full_disk_for_bodies(make_client: SiteMaker, temporary: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client({"/echo": {"module": "echo"}})
    assert answers(client) == (200, 200)
    for _ in range(3):  # with a kept file, and with a new one
        with full_disk():
            assert answers(client) == (200, 503)
        assert f"the body cannot be stored in {temporary}: File too large" in caplog.text
        forget_files()
    assert answers(client) == (200, 200)
    assert "Traceback" not in caplog.text


def test_a_directory_for_bodies_that_goes_and_comes(
    make_client: SiteMaker, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client({"/echo": {"module": "echo"}})
    temporary.rmdir()
    assert answers(client) == (200, 503)
    assert f"the body cannot be stored in {temporary}: No such file or directory" in caplog.text
    temporary.mkdir()
    assert answers(client) == (200, 200)


def test_no_directory_for_bodies_at_all(
    make_client: SiteMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    forget_files()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", none)
    client = make_client({"/echo": {"module": "echo"}})
    assert answers(client) == (200, 503)
    assert "a temporary directory: No usable temporary directory" in caplog.text
    assert "No usable temporary directory" in spools.spool_problem()


def test_what_is_wrong_with_the_directory_is_known_beforehand(temporary: Path) -> None:
    assert spools.spool_problem() == ""
    with full_disk():
        assert spools.spool_problem().endswith(f"cannot be stored in {temporary}: File too large")
    temporary.rmdir()
    assert "1MiB get 503" in spools.spool_problem()


def replaced(spool: spools.Spool, path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(descriptor, spool.file.fileno())
    os.close(descriptor)


BREAKS: dict[str, Callable[[spools.Spool], object]] = {
    "closed": lambda spool: spool.file.close(),
    "not a file": lambda spool: replaced(spool, os.devnull),
    "full": lambda spool: replaced(spool, "/dev/full"),
}


@pytest.mark.in_process
@pytest.mark.parametrize("how", BREAKS)
def test_a_kept_file_that_is_of_no_use_any_more(make_client: SiteMaker, temporary: Path, how: str) -> None:
    client = make_client({"/echo": {"module": "echo"}})
    assert answers(client) == (200, 200)
    (spool,) = spools._spare
    BREAKS[how](spool)
    assert answers(client) in ((200, 200), (200, 503))
    forget_files()
    assert answers(client) == (200, 200)


# --- the cache ---


def status(make_client: SiteMaker, module: str) -> int:
    return make_client({"/x": {"module": module}}).get("/x").status_code


@pytest.mark.in_process
def test_a_full_disk_for_the_cache(
    make_client: SiteMaker, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = fresh_module(tmp_path)
    with full_disk():
        client = make_client({"/x": {"module": module}})
        assert client.get("/x").status_code == 200, "compiled for this process"
        assert "cannot be written: File too large" in caplog.text
        assert f"cache directory {cache} cannot be written to (File too large)" in caplog.text
    assert not [path for path in cache.iterdir() if path.suffix in (".cwasm", ".json", ".failed")]
    assert "changed while" not in caplog.text
    assert client.get("/x").status_code == 200
    assert status(make_client, module) == 200
    assert len(list(cache.glob("*.cwasm"))) == 1, "the next process that needs it finds room"


def test_a_cache_that_goes_and_comes(
    make_client: SiteMaker, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client({f"/{name}": {"module": fresh_module(tmp_path, name)} for name in ("one", "two", "three")})
    assert client.get("/one").status_code == 200
    shutil.rmtree(cache)
    assert client.get("/one").status_code == 200
    assert client.get("/two").status_code == 200
    shutil.rmtree(cache)
    cache.write_text("no directory")
    assert client.get("/three").status_code == 200
    assert [client.get(f"/{name}").status_code for name in ("one", "two", "three")] == [200, 200, 200]


def test_a_cache_that_comes_late(
    make_client: SiteMaker, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart."""
    monkeypatch.setattr(supply, "_TRY_CACHE_EVERY", 0.0)
    cache.write_text("no directory")
    client = make_client({f"/{name}": {"module": fresh_module(tmp_path, name)} for name in ("one", "two")})
    assert client.get("/one").status_code == 200
    cache.unlink()
    assert client.get("/two").status_code == 200
    assert len(list(cache.glob("*.cwasm"))) == 1


@pytest.mark.parametrize("suffix", [".json", ".lock", ".failed", ".cwasm"])
def test_a_directory_in_the_place_of_a_file(make_client: SiteMaker, cache: Path, tmp_path: Path, suffix: str) -> None:
    module = fresh_module(tmp_path)
    made = Cache(cache)
    artefact = made.artefact(made.digest(ModuleSource(Path(module))), frozenset())
    artefact.with_suffix(suffix).mkdir()
    assert status(make_client, module) == 200
    assert status(make_client, module) == 200


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"../" * 22, b"0" * 64, b"0" * 63])
def test_a_damaged_note_of_a_digest(make_client: SiteMaker, cache: Path, tmp_path: Path, content: bytes) -> None:
    module = Path(fresh_module(tmp_path))
    os.utime(module, (1, 1))
    made = Cache(cache)
    wait_for("the file to settle", ModuleSource(module).is_settled)
    right = made.digest(ModuleSource(module))
    (note,) = cache.glob("*.source")
    note.write_bytes(content)
    if content != b"0" * 64:  # that one could be
        assert made.digest(ModuleSource(module)) == right
    assert status(make_client, str(module)) == 200


def test_artefacts_that_were_swapped(make_client: SiteMaker, cache: Path, tmp_path: Path) -> None:
    """Each with its note, so each is whole."""
    found = []
    for name in ("hello", "trap"):
        made = Cache(cache)
        source = ModuleSource(guest(name))
        result = compile_once(source, frozenset(), made, lambda seconds: None, COMMAND)
        found.append(made.artefact(result.digest, frozenset()))
    one, two = found
    for suffix in (".cwasm", ".json"):
        aside = cache / "aside"
        one.with_suffix(suffix).rename(aside)
        two.with_suffix(suffix).rename(one.with_suffix(suffix))
        aside.rename(two.with_suffix(suffix))
    assert make_client({"/x": {"module": "hello"}}).get("/x").status_code == 200


def test_a_directory_that_others_can_write_to_later(
    make_client: SiteMaker, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client({f"/{name}": {"module": fresh_module(tmp_path, name)} for name in ("one", "two")})
    assert client.get("/one").status_code == 200
    before = sorted(cache.glob("*.cwasm"))
    cache.chmod(0o777)
    assert client.get("/two").status_code == 200
    assert "can be written by its group or by others" in caplog.text
    assert sorted(cache.glob("*.cwasm")) == before


@pytest.mark.in_process
def test_a_component_without_room(make_client: SiteMaker, cache: Path, tmp_path: Path) -> None:
    module = str(component("http"))
    with full_disk():
        assert make_client({"/x": {"module": module}}).get("/x/hello").status_code == 200


def test_what_is_wrong_with_a_directory(tmp_path: Path) -> None:
    assert unwritable(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert unwritable(tmp_path / "gone") == "No such file or directory"
    with full_disk():
        assert unwritable(tmp_path) == "File too large"
    with pytest.raises(CacheError):
        Cache(Path("/dev/null/x"))
