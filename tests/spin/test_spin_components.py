"""Components of Spin's Python SDK through the gateway: what its conformance tests ask, and what a component sees."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

from guests.build import guest
from hostapi.backends import Server
from spin.components import HERE, component
from wsgi_wasm import ConfigError, create_app

pytestmark = pytest.mark.timeout(600)  # componentize-py and a first compilation

MANIFEST = (HERE / "conformance" / "spin.toml").read_text("utf-8")

Serve = Callable[..., Client]


@pytest.fixture(scope="module")
def conformance() -> Path:
    return component("conformance")


@pytest.fixture
def app(conformance: Path, tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "shown").mkdir(parents=True)
    (root / "shown" / "a.txt").write_text("shown")
    (root / "hidden.txt").write_text("hidden")
    shutil.copyfile(conformance, root / "app.wasm")
    (root / "spin.toml").write_text(MANIFEST)
    return root


@pytest.fixture
def serve(app: Path, tmp_path: Path) -> Serve:
    def make(mount: str = "/", **spin: Any) -> Client:
        site = tmp_path / "site.yaml"
        site.write_text(
            yaml.safe_dump({"routes": {mount: {"spin": {"manifest": "app/spin.toml", **spin}, "queue_timeout": "10m"}}})
        )
        return Client(create_app(site))

    return make


def test_conformance(serve: Serve) -> None:
    client = serve()
    asked = ["/key-value", "/key-value-denied", "/sqlite", "/sqlite-denied", "/variables"]
    answers = {path: (answer.status_code, answer.text) for path in asked for answer in [client.get(path)]}
    assert answers == {
        "/key-value": (200, ""),
        "/key-value-denied": (500, "Error::AccessDenied"),
        "/sqlite": (200, ""),
        "/sqlite-denied": (500, "Error::AccessDenied"),
        "/variables": (200, ""),
    }


class Echo(BaseHTTPRequestHandler):
    """Answers with the body that it got."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-From", "the echo service")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def echo_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_conformance_of_outbound_http(serve: Serve, echo_port: int) -> None:
    """A pattern for every host does not lead to this machine, as it does under Spin: that has to be named."""
    client = serve(variables={"echo_port": str(echo_port)})
    answers = [(answer.status_code, answer.text) for answer in map(client.get, ("/outbound", "/outbound-denied"))]
    assert answers[0] == (200, "")
    assert answers[1][0] == 500
    assert "ErrorCode_" in answers[1][1]


def told(seen: dict[str, Any]) -> dict[str, str]:
    """Spin's own fields of a request that another component sent with the fields of the first one."""
    fields = dict(seen["fields"])
    assert fields["x-test"] == "1"
    assert "authorization" not in fields
    return {name.removeprefix("spin-"): value for name, value in fields.items() if name.startswith("spin-")}


def test_components_call_each_other(serve: Serve) -> None:
    """Also a private endpoint, which answers nobody else; and nothing of the caller's request goes along."""
    client = serve("/shop")
    answer = client.post(
        "/shop/chain/back.spin.internal/seen/a%20b?c=d", data="sent", headers={"Authorization": "Bearer t"}
    )
    seen = answer.json
    assert seen is not None
    assert (seen["method"], seen["uri"], seen["body"]) == ("POST", "/seen/a%20b?c=d", "sent")
    assert seen["authority"] == "back.spin.internal"
    assert seen["environment"]["MODE"] == "back"
    assert told(seen) == {
        "path-info": "/seen/a%20b",
        "full-url": "http://back.spin.internal/seen/a%20b?c=d",
        "matched-route": "/...",
        "base-path": "/",
        "raw-component-route": "/...",
        "component-route": "",
        "client-addr": "0.0.0.0:0",
    }
    assert client.get("/shop/back").status_code == 404


def test_a_large_body_goes_through_a_neighbour(serve: Serve) -> None:
    text = "0123456789abcdef" * 20_000
    seen = serve().post("/chain/back.spin.internal/seen/", data=text).json
    assert seen is not None
    assert seen["body"] == text


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("nobody.spin.internal", "there is none of that name"),
        ("denied.spin.internal", "it is not allowed"),
        ("back.spin.internal:81", "another port is not allowed"),
    ],
)
def test_neighbours_that_are_not_there(serve: Serve, host: str, why: str) -> None:
    answer = serve().get(f"/chain/{host}/seen/")
    assert (answer.status_code, answer.text) == (500, "Error::ErrorCode_HttpRequestDenied"), why


