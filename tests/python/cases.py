"""The cases of `scripts.yaml`, and the interpreter that runs them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from servers.apache import give_to_server
from wsgi_wasm.interpreters.build import build
from wsgi_wasm.interpreters.python import INTERPRETER

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One entry, with the defaults of what it leaves out."""

    name: str
    script: str
    latin1: bool = False
    at: str = "script.py"
    files: dict[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ("{script}",)
    env: dict[str, str] = field(default_factory=dict)
    dirs: tuple[str, ...] = ()
    writable: bool = False
    method: str = "GET"
    path: str = ""
    raw_path: str = ""  # the same as it is sent, percent-encoded
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str = ""
    hex: str = ""
    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    body_hex: str | None = None
    contains: tuple[str, ...] = ()
    body_without: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    log_without: tuple[str, ...] = ()
    written: dict[str, str] = field(default_factory=dict)
    native: bool = True
    why: str = ""

    @property
    def target(self) -> str:
        """The path behind the script's as it is sent."""
        return self.raw_path or quote(self.path)

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
            path.write_bytes(text.encode("latin-1" if self.latin1 else "utf-8"))


def cases() -> list[Case]:
    entries: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "scripts.yaml").read_text("utf-8"))
    return [Case(name=name, **entry) for name, entry in entries.items()]


def interpreter() -> Path:
    """`interpreters: {.py: python}`, built where the tests' cache is."""
    return build(INTERPRETER, Path(os.environ["WSGI_WASM_CACHE"]))


def interpreter_cache(tmp: Path) -> Path:
    """A cache of Apache's user below `tmp`, with the interpreter in it."""
    made = interpreter()
    cache = tmp / "cache"
    cache.mkdir(mode=0o700)
    shutil.copyfile(made, cache / made.name)
    for path in (cache, cache / made.name):
        give_to_server(path)
    return cache
