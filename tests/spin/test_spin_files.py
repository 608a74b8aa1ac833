"""What a component sees of its application's files: exactly what the manifest names, as copies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wsgi_wasm.spin import snapshots
from wsgi_wasm.spin.files import select
from wsgi_wasm.spin.globs import compiled
from wsgi_wasm.spin.model import Component, Mount
from wsgi_wasm.spin.snapshots import snapshot
from wsgi_wasm.spin.tables import ManifestReading

TREE = (
    *("a.txt", "b.md", "img/one.png", "img/two.jpg", "img/.hidden", "img/deep/three.png", "img/deep/four.psd"),
    *("secret/key", "tpl/x.html", ".spin/sqlite_db.db"),
)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    for name in TREE:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def chosen(app: Path, files: list[str | tuple[str, str]], excluded: tuple[str, ...] = ()) -> tuple[dict[str, str], Any]:
    """Guest path to what the file holds, and the messages."""
    mounts = tuple(
        Mount(source=one, destination=None) if isinstance(one, str) else Mount(source=one[0], destination=one[1])
        for one in files
    )
    component = Component(
        id="c",
        source=app / "c.wasm",
        description="",
        files=mounts,
        exclude_files=excluded,
        environment={},
        variables={},
        allowed_outbound_hosts=(),
        key_value_stores=(),
        sqlite_databases=(),
        dependencies={},
        siblings={},
    )
    reading = ManifestReading(file="spin.toml", base=app)
    found = select(component, reading)
    return {name: path.read_text() for name, path in found.items()}, sorted(one.message for one in reading.problems)


@pytest.mark.parametrize(
    ("files", "excluded", "names"),
    [
        (["a.txt"], (), {"a.txt": "a.txt"}),
        (["./a.txt", "*.md"], (), {"a.txt": "a.txt", "b.md": "b.md"}),
        (["img/*.png"], (), {"img/one.png": "img/one.png"}),
        (["**/*.png"], (), {"img/one.png": "img/one.png", "img/deep/three.png": "img/deep/three.png"}),
        (["img/**/*"], ("**/*.psd", "img/.*"), {n: n for n in ("img/one.png", "img/two.jpg", "img/deep/three.png")}),
        (["img/**/*"], ("img/*",), {}),
        (["img/[ot]*.[!p]*"], (), {"img/two.jpg": "img/two.jpg"}),
        (["img/deep"], (), {n: n for n in ("img/deep/three.png", "img/deep/four.psd")}),
        ([("img/deep", "/pics")], ("*.psd",), {"pics/three.png": "img/deep/three.png"}),
        ([("tpl/", "/")], (), {"x.html": "tpl/x.html"}),
        ([("a.txt", "/etc/motd")], (), {"etc/motd": "a.txt"}),
        ([("tpl", "/t"), "a.txt", ("b.md", "a.txt")], (), {"t/x.html": "tpl/x.html", "a.txt": "b.md"}),
        (["no/*.such"], (), {}),
    ],
)
def test_what_is_chosen(app: Path, files: list[Any], excluded: tuple[str, ...], names: dict[str, str]) -> None:
    assert chosen(app, files, excluded) == (names, [])


def test_what_the_gateway_keeps_is_never_chosen(app: Path) -> None:
    found, _ = chosen(app, ["**/*"])
    assert set(found) == {name for name in TREE if not name.startswith(".spin/")}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["missing.txt"], "files[0]: 'missing.txt' does not exist and is not a pattern"),
        ([("missing", "/")], "files[0]: 'missing' does not exist"),
        (["../*"], "files[0]: '../*' has '.' or '..'"),
        (["img/.."], "files[0]: 'img/..' has '.' or '..'"),
        (["."], "files[0]: '.' has '.' or '..'"),
        ([("..", "/")], "files[0]: '..' is outside the application's directory"),
        ([("/etc", "/")], "files[0]: '/etc' is outside the application's directory"),
        (["/etc/*"], "files[0]: '/etc/*' is outside the application's directory"),
        (["/etc/hostname"], "files[0]: '/etc/hostname' is outside the application's directory"),
        (["a.txt", ("tpl", "/../x")], "files[1]: '/../x' leaves the guest's root"),
        ([("a.txt", "/")], "files[0]: 'a.txt' is a file, and '/' is not a file name"),
        ([("a.txt", "/x"), ("tpl", "/x")], "files: 'x' would be both a file and a directory"),
        (["[z-a]"], "files[0]: bad character range"),
    ],
)
def test_what_cannot_be(app: Path, files: list[Any], message: str) -> None:
    _, messages = chosen(app, files)
    assert len(messages) == 1
    assert messages[0].startswith(f"component.c.{message}")


def test_links_lead_nowhere_outside(app: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    (app / "img" / "out.png").symlink_to(tmp_path / "outside")
    (app / "img" / "in.png").symlink_to("../a.txt")
    (app / "img" / "all").symlink_to("/etc")
    (app / "img" / "loop.png").symlink_to("loop.png")
    found, messages = chosen(app, ["img/*"])
    assert messages == []
    assert {name: text for name, text in found.items() if name not in TREE} == {"img/in.png": "a.txt"}
    assert chosen(app, ["img/out.png"])[1] == [
        "component.c.files[0]: 'img/out.png' is outside the application's directory"
    ]
    assert chosen(app, [("img/all", "/")])[1] == [
        "component.c.files[0]: 'img/all' is outside the application's directory"
    ]


def test_a_pipe_is_no_file(app: Path) -> None:
    os.mkfifo(app / "img" / "pipe.png")
    assert "img/pipe.png" not in chosen(app, ["img/*"])[0]


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("**", "a/b/c", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "ab", False),
        ("*.txt", "a/b.txt", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("[]x]", "]", True),
        ("a[", "a[", True),
        ("[!a]", "/", False),
        ("[!]a]", "b", True),
        ("[!]a]", "]", False),
        ("[a^]", "^", True),
        ("[[:]", "[", True),
        ("[a-c-]", "-", True),
        ("[--0]", "/", False),
        ("**/**/**/a", "x/y/a", True),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    assert bool(compiled(pattern).fullmatch(path)) is fits


# --- copies ---


def test_a_copy_stays_as_it_was(app: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    files = {"a.txt": app / "a.txt", "deep/b": app / "b.md"}
    first = snapshot(files, cache).path
    assert first == snapshot(files, cache).path
    assert {path.relative_to(first).as_posix() for path in first.rglob("*")} == {"a.txt", "deep", "deep/b"}
    (app / "a.txt").write_text("changed")
    assert (first / "a.txt").read_text() == "a.txt"
    second = snapshot(files, cache).path
    assert second != first
    assert (second / "a.txt").read_text() == "changed"
    assert not [path for path in (cache / "files").iterdir() if path.name.startswith(".")]


def test_who_may_read_a_copy(app: Path, tmp_path: Path) -> None:
    """Those who may enter the cache, even if whoever fills it keeps everything to himself."""
    before = os.umask(0o077)
    try:
        for mode, wanted in ((0o755, [0o755, 0o755, 0o644]), (0o700, [0o700, 0o700, 0o600])):
            cache = tmp_path / f"cache-{mode:o}"
            (cache / "files").mkdir(parents=True)
            for folder in (cache, cache / "files"):
                folder.chmod(mode)
            place = snapshot({"deep/b": app / "b.md"}, cache).path
            found = [path.stat().st_mode & 0o777 for path in (place, place / "deep", place / "deep" / "b")]
            assert found == wanted
    finally:
        os.umask(before)


def test_a_cache_that_is_open_to_others_is_not_used(app: Path, tmp_path: Path) -> None:
    """Whoever can write there could change what components read."""
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    place = snapshot({"a.txt": app / "a.txt"}, cache).path
    assert (place / "a.txt").read_text() == "a.txt"
    assert not place.is_relative_to(cache)
    assert list(cache.iterdir()) == []


def test_a_link_put_there_in_between_is_not_followed(app: Path, tmp_path: Path) -> None:
    (app / "a.txt").unlink()
    (app / "a.txt").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="symbolic link"):
        snapshot({"a.txt": app / "a.txt"}, tmp_path / "cache")
    assert list((tmp_path / "cache" / "files").iterdir()) == []


def test_a_copy_is_of_what_its_seal_says(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who swaps files while they are copied can neither be given another's copy nor leave his own in its place."""
    cache = tmp_path / "cache"
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("another's")
    foreign = snapshot({"a.txt": other / "a.txt"}, cache).path
    copy_file = snapshots._copy_file
    swaps = iter(range(3))

    def swapped(path: Path, copy: Path) -> os.stat_result:
        if next(swaps, None) is not None:
            (app / "new").write_text("newer")
            (app / "new").rename(app / "a.txt")
        return copy_file(path, copy)

    monkeypatch.setattr(snapshots, "_copy_file", swapped)
    place = snapshot({"a.txt": app / "a.txt"}, cache).path
    assert (place / "a.txt").read_text() == "newer"
    assert (foreign / "a.txt").read_text() == "another's"
    assert len(list((cache / "files").iterdir())) == 2
    (app / "a.txt").unlink()
    (app / "a.txt").symlink_to(other / "a.txt")
    with pytest.raises(OSError, match="symbolic link"):
        snapshot({"a.txt": app / "a.txt"}, cache)