def test_every_host_is_no_neighbour(serve: Serve, app: Path) -> None:
    """A pattern that is meant for the outside does not open private endpoints."""
    (app / "spin.toml").write_text(MANIFEST.replace('"http://back.spin.internal"', '"http://*"'))
    assert serve().get("/chain/back.spin.internal/seen/").status_code == 500
    (app / "spin.toml").write_text(MANIFEST.replace('"http://back.spin.internal"', '"http://*.spin.internal"'))
    answer = serve().get("/chain/back.spin.internal/seen/")
    assert answer.status_code == 200, answer.text


def test_interfaces_that_are_not_offered(serve: Serve) -> None:
    answer = serve().get("/not-offered")
    assert (answer.status_code, answer.text) == (200, "")


@pytest.mark.parametrize("url", ["own", "chain/self.alt"])
def test_a_component_asks_its_own_application(serve: Serve, url: str) -> None:
    """By a relative URL, or by the host that stands for one; below a mount, too, as it sees its own paths alone."""
    client = serve("/shop")
    answer = client.post(f"/shop/{url}/seen/a%20b?c=d", data="sent", headers={"Authorization": "Bearer t"})
    seen = answer.json
    assert seen is not None, answer.text
    assert (seen["method"], seen["uri"], seen["body"]) == ("POST", "/seen/a%20b?c=d", "sent")
    assert (seen["authority"], seen["environment"]["MODE"]) == ("self.alt", "live")
    assert told(seen) == {
        "path-info": "/a%20b",
        "full-url": "http://self.alt/seen/a%20b?c=d",
        "matched-route": "/seen/...",
        "base-path": "/",
        "raw-component-route": "/seen/...",
        "component-route": "/seen",
        "client-addr": "0.0.0.0:0",
    }
    assert client.get(f"/shop/{url}/nowhere").status_code == 404
    assert client.get(f"/shop/{url}/.well-known/spin/health").text == "OK"
    seen = client.get("/shop/own/own/own/seen/").json
    assert seen is not None
    assert seen["uri"] == "/seen/"


@pytest.mark.parametrize(
    ("entry", "status"),
    [("https://self.alt", 200), ("*://*:*", 200), ("http://*.alt", 500), ("http://self.spin.internal", 500)],
)
def test_what_allows_the_own_application(serve: Serve, app: Path, entry: str, status: int) -> None:
    (app / "spin.toml").write_text(MANIFEST.replace('"http://self"', f'"{entry}"'))
    answer = serve().get("/own/seen/")
    assert answer.status_code == status
    assert status == 200 or answer.text == "Error::ErrorCode_HttpRequestDenied"


def test_an_application_that_asks_itself_forever(serve: Serve, tmp_path: Path) -> None:
    """Each request waits for the next; there are `outbound_concurrency` of them."""
    serve()
    site = tmp_path / "site.yaml"
    site.write_text(site.read_text().replace("queue_timeout: 10m", "queue_timeout: 10m\n    outbound_concurrency: 3"))
    answer = Client(create_app(site)).get("/own/?forever")
    assert (answer.status_code, answer.text) == (500, "Error::ErrorCode_ConnectionLimitReached")


def test_conformance_with_redis(serve: Serve, redis_server: Server) -> None:
    """The host that is allowed comes from a variable, as in one of Spin's tests."""
    client = serve(variables={"redis_port": str(redis_server.port), "redis_password": redis_server.password})
    answers = [(answer.status_code, answer.text) for answer in map(client.get, ("/redis", "/redis-denied"))]
    assert answers == [(200, ""), (500, "Error::InvalidAddress")]


def test_conformance_with_redis_by_a_pattern(serve: Serve, app: Path, redis_server: Server) -> None:
    """`*` leads to no private address, which has to be named: itself, or its network."""
    given = {"redis_port": str(redis_server.port), "redis_password": redis_server.password}
    entry = '"redis://{{ redis_host }}:{{ redis_port }}"'
    assert entry in MANIFEST
    (app / "spin.toml").write_text(MANIFEST.replace(entry, '"redis://*:*"'))
    assert serve(variables=given).get("/redis").text == "Error::InvalidAddress"
    (app / "spin.toml").write_text(MANIFEST.replace(entry, '"redis://*:*", "redis://127.0.0.0/8:*"'))
    assert serve(variables=given).get("/redis").text == ""


