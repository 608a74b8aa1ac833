"""Configurations of other systems, imported by the command as people run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.conftest import Done
from cli.conftest import wsgi_wasm as wsgi_wasm


@dataclass(frozen=True)
class Taken:
    """An import: how the command ended, the site, and the report by line of the first file."""

    done: Done
    site: Path
    yaml: str
    data: Any
    report: list[dict[str, Any]]

    def routes(self, host: str | None = None) -> dict[str, Any]:
        table = self.data if host is None else self.data["hosts"][host]
        return dict(table["routes"])

    def verdict(self, text: str) -> str:
        """What became of the first line that begins so."""
        return str(next(line["verdict"] for line in self.report if line["text"].startswith(text)))

    def notes(self, text: str) -> str:
        return "; ".join(next(line["notes"] for line in self.report if line["text"].startswith(text)))


Take = Callable[..., Taken]


@pytest.fixture
def take(wsgi_wasm: Callable[..., Done], tmp_path: Path) -> Take:
    """`take("apache", text)` writes the configuration and imports it; `file` is where it goes."""

    def run(kind: str, text: str | bytes, *options: str, file: str = "httpd.conf", **more: Any) -> Taken:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        site, report = tmp_path / "site.yaml", tmp_path / "report.json"
        done = wsgi_wasm("import", kind, file, "-o", site.name, "--report", report.name, *options, **more)
        if not site.exists():
            return Taken(done, site, "", {}, [])
        written = site.read_text("utf-8")
        return Taken(done, site, written, yaml.safe_load(written), json.loads(report.read_text("utf-8")))

    return run
