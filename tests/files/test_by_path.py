"""A path to a directory that is open, with /proc and without."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgi_wasm.files import by_path
from wsgi_wasm.files.by_path import with_path_of


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "file").touch()
    descriptor = os.open(tmp_path / "own", os.O_PATH | os.O_DIRECTORY)
    (tmp_path / "own").rename(tmp_path / "moved")
    (tmp_path / "own").symlink_to("/etc")
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_path, "_has_proc", lambda: False)


def test_the_path_leads_to_what_is_open(directory: int) -> None:
    assert with_path_of(directory, os.listdir) == [b"file"]


@pytest.mark.usefixtures("no_proc")
def test_without_proc(directory: int) -> None:
    before = Path.cwd()
    assert with_path_of(directory, os.listdir) == [b"file"]
    assert Path.cwd() == before
    with pytest.raises(FileNotFoundError):
        with_path_of(directory, lambda path: os.listdir(path + b"/nothing"))
    with pytest.raises(ValueError, match="negative"):
        with_path_of(-1, os.listdir)


def test_a_missing_proc_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, directory: int
) -> None:
    def refused(path: str) -> os.stat_result:
        raise FileNotFoundError(2, "No such file or directory")

    by_path._has_proc.cache_clear()
    monkeypatch.setattr(os, "stat", refused)
    with caplog.at_level(logging.WARNING):
        assert [with_path_of(directory, os.listdir) for _ in range(2)] == [[b"file"]] * 2
    by_path._has_proc.cache_clear()
    assert [record.message for record in caplog.records if "/proc is missing" in record.message] != []
    assert len(caplog.records) == 1
