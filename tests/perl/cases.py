"""The cases of `*.yaml` here, and the interpreter that runs them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from wsgi_wasm.interpreters.build import build
from wsgi_wasm.interpreters.perl import INTERPRETER

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One entry, with the defaults of what it leaves out. The comment at the top of `habits.yaml` says what is what."""

    name: str
    script: str
    at: str = "script.pl"
    files: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    path: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str = ""
    hex: str = ""
    status: int = 200
    body: str | None = None
    body_hex: str | None = None
    contains: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    written: dict[str, str] = field(default_factory=dict)
    grants: dict[str, Any] = field(default_factory=dict)
    native: bool = True
    why: str = ""

    @property
    def sent(self) -> bytes:
        return bytes.fromhex(self.hex) or self.data.encode()

    @property
    def expected(self) -> bytes | None:
        if self.body_hex is not None:
            return bytes.fromhex(self.body_hex)
        return None if self.body is None else self.body.encode()

    def write(self, folder: Path) -> None:
        """The script and what lies beside it."""
        for name, text in {**self.files, self.at: self.script}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            path.chmod(0o755)

    def check(self, status: int, body: bytes, log: str, folder: Path) -> None:
        """What came of it is what the entry says."""
        assert status == self.status, log
        if self.expected is not None:
            assert body == self.expected, log
        for text in self.contains:
            assert text.encode() in body
        for line in self.log:
            assert line in log
        for name, text in self.written.items():
            assert (folder / name).read_bytes() == text.encode()


def cases(file: str) -> list[Case]:
    entries: dict[str, dict[str, Any]] = yaml.safe_load((HERE / file).read_text("utf-8"))
    return [Case(name=name, **entry) for name, entry in entries.items()]


def interpreter() -> Path:
    """`interpreters: {.pl: perl}`, built where the tests' cache is."""
    return build(INTERPRETER, Path(os.environ["WSGI_WASM_CACHE"]))
