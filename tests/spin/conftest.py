"""An application whose components are CGI programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guests.build import guest

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "old"
version = "1.2.3"
[variables]
greeting = { default = "hello" }

[[trigger.http]]
route = "/env/:id/..."
component = "env"
executor = { type = "wagi" }
[component.env]
source = "env.wasm"
environment = { MODE = "live", OWN = "manifest" }

[[trigger.http]]
route = "/args"
component = "args"
executor = { type = "wagi" }
[[trigger.http]]
id = "told"
route = "/told/..."
component = "args"
executor = { type = "wagi", argv = "told ${SCRIPT_NAME} ${ARGS} end" }
[component.args]
source = "args.wasm"

[[trigger.http]]
route = "/files"
component = "files"
executor = { type = "wagi" }
[component.files]
source = "files.wasm"
files = ["data/*.txt"]
exclude_files = ["data/hidden.txt"]

[[trigger.http]]
route = { private = true }
component = "args"
executor = { type = "wagi" }

[[trigger.http]]
id = "robots"
route = "/robots.txt"
static_response = { headers = { content-type = "text/plain", cache-control = "max-age=60" }, body = "Disallow: ä\\n" }
[[trigger.http]]
id = "moved"
route = "/moved/..."
static_response = { status_code = 301, headers = { location = "https://example.com/" } }
[[trigger.http]]
id = "nothing"
route = "/nothing"
static_response = { status_code = 204 }
"""


def write_app(root: Path) -> Path:
    """The application in `root`, which is made."""
    (root / "data").mkdir(parents=True)
    for name in ("env", "args", "files"):
        shutil.copyfile(guest(name), root / f"{name}.wasm")
    for name in ("seen.txt", "hidden.txt", "other.md"):
        (root / "data" / name).write_text(name)
    (root / "spin.toml").write_text(MANIFEST)
    return root


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The directory of the application."""
    return write_app(tmp_path / "app")
