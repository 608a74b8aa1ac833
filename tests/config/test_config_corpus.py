"""Each file of the corpus is one configuration. A valid one ends in facts about its Config (`#= `), an invalid one in
the messages it must give (`#! `), all of them, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wsgi_wasm.config import Config, ModuleTarget, Route, SpinTarget, load_config
from wsgi_wasm.errors import ConfigError

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.yaml"))
INVALID = sorted((HERE / "invalid").glob("*.yaml"))

ENVIRON = {
    "TOKEN": "s3cret",
    "DIR": "/srv",
    "WAIT": "2s",
    "FLAG": "true",
    "NUMBER": "3",
    "METHOD": "GET",
    "TREE": "a: [${TOKEN}, *x]",
    "EMPTY": "",
    "PROXY": "192.0.2.1",
    "BROKEN": "\udcff",
}


def split(file: Path, mark: str) -> tuple[str, list[str]]:
    """The configuration without its expectations, and these."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    expected = [line[len(mark) :].rstrip("\n") for line in lines if line.startswith(mark)]
    return "".join(line for line in lines if not line.startswith(mark)), expected


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_valid(file: Path, tmp_path: Path) -> None:
    text, facts = split(file, "#= ")
    site = tmp_path / "site.yaml"
    site.write_text(text, encoding="utf-8")
    config = load_config(site, ENVIRON)

    def route(path: str) -> Route:
        return next(route for route in config.routes if route.path == path)

    assert facts
    names = {"config": config, "route": route, "base": tmp_path, "ModuleTarget": ModuleTarget, "SpinTarget": SpinTarget}
    for fact in facts:
        assert eval(fact, dict(names)), fact


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_invalid(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, messages = split(file, "#! ")
    monkeypatch.chdir(tmp_path)
    Path("site.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config("site.yaml", ENVIRON)
    assert messages
    assert str(caught.value).splitlines() == messages
    assert "s3cret" not in str(caught.value)


def test_places_are_inside_the_file() -> None:
    for file in INVALID:
        text, messages = split(file, "#! ")
        lines = text.splitlines()
        for message in messages:
            place = re.match(r"site\.yaml:(\d+):(\d+): ", message)
            assert place is not None, message
            line, column = map(int, place.groups())
            assert 1 <= column <= len(lines[line - 1]) + 1, message


def test_pure_python_yaml_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml the words of syntax errors differ, and nothing else."""
    yaml = pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    for file in INVALID:
        text, messages = split(file, "#! ")
        Path("site.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_config("site.yaml", ENVIRON)
        if "not YAML" in messages[0]:
            assert "not YAML" in str(caught.value)
        else:
            assert str(caught.value).splitlines() == messages, file.name
    for file in VALID:
        Path("site.yaml").write_text(split(file, "#= ")[0], encoding="utf-8")
        assert isinstance(load_config("site.yaml", ENVIRON), Config)
