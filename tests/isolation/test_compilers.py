"""Modules that the spawner has compiled, for a process that may start none itself."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import guest
from servers.process import wait_for
from wsgi_wasm.engine.code import child
from wsgi_wasm.engine.code.compiler import compile_in_child
from wsgi_wasm.engine.code.failures import NotCompiled
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.errors import WallError
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.isolation.compiling import RemoteCompiler
from wsgi_wasm.isolation.rendezvous import Meeting
from wsgi_wasm.isolation.rights import SpawnerRights

NO_FEATURES: frozenset[str] = frozenset()


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Meeting]:
    there = Meeting(tmp_path / "cache", 4)
    there.start()
    child.start_elsewhere(lambda arguments: RemoteCompiler(there, arguments))
    yield there
    child.start_elsewhere(None)


def test_a_site_without_programs_of_its_own(
    meeting: Meeting, make_client: SiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its modules are compiled, into the cache and where there is none, by processes that it does not start."""
    monkeypatch.setattr("subprocess.Popen.__init__", None)
    monkeypatch.setenv("WSGI_WASM_CACHE", str(tmp_path / "cache"))
    client: Client = make_client({"/x": {"module": "hello"}, "/broken": {"module": "broken"}})
    assert client.get("/x").status_code == 200
    assert client.get("/broken").status_code == 503
    assert list((tmp_path / "cache").glob("*.cwasm"))


def test_without_a_cache(meeting: Meeting) -> None:
    compiled = compile_in_child(ModuleSource.of(HostFile(guest("hello")), {}), NO_FEATURES, None)
    assert compiled.code


def test_another_cache_is_refused(meeting: Meeting, tmp_path: Path) -> None:
    """Whoever has taken over a server's process gets no file written elsewhere by it."""
    with pytest.raises(NotCompiled, match="the server's cache is"):
        compile_in_child(ModuleSource.of(HostFile(guest("hello")), {}), NO_FEATURES, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_module_is_read_within_walls(meeting: Meeting, tmp_path: Path) -> None:
    module = tmp_path / "link.wasm"
    module.symlink_to("/etc/passwd")
    with pytest.raises(NotCompiled):
        compile_in_child(ModuleSource.of(HostFile(module), {}), NO_FEATURES, None)


def test_one_that_is_left_ends(meeting: Meeting) -> None:
    arguments = ["[", "--features", ""]  # no JSON: it ends by itself
    with RemoteCompiler(meeting, arguments) as broken:
        wait_for("its end", lambda: broken.communicate(1.0) is not None)
        assert broken.returncode
    source = ModuleSource.of(HostFile(guest("hello")), {})
    started = RemoteCompiler(meeting, [json.dumps(source.to_json())])
    assert started.usage() is not None
    started.__exit__()
    answer = meeting.ask({"children": True}).words
    assert answer["children"] == []


@pytest.mark.parametrize("streams", [0, 1])
def test_a_request_without_its_streams(meeting: Meeting, streams: int) -> None:
    given = [os.open(os.devnull, os.O_RDWR) for _ in range(streams)]
    connection, words, _ = meeting.begin({"compile": ["[]"]}, given)
    connection.close()
    assert "streams" in words["error"]
    for descriptor in given:
        os.close(descriptor)


def test_who_gets_which_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is not root gets its own user from a spawner of root's, or one of the configuration's."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    rights = SpawnerRights(frozenset({33}), frozenset({"nobody"}))
    assert rights.may_ask(33)
    assert not rights.may_ask(34)
    own = rights.user((33, 33), None)
    assert own is not None
    assert (own.uid, own.gid, own.groups) == (33, 33, (33,))
    named = rights.user((33, 33), "nobody")
    assert named is not None
    assert named.name == "nobody"
    assert rights.user((0, 0), None) is None
    with pytest.raises(WallError, match="was not in the configuration"):
        rights.user((33, 33), "daemon")
    with pytest.raises(WallError, match="is root"):
        SpawnerRights(frozenset({33}), frozenset({"root"})).user((33, 33), "root")
