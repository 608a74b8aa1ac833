"""Whatever stands in a manifest or a runtime configuration, reading it ends in a value or in a ConfigError."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from spin.test_spin_variables import RUNTIME
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers import importer
from wsgi_wasm.spin.manifest import read_manifest
from wsgi_wasm.spin.runtime_config import read_runtime_config

HERE = Path(__file__).parent / "manifests"
SOURCES = [path.read_text("utf-8") for path in sorted(HERE.glob("valid/*.toml"))]
OTHERS: list[Any] = [
    0,
    -1,
    True,
    1.5,
    float("nan"),
    "",
    "x",
    "/...",
    "\0",
    "{{",
    [],
    [[]],
    [1],
    {},
    {"a": {}},
    date(2026, 1, 1),
]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values below `data`."""
    entries: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(data: Any, place: tuple[Any, ...], value: Any) -> Any:
    data = copy.deepcopy(data)
    target = data
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return data


def mutants(texts: list[str]) -> Iterator[Any]:
    for text in texts:
        data = tomllib.loads(text)
        for place in places(data):
            for other in OTHERS:
                yield changed(data, place, other)


def problems(function: Callable[..., Any], *arguments: Any) -> Sequence[Problem]:
    try:
        function(*arguments)
    except ConfigError as error:
        return error.problems
    return ()


def test_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spin.toml"
    path.touch()
    count = read = 0
    for mutant in mutants(SOURCES):
        monkeypatch.setattr("wsgi_wasm.spin.tables.tomllib.loads", lambda text, data=mutant: data)
        count += 1
        messages = [problem.message for problem in problems(read_manifest, path)]
        problems(read_manifest, path, "debug")
        messages += [problem.message for problem in problems(importer("spin").convert, path, tmp_path)]
        assert [message for message in messages if not message.isprintable()] == []
        read += not messages
    assert count > 1000
    assert 0 < read < count


def test_runtime_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runtime.toml"
    path.touch()
    count = read = 0
    providers = '[[variables_provider]]\ntype = "env"\nprefix = "X"\n[[variables_provider]]\ntype = "static"\n'
    for mutant in mutants([RUNTIME, providers + 'values = {a = "b"}']):
        monkeypatch.setattr("wsgi_wasm.spin.tables.tomllib.loads", lambda text, data=mutant: data)
        count += 1
        read += not problems(read_runtime_config, path, tmp_path, None, {})
    assert 0 < read < count
