"""What a site adds to an interpreter: built once, anew when it has changed, put in place as a whole. The interpreter is
one that is made at once, of text."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wsgi_wasm.cli import main
from wsgi_wasm.errors import BuildError
from wsgi_wasm.interpreters import NAMES, NOTHING, Additions, interpreter, interpreter_at, missing
from wsgi_wasm.interpreters.build import build
from wsgi_wasm.interpreters.freshness import state
from wsgi_wasm.interpreters.model import BuiltinInterpreter, SnapshotParts, Waiting
from wsgi_wasm.interpreters.trees import copy_tree, digest_of


def make(work: Path, output: Path, parts: SnapshotParts, waiting: Waiting) -> None:
    """A snapshot is the names of what it is made of."""
    files = [path for folder in (parts.packages, parts.library) if folder is not None for path in folder.iterdir()]
    output.write_text(f"{parts.preload} {sorted(path.read_text() for path in files)}")


def install(packages: Path, work: Path, target: Path, waiting: Waiting) -> None:
    """A requirements file is installed as it is."""
    target.mkdir()
    text = packages.read_text()
    (target / "installed").write_text(text)
    if "fail" in text:
        raise BuildError("no such package")


@pytest.fixture
def fake(tmp_path: Path) -> BuiltinInterpreter:
    return replace(interpreter(NAMES[0]), make=make, install=install)


@pytest.fixture
def site(tmp_path: Path) -> Additions:
    (tmp_path / "requirements.txt").write_text("one")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "shop.py").write_text("two")
    return Additions(packages=tmp_path / "requirements.txt", library=tmp_path / "lib", preload=("shop",))


def test_states(fake: BuiltinInterpreter, site: Additions, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert state(fake, cache, site) == "missing"
    made = build(fake, cache, additions=site)
    assert made.read_text() == "('shop',) ['one', 'two']"
    assert state(fake, cache, site) == ""
    assert build(fake, cache, additions=site) == made
    (tmp_path / "lib" / "shop.py").write_text("three")
    assert state(fake, cache, site) == "stale"
    assert build(fake, cache, additions=site).read_text() == "('shop',) ['one', 'three']"
    (tmp_path / "requirements.txt").write_text("four")
    assert state(fake, cache, site) == "stale"
    assert build(fake, cache, additions=site).read_text() == "('shop',) ['four', 'three']"
    assert state(fake, cache, site) == ""
    made.with_suffix(".built").unlink()
    assert state(fake, cache, site) == "stale", "as after a build that was killed between the two files"


def test_without_preload_there_is_no_snapshot_of_its_own(
    fake: BuiltinInterpreter, site: Additions, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    plain = build(fake, cache)
    for additions in (replace(site, preload=()), replace(site, preload=(), packages=None)):
        assert build(fake, cache, additions=additions) == plain
        assert state(fake, cache, additions) == ""
    (tmp_path / "lib" / "shop.py").write_text("three")
    assert state(fake, cache, replace(site, preload=())) == "", "scripts find the library as it is"


def test_packages_are_replaced_as_a_whole(fake: BuiltinInterpreter, site: Additions, tmp_path: Path) -> None:
    cache, requirements = tmp_path / "cache", tmp_path / "requirements.txt"
    build(fake, cache, additions=site)
    link = fake.packages_path(cache, requirements)
    places = [os.path.realpath(link)]
    for text in ("2", "3"):
        requirements.write_text(text)
        build(fake, cache, additions=site)
        places.append(os.path.realpath(link))
    assert [Path(place).exists() for place in places] == [False, True, True], "the last one is for running requests"
    requirements.write_text("fail")
    with pytest.raises(BuildError, match="no such package"):
        build(fake, cache, additions=site)
    assert (link / "installed").read_text() == "3"
    assert not [path for path in cache.iterdir() if path.name.startswith(".making-")]


def test_each_set_has_a_place(fake: BuiltinInterpreter, site: Additions, tmp_path: Path) -> None:
    sets = [
        NOTHING,
        site,
        replace(site, preload=("shop", "x")),
        replace(site, library=tmp_path / "other"),
        replace(site, packages=None),
    ]
    paths = [fake.path(tmp_path, one) for one in sets]
    assert len(set(paths)) == len(sets)
    for path in (*paths, fake.packages_path(tmp_path, tmp_path / "requirements.txt")):
        assert interpreter_at(path) is interpreter(NAMES[0])
    assert f"wsgi-wasm interpreter build {NAMES[0]} SITE" in missing(paths[1], "gone")


def link_out(folder: Path) -> None:
    (folder / "x.py").symlink_to("/etc/hostname")


def link_folder(folder: Path) -> None:
    (folder / "x").symlink_to("/etc")


def link_to_nothing(folder: Path) -> None:
    (folder / "x.py").symlink_to("nothing")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "x.py")


@pytest.mark.parametrize(
    ("put", "words"),
    [(link_out, "outside"), (link_folder, "link to a directory"), (link_to_nothing, "No such"), (fifo, "regular")],
)
def test_what_is_not_copied(put: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    """The owner of a directory may be another than who builds, and must not have files read that are not his."""
    source = tmp_path / "source"
    source.mkdir()
    put(source)
    with pytest.raises(BuildError, match=words) as caught:
        copy_tree(source, tmp_path / "copy")
    assert str(source) in str(caught.value)
    assert "/x" in str(caught.value)


def test_trees(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a" / "__pycache__").mkdir(parents=True)
    (source / "a" / "b.py").write_text("x")
    (source / "link.py").symlink_to("a/b.py")
    before = digest_of(source)
    (source / "a" / "__pycache__" / "b.pyc").write_text("bytecode of another Python")
    assert digest_of(source) == before
    copy_tree(source, tmp_path / "copy")
    assert sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*.py")) == [
        "a/b.py",
        "link.py",
    ]
    assert not (tmp_path / "copy" / "link.py").is_symlink()
    (source / "link.py").rename(source / "other.py")
    assert digest_of(source) != before


def test_what_is_pruned(fake: BuiltinInterpreter, site: Additions, tmp_path: Path) -> None:
    cache, requirements = tmp_path / "cache", tmp_path / "requirements.txt"
    build(fake, cache, additions=site)
    first = fake.packages_path(cache, requirements).resolve()
    requirements.write_text("2")
    build(fake, cache, additions=site)
    second = fake.packages_path(cache, requirements).resolve()
    old = cache / f"{fake.name}-0123456789abcdef-0123456789abcdef.packages"
    (cache / f"{old.name}-0123456789abcdef-01234567").mkdir()
    old.symlink_to(f"{old.name}-0123456789abcdef-01234567")
    for path in cache.iterdir():
        os.utime(path, (1, 1), follow_symlinks=False)
    assert main(["cache", "prune", "--cache", str(cache)]) == 0
    assert [path.exists() for path in (first, second, fake.path(cache, site))] == [False, True, True]
    assert not os.path.lexists(old)
    assert [path.name for path in cache.iterdir() if path.name.startswith(old.name)] == []
