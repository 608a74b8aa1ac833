"""Runs one case: a gateway with one route, asked what the case says."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from werkzeug.test import Client, TestResponse

from wsgi_wasm import create_app
from wsgi_wasm.errors import ConfigError, Cut

from .cases import Ask, Case

PATIENCE = "2m"  # for a first compilation
MEGABYTE = bytes(251 * n % 256 for n in range(1, 1024 * 1024 + 1))  # as upstream's tests make it

Find = Callable[[str], Path]


class Mismatch(Exception):
    """A run that did not go as the case says."""


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def run_case(case: Case, program: str, find: Find, apps: Path | None, around: Mapping[str, str]) -> None:
    """`find` gives a program's file by its name, `apps` is where Spin applications are. Raises Mismatch."""
    log, logger = _Log(), logging.getLogger("wsgi_wasm")
    level, logger.propagate = logger.level, False
    logger.setLevel(logging.INFO)
    logger.addHandler(log)
    try:
        with tempfile.TemporaryDirectory(prefix="upstream-") as work:
            _asked(case, program, find, apps, {**around, "dir": work}, log)
    finally:
        logger.removeHandler(log)
        logger.setLevel(level)
        logger.propagate = True


def _asked(case: Case, program: str, find: Find, apps: Path | None, words: Mapping[str, str], log: _Log) -> None:
    work = Path(words["dir"])
    for name, text in case.files.items():
        _write(work / "files" / name, text)
    try:
        client = Client(create_app(_site(case, program, find, apps, words)))
    except ConfigError as error:
        if case.refused and case.refused in str(error):
            return
        raise Mismatch(str(error)) from None
    if case.refused:
        raise Mismatch("was not refused")
    for ask in case.ask:
        try:
            response = _answer(client, ask, words)
            if response is not None:
                _check(ask, response, words)
        except Mismatch as mismatch:
            raise Mismatch("\n".join([str(mismatch), *log.lines])) from None
    text = "\n".join(log.lines)
    missing = [word for word in case.log if word not in text]
    if missing:
        raise Mismatch(f"the log lacks {missing}:\n{text}")
    if case.exit is not None and case.route.get("interface") == "raw":
        found = re.search(r"exited with status (\d+)", text)
        if (int(found[1]) if found else 0) != case.exit:
            raise Mismatch(f"exit status, in place of {case.exit}:\n{text}")


def _site(case: Case, program: str, find: Find, apps: Path | None, words: Mapping[str, str]) -> Path:
    work = Path(words["dir"])
    route: dict[str, Any] = {"timeout": "20s", "queue_timeout": PATIENCE, **_filled(case.route, words)}
    if case.app is not None:
        assert apps is not None
        shutil.copytree(apps / case.app, work / "app")
        manifest = work / "app" / "spin.toml"
        text = manifest.read_text("utf-8")
        for old, new in case.amend.items():
            text = text.replace(old, new)
        # Spin's own tests write `%{source=name}` and `%{port=80}`.
        text = re.sub(r"%\{source=([^}]+)\}", lambda match: str(find(match[1])), text)
        # Examples name what cargo and componentize-py make.
        text = text.replace('source = "app.wasm"', f'source = "{find(program)}"')
        text = re.sub(r'source = "[^"]*target/[^"]*/(\w+)\.wasm"', lambda m: f'source = "{find(m[1])}"', text)
        text = re.sub(r"%\{port=(\d+)\}", lambda match: words[match[1]], text)
        manifest.write_text(text, encoding="utf-8")
        route["spin"] = {"manifest": str(manifest), **route.get("spin", {})}
    else:
        route["module"] = str(find(program))
    site = work / "site.yaml"
    site.write_text(yaml.safe_dump({"state_dir": str(work / "state"), "routes": {"/": route}}), encoding="utf-8")
    return site


def _write(path: Path, text: str | None) -> None:
    """None is a directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir() if text is None else path.write_text(text, encoding="utf-8")


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(f"{{{name}}}", word)
        return value
    if isinstance(value, Mapping):
        return {_filled(name, words): _filled(one, words) for name, one in value.items()}
    return [_filled(one, words) for one in value] if isinstance(value, list | tuple) else value


def _answer(client: Client, ask: Ask, words: Mapping[str, str]) -> TestResponse | None:
    """None for one that is cut, as it should be."""
    try:
        response = client.open(
            ask.path,
            method=ask.method,
            headers=[(name, _filled(value, words)) for name, value in ask.headers],
            data=_bytes(ask.body) if ask.body is not None else None,
            base_url=f"http://{_filled(ask.host, words)}/",
        )
    except Cut as cut:
        if ask.cut:
            return None
        raise Mismatch(f"{ask.path}: cut: {cut}") from None
    if ask.cut:
        raise Mismatch(f"{ask.path}: was not cut: {response.status_code}")
    return response


def _bytes(text: str) -> bytes:
    return MEGABYTE if text == "MEGABYTE" else text.encode()


def _check(ask: Ask, response: TestResponse, words: Mapping[str, str]) -> None:
    place = f"{ask.method} {ask.path}"
    if response.status_code != ask.status:
        raise Mismatch(f"{place}: {response.status_code} in place of {ask.status}: {response.data[:300]!r}")
    if ask.answer is not None and response.data != _bytes(_filled(ask.answer, words)):
        raise Mismatch(f"{place}: {response.data[:300]!r} ({len(response.data)} bytes) in place of {ask.answer!r}")
    text = response.data.decode("utf-8", "replace")
    if missing := [part for part in ask.holds if _filled(part, words) not in text]:
        raise Mismatch(f"{place}: {text[:300]!r} lacks {missing}")
    if ask.lines is not None and sorted(text.splitlines()) != sorted(_filled(ask.lines, words)):
        raise Mismatch(f"{place}: other lines: {text!r}")
    for name, value in ask.fields.items():
        if response.headers.get(name) != value:
            raise Mismatch(f"{place}: {name} is {response.headers.get(name)!r}, not {value!r}")