def test_a_store_in_redis(serve: Serve, app: Path, redis_server: Server) -> None:
    address = f"redis://:{redis_server.password}@127.0.0.1:{redis_server.port}/5"
    (app / "runtime.toml").write_text(f'[key_value_store.default]\ntype = "redis"\nurl = "{address}"\n')
    assert serve(runtime_config="app/runtime.toml").get("/key-value").text == ""
    assert not (app / ".spin").exists()


@pytest.mark.parametrize("mount", ["", "/shop"])
def test_request_shape(serve: Serve, mount: str) -> None:
    """With headers that a client made up, which do not reach the component."""
    answer = serve(mount or "/").get(
        f"{mount}/base/path/end/rest?key=value",
        headers={
            "Host": "example.com:3000",
            "User-Agent": "test",
            "Accept": "*/*",
            "X-Expected-Host": "example.com:3000",
            "X-Expected-Base": mount or "/",
            "Spin-Path-Info": "spoofed",
            "Spin-Path-Match-Other": "spoofed",
            "Spin-Component": "spoofed",
        },
        environ_overrides={"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000"},
    )
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["Content-Length"] == "0"


def test_what_a_component_sees(serve: Serve) -> None:
    answer = serve("/shop").post(
        "/shop/seen/a%20b?c=d",
        data="sent",
        headers={"Host": "shop.example", "Authorization": "Bearer t", "Proxy": "x", "X-Twice": "1"},
        content_type="text/plain",
    )
    seen = answer.json
    assert seen is not None
    assert (seen["method"], seen["uri"], seen["body"]) == ("POST", "/seen/a%20b?c=d", "sent")
    assert seen["authority"] == "shop.example"
    fields = dict(seen["fields"])
    assert fields["authorization"] == "Bearer t"
    assert fields["content-type"] == "text/plain"
    assert fields["content-length"] == "4"
    assert "proxy" not in fields
    assert {name: seen["environment"].get(name) for name in ("MODE", "PATH_PREFIX", "HTTP_TIMEOUT")} == {
        "MODE": "live",
        "PATH_PREFIX": "/x",
        "HTTP_TIMEOUT": "3",
    }
    assert "timeout" not in fields, "a variable is no header"
    assert seen["files"] == {"/shown/a.txt": "shown"}


def test_state_lies_beside_the_manifest(serve: Serve, app: Path) -> None:
    client = serve()
    assert client.get("/key-value").status_code == client.get("/sqlite").status_code == 200
    assert sorted(path.name for path in (app / ".spin").glob("*.db")) == ["sqlite_db.db", "sqlite_key_value.db"]
    with sqlite3.connect(app / ".spin" / "sqlite_db.db") as database:
        assert database.execute("SELECT count(*) FROM test_data").fetchone() == (2,)
    database.close()


def test_state_and_variables_of_the_site(serve: Serve, app: Path, tmp_path: Path) -> None:
    (app / "runtime.toml").write_text(
        '[key_value_store.default]\ntype = "spin"\npath = "other/kv.db"\n'
        '[[variables_provider]]\ntype = "static"\nvalues = {plain = "provided"}\n'
    )
    client = serve(state_dir="state", runtime_config="app/runtime.toml")
    (app / "other").mkdir()
    assert client.get("/key-value").status_code == 200
    assert client.get("/sqlite").status_code == 200
    assert (app / "other" / "kv.db").is_file()
    assert (tmp_path / "state" / "sqlite_db.db").is_file()
    assert not (app / ".spin").exists()
    assert "'<provided>', not '<value>'" in client.get("/variables").text
    assert "'<site>', not '<value>'" in serve(variables={"plain": "site"}).get("/variables").text


def test_labels_without_a_store(serve: Serve, app: Path) -> None:
    (app / "spin.toml").write_text(MANIFEST.replace('["default"]', '["default", "sessions"]'))
    with pytest.raises(ConfigError) as caught:
        serve()
    assert [problem.message for problem in caught.value.problems] == [
        "component.granted.key_value_stores[1]: 'sessions' is not in the runtime_config",
        "component.granted.sqlite_databases[1]: 'sessions' is not in the runtime_config",
    ]


def test_a_program_is_no_component(serve: Serve, app: Path) -> None:
    """What the Wagi executor runs, the HTTP executor does not, and the rest of the application still answers."""
    shutil.copyfile(guest("env"), app / "env.wasm")
    (app / "spin.toml").write_text(
        MANIFEST + '[[trigger.http]]\nroute = "/env"\ncomponent = "env"\n[component.env]\nsource = "env.wasm"\n'
    )
    client = serve()
    assert client.get("/env").status_code == 503
    assert client.get("/variables").status_code == 200
