"""What of a manifest's own answers may not go out: what no component's answer could say either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

from wsgi_wasm import ConfigError, create_app

MANIFEST = """\
spin_manifest_version = 2
[application]
name = "static"
[[trigger.http]]
id = "one"
route = "/"
static_response = {{ headers = {{ {headers} }}, body = "x" }}
"""


def client(tmp_path: Path, headers: str, **route: Any) -> Client:
    (tmp_path / "spin.toml").write_text(MANIFEST.format(headers=headers))
    (tmp_path / "site.yaml").write_text(yaml.safe_dump({"routes": {"/": {"spin": "spin.toml", **route}}}))
    return Client(create_app(tmp_path / "site.yaml"))


def test_orders_to_the_front_server(tmp_path: Path) -> None:
    headers = 'X_Sendfile = "/etc/passwd", X-Accel-Redirect = "/a", Server = "me", Keep_Alive = "x", X_Other = "1"'
    with pytest.raises(ConfigError, match="belongs to the connection"):
        client(tmp_path, headers)
    headers = headers.replace('Keep_Alive = "x", ', "")
    found = client(tmp_path, headers).get("/").headers
    assert {"X-Sendfile", "X_Sendfile", "X-Accel-Redirect", "Server"} & set(found.keys()) == set()
    assert found["X_Other"] == "1"
    assert client(tmp_path, headers, response_fields=["X-Sendfile"]).get("/").headers["X_Sendfile"] == "/etc/passwd"
    assert client(tmp_path, headers, response_fields=["X_Sendfile"]).get("/").headers["X_Sendfile"] == "/etc/passwd"


@pytest.mark.parametrize("name", ["Transfer_Encoding", "Content_Length", "Status", "TE", "Proxy_Connection"])
def test_fields_that_are_the_servers(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="only the server controls"):
        client(tmp_path, f'{name} = "1"')
