"""The programs of `programs/programs.yaml`, run natively and here."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from werkzeug.test import Client, EnvironBuilder

from servers.client import request

PLACE = Path(__file__).resolve().parent / "programs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request and what its answer has."""

    path: str
    form: dict[str, str] | None = None
    upload: dict[str, tuple[str, str]] | None = None
    status: int = 200
    contains: str = ""

    def body(self) -> tuple[bytes, str]:
        """What is sent, and its type."""
        if self.upload is not None:
            name, (file, text) = next(iter(self.upload.items()))
            head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
            return f"{head}{text}\r\n--x--\r\n".encode(), "multipart/form-data; boundary=x"
        if self.form is not None:
            return urlencode(self.form).encode(), "application/x-www-form-urlencoded"
        return b"", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonProgram:
    """One program; `first` tells whether it belongs to the first tier."""

    name: str
    title: str
    kind: str
    requirements: str
    preload: tuple[str, ...]
    requests: tuple[Step, ...]
    library: bool = False
    first: bool = False
    prepare: tuple[str, ...] = ()
    varies: tuple[str, ...] = ()
    note: str = ""

    @property
    def script(self) -> Path:
        return PLACE / f"{self.name}_app.py"

    @property
    def version(self) -> str:
        """That of the first package, which the others are for."""
        return (PLACE / self.requirements).read_text("ascii").split("\n")[0].partition("==")[2]

    def route(self, directory: Path, data: Path) -> dict[str, Any]:
        """Serves the program in `directory`, with what it writes in `data`."""
        python = {"module": "python", "packages": str(PLACE / self.requirements), "preload": list(self.preload)}
        if self.library:
            python["library"] = str(PLACE / "library")
        limits = {"timeout": "60s", "cpu": "30s", "queue_timeout": "60s"}
        dirs = {"/data": {"path": str(data), "writable": True}}
        return {"directory": str(directory), "interpreters": {".py": python}, "dirs": dirs, **limits} | {
            "env": {"DATA": "/data"}
        }

    def comparable(self, text: str) -> str:
        """An answer without what differs between two runs."""
        for pattern in self.varies:
            text = re.sub(pattern, "VARIES", text)
        return text


@dataclass(slots=True)
class Cookies:
    """What a client keeps of the answers."""

    values: dict[str, str] = field(default_factory=dict)

    def keep(self, fields: list[str]) -> None:
        for one in fields:
            name, _, value = one.partition(";")[0].partition("=")
            self.values[name] = value

    @property
    def fields(self) -> dict[str, str]:
        return {"Cookie": "; ".join("=".join(pair) for pair in self.values.items())} if self.values else {}


def programs() -> list[PythonProgram]:
    entries: dict[str, dict[str, Any]] = yaml.safe_load((PLACE / "programs.yaml").read_text("utf-8"))
    return [
        PythonProgram(name=name, **{**entry, "requests": tuple(Step(**step) for step in entry["requests"])})
        for name, entry in entries.items()
    ]


@cache
def natively_installed(requirements: str, target: Path) -> Path:
    """The packages for the machine's own Python."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]
    subprocess.run([*command, str(target), "-r", str(PLACE / requirements)], check=True)
    return target


def ask_native(address: tuple[str, int], target: str, step: Step, cookies: Cookies) -> tuple[int, str]:
    """Status and body."""
    body, kind = step.body()
    fields = {**cookies.fields, **({"Content-Type": kind} if kind else {})}
    answer = request(address, "POST" if body else "GET", target, body=body or None, fields=fields)
    cookies.keep(answer.all_fields("Set-Cookie"))
    return answer.status, answer.text


def ask_here(client: Client, base: str, target: str, step: Step, cookies: Cookies) -> tuple[int, str]:
    """The same, of the gateway."""
    body, kind = step.body()
    builder = EnvironBuilder(
        path=target.partition("?")[0],
        query_string=target.partition("?")[2],
        base_url=base,
        method="POST" if body else "GET",
        headers=list(cookies.fields.items()),
        data=body or None,
        content_type=kind or None,
    )
    answer = client.open(builder)
    cookies.keep(answer.headers.getlist("Set-Cookie"))
    return answer.status_code, answer.get_data(as_text=True)
