"""Each file of the corpus is one `spin.toml`. A valid one ends in facts about what was read (`#= `), an invalid one in
the messages that it must give (`#! `), all of them, in order."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from wsgi_wasm.errors import ConfigError
from wsgi_wasm.spin.manifest import read_manifest
from wsgi_wasm.spin.model import Component, Trigger

HERE = Path(__file__).parent / "manifests"
VALID = sorted((HERE / "valid").glob("*.toml"))
INVALID = sorted((HERE / "invalid").glob("*.toml"))


def split(file: Path, mark: str) -> tuple[str, list[str], str | None]:
    """The manifest without its expectations, these, and the profile that its first line may name."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    expected = [line[len(mark) :].rstrip("\n") for line in lines if line.startswith(mark)]
    text = "".join(line for line in lines if not line.startswith(mark))
    profile = re.match(r"#profile (\w+)\n", text)
    return text, expected, profile[1] if profile else None


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_valid(file: Path, tmp_path: Path) -> None:
    text, facts, profile = split(file, "#= ")
    (tmp_path / "spin.toml").write_text(text, encoding="utf-8")
    manifest = read_manifest(tmp_path / "spin.toml", profile)

    def trigger(identity: str) -> Trigger:
        return next(one for one in manifest.triggers if one.id == identity)

    def component(identity: str) -> Component:
        return manifest.components[identity]

    assert facts
    names = {"manifest": manifest, "trigger": trigger, "component": component, "base": tmp_path}
    for fact in facts:
        assert eval(fact, dict(names)), fact


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_invalid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, messages, profile = split(file, "#! ")
    monkeypatch.chdir(tmp_path)
    Path("spin.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_manifest(Path("spin.toml"), profile)
    assert messages
    assert str(caught.value).splitlines() == [message.replace("{base}", str(tmp_path)) for message in messages]


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_a_byte_order_mark_is_no_mistake(file: Path, tmp_path: Path) -> None:
    text, _, profile = split(file, "#= ")
    path = tmp_path / "spin.toml"
    path.write_text(text, encoding="utf-8")
    plain = read_manifest(path, profile)
    path.write_text(text, encoding="utf-8-sig")
    assert read_manifest(path, profile) == plain


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "not UTF-8 at byte 0"),
        ("a = 1".encode("utf-16"), "not UTF-8 at byte 0; it is UTF-16: save it as UTF-8"),
        (b"#" * (1 << 20) + b"#", "larger than 1 MiB"),
        (b"a = " + b"[" * 5000, "not TOML"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_manifest_at_all(data: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "spin.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        read_manifest(path)


def test_a_source_by_digest_is_taken_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the manifest, or where Spin's own command put it; never without its digest being right."""
    data = b"\0asm and so on"
    digest = hashlib.sha256(data).hexdigest()
    path = tmp_path / "app" / "spin.toml"
    path.parent.mkdir()
    path.write_text(
        'spin_manifest_version = 2\napplication = {name = "a"}\n[[trigger.http]]\nroute = "/"\ncomponent = "a"\n'
        f'[component.a]\nsource = {{url = "https://example.com/a.wasm", digest = "sha256:{digest}"}}\n'
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    theirs = tmp_path / "cache" / "spin" / "registry" / "wasm" / f"sha256:{digest}"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(data)
    assert read_manifest(path).components["a"].source == theirs

    ours = path.parent / ".spin" / "wasm" / f"{digest}.wasm"
    ours.parent.mkdir(parents=True)
    ours.write_bytes(data)
    assert read_manifest(path).components["a"].source == ours

    ours.write_bytes(b"something else")
    with pytest.raises(ConfigError, match="does not have this digest"):
        read_manifest(path)
