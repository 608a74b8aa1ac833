"""The command as a process of its own, the way that people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.packages import package_parent

TIMEOUT = 500  # seconds, until what hangs is an error


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


Command = Callable[..., Done]


def command_line(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "wsgi_wasm", *map(str, arguments)]


def environment(cache: Path | None = None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    own = {} if cache is None else {"WSGI_WASM_CACHE": str(cache)}
    return {**os.environ, "PYTHONPATH": str(package_parent()), **own, **(more or {})}


@pytest.fixture
def wsgi_wasm(tmp_path: Path) -> Command:
    """`wsgi_wasm("check", "site.yaml")`, in the test's own directory."""

    def run(
        *arguments: object, stdin: bytes = b"", cache: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Done:
        done = subprocess.run(
            command_line(*arguments),
            cwd=tmp_path,
            env=environment(cache, env),
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode())

    return run


@pytest.fixture
def site(tmp_path: Path) -> Callable[[str], Path]:
    """`site(text)` writes site.yaml."""

    def write(text: str) -> Path:
        path = tmp_path / "site.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
