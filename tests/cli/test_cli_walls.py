"""What `check` says of walls around processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guests.build import guest
from wsgi_wasm.cli.commands.check import wall_notes
from wsgi_wasm.config import load_config
from wsgi_wasm.walls import landlock, walls

SITE = f"routes: {{/: {{module: '{guest('hello')}', key_value: [shop]"


def notes(tmp_path: Path, rest: str) -> list[str]:
    path = tmp_path / "site.yaml"
    path.write_text(f"{SITE}{rest}\nkey_value: {{shop: {{path: shop.db}}}}\n")
    return wall_notes(load_config(path))


@pytest.fixture(autouse=True)
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(landlock, "abi", lambda: 2)
    walls.missing.cache_clear()
    yield
    walls.missing.cache_clear()


def test_a_site_without_walls(tmp_path: Path) -> None:
    assert notes(tmp_path, "}}") == []


def test_what_the_kernel_lacks(tmp_path: Path) -> None:
    said = notes(tmp_path, ", isolate: true}}\nharden: {read: [/nowhere]}")
    assert "isolate and harden: Landlock is version 2: connections cannot be confined to ports (Linux 6.7)" in said
    assert "harden: /nowhere does not exist" in said
    assert notes(tmp_path, ", isolate: true}}")[0].startswith("isolate: Landlock")


def test_a_folder_of_everything(tmp_path: Path) -> None:
    said = notes(tmp_path, ", dirs: {/a: /etc}}}\nharden: {write: [/var/../srv]}")
    assert "harden: the server can read all of /etc: keep what the site needs in a folder" in said
    assert "harden: the server can change all of /var/../srv: keep what the site needs in a folder" in said


def test_a_database_beside_modules(tmp_path: Path) -> None:
    (said,) = [note for note in notes(tmp_path, "}}\nharden: true") if "database" in note]
    assert said.startswith(f"harden: {tmp_path} holds a database, so the server can write to all that lies there")
