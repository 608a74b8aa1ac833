"""An application whose components are CGI programs, through the gateway: routes, files, static answers, mounting."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client, EnvironBuilder

from cli.programs import printing
from guests.build import component_text, guest
from guests.printed import variables
from spin.conftest import MANIFEST
from wsgi_wasm import ConfigError, Gateway, create_app

Serve = Callable[..., Client]


@pytest.fixture
def serve(app: Path, tmp_path: Path) -> Serve:
    """`serve("/mount", timeout="1s")`: the application in a site."""

    def make(mount: str = "/", top: dict[str, Any] = {}, more: dict[str, Any] = {}, **keys: Any) -> Client:
        site = tmp_path / "site.yaml"
        site.write_text(yaml.safe_dump({"routes": {mount: {"spin": "app/spin.toml", **keys}, **more}, **top}))
        return Client(create_app(site))

    return make


def test_a_program_and_its_variables(serve: Serve) -> None:
    answer = serve(env={"OWN": "site"}).get(
        "/env/4%202/extra%20path/?a=1",
        headers={"Spin-Path-Info": "spoofed", "X-Full-Url": "spoofed", "Authorization": "Basic eA=="},
        environ_overrides={"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "1234", "X_MATCHED_ROUTE": "spoofed"},
    )
    found = variables(answer.text)
    assert found["SCRIPT_NAME"] == "/env/4 2"
    assert found["PATH_INFO"] == "/extra path/"
    assert found["REQUEST_URI"] == "/env/4%202/extra%20path/?a=1"
    assert (found["MODE"], found["OWN"]) == ("live", "site")
    assert found["X_RAW_PATH_INFO"] == "/extra%20path/"
    assert found["X_FULL_URL"] == "http://localhost/env/4%202/extra%20path/?a=1"
    assert found["X_MATCHED_ROUTE"] == found["X_RAW_COMPONENT_ROUTE"] == "/env/:id/..."
    assert found["X_COMPONENT_ROUTE"] == "/env/:id"
    assert found["X_BASE_PATH"] == "/"
    assert found["X_CLIENT_ADDR"] == "127.0.0.1:1234"
    assert found["X_PATH_MATCH_ID"] == "4%202"
    assert found["HTTP_X_FULL_URL"] == "spoofed", "a header stays a header"
    assert not [name for name in found if "SPIN" in name or "AUTHORIZATION" in name]


def test_mounted_below_a_path(serve: Serve) -> None:
    client = serve("/legacy/app")
    found = variables(client.get("/legacy/app/env/7/rest").text)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == ("/legacy/app/env/7", "/rest")
    assert found["X_BASE_PATH"] == "/legacy/app"
    assert found["X_FULL_URL"] == "http://localhost/legacy/app/env/7/rest"
    assert found["X_MATCHED_ROUTE"] == "/legacy/app/env/:id/..."
    assert client.get("/legacy/app/robots.txt").status_code == 200
    assert client.get("/legacy/app/.well-known/spin/health").text == "OK"
    assert client.get("/robots.txt").status_code == 404
    assert client.get("/legacy/app").status_code == 404


def test_arguments(serve: Serve) -> None:
    """A query becomes arguments as RFC 3875 has it; with `=` in it only where the manifest asks for that."""
    client = serve()
    assert client.get("/args?a+b").text == "3\n[args.wasm]\n[a]\n[b]\n"
    assert client.get("/args?-d+allow_url_include=1").text == "1\n[args.wasm]\n"
    assert client.get("/told/x?a=1&b%20c").text == "5\n[told]\n[/told/x]\n[a=1]\n[b%20c]\n[end]\n"


def test_files_and_nothing_else(serve: Serve, app: Path) -> None:
    client = serve()

    def ask(op: str, path: str) -> str:
        return client.get("/files", query_string={"op": op, "path": path}).text.strip()

    assert "<seen.txt>" in ask("read", "/data/seen.txt")
    for path in ("/data/hidden.txt", "/data/other.md", "/spin.toml", "/files.wasm", "/data/../../app/spin.toml"):
        assert "seen" not in ask("read", path)
        assert "ENOENT" in ask("read", path) or "EPERM" in ask("read", path), ask("read", path)
    assert "OK" not in ask("create", "/data/new.txt")
    assert "OK" not in ask("trunc", "/data/seen.txt")
    assert sorted(path.name for path in (app / "data").iterdir()) == ["hidden.txt", "other.md", "seen.txt"]


def test_answers_without_a_component(serve: Serve) -> None:
    client = serve()
    robots = client.get("/robots.txt")
    assert (robots.status_code, robots.text) == (200, "Disallow: ä\n")
    assert robots.headers["Content-Type"] == "text/plain"
    assert robots.headers["Cache-Control"] == "max-age=60"
    assert robots.headers["Content-Length"] == "13"
    head = client.head("/robots.txt")
    assert (head.data, head.headers["Content-Length"]) == (b"", "13")
    moved = client.get("/moved/anything")
    assert (moved.status_code, moved.headers["Location"]) == (301, "https://example.com/")
    nothing = client.get("/nothing")
    assert (nothing.status_code, nothing.data) == (204, b"")
    assert "Content-Length" not in nothing.headers


def test_what_spin_answers_itself(serve: Serve) -> None:
    client = serve()
    assert client.get("/.well-known/spin/health").text == "OK"
    assert json.loads(client.get("/.well-known/spin/info").text) == {"name": "old", "version": "1.2.3"}
    assert client.get("/.well-known/spin/other").status_code == 404


@pytest.mark.parametrize("path", ["/", "/args/x", "/%61rgs", "/env", "/private", "/robots"])
def test_paths_of_no_route(serve: Serve, path: str) -> None:
    assert serve().get(path, environ_overrides={"REQUEST_URI": path}).status_code == 404


def test_methods_of_the_site(serve: Serve) -> None:
    client = serve(methods=["GET"])
    assert client.post("/robots.txt").status_code == 405
    assert client.get("/robots.txt").status_code == 200


def test_a_missing_component_takes_down_its_own_routes(serve: Serve, app: Path) -> None:
    (app / "args.wasm").unlink()
    client = serve()
    assert client.get("/args").status_code == 503
    assert client.get("/env/1").status_code == 200


def test_what_is_not_carried_out_is_logged(serve: Serve, app: Path, caplog: pytest.LogCaptureFixture) -> None:
    (app / "spin.toml").write_text(
        MANIFEST
        + '[[trigger.http]]\nid = "second"\nroute = "/robots.txt"\nstatic_response = { body = "second" }\n'
        + '[[trigger.http]]\nid = "own"\nroute = "/.well-known/spin/own"\nstatic_response = {}\n'
        + '[component.unused]\nsource = "unused.wasm"\n'
    )
    with caplog.at_level(logging.WARNING, "wsgi_wasm"):
        client = serve()
    said = " ".join(caplog.messages)
    assert "trigger robots: the later trigger second has the same route /robots.txt" in said
    assert "routes below /.well-known/spin/ are Spin's own" in said
    assert "component unused: no HTTP trigger uses it" in said
    assert client.get("/robots.txt").text == "second"
    assert client.get("/.well-known/spin/own").status_code == 404


def test_a_manifest_with_mistakes_is_a_mistake_of_the_site(serve: Serve, app: Path) -> None:
    (app / "spin.toml").write_text(MANIFEST.replace("files = [", 'fils = ["x"]\nfiles = ["missing", ', 1))
    with pytest.raises(ConfigError) as caught:
        serve()
    assert str(caught.value) == f"{app}/spin.toml: component.files: unknown key 'fils'; did you mean 'files'?"
    (app / "spin.toml").write_text(MANIFEST.replace("files = [", 'files = ["missing", ', 1))
    with pytest.raises(ConfigError, match=r"component.files.files\[0\]: 'missing' does not exist"):
        serve()


def test_a_worker_that_replaces_another_starts_without_it(
    serve: Serve, app: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Or a typing mistake would end the whole server, as gunicorn does when a worker cannot start."""
    monkeypatch.setenv("WSGI_WASM_LAST_GOOD", "1")
    (app / "spin.toml").write_text("broken")
    shutil.copyfile(guest("env"), app.parent / "env.wasm")
    client = serve("/app", more={"/env": {"module": "env.wasm"}})
    assert client.get("/app/robots.txt").status_code == 503
    assert "SCRIPT_NAME=/env" in client.get("/env").text
    assert "spin.toml: not TOML" in caplog.text


def test_a_changed_manifest_is_taken_over(serve: Serve, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgi_wasm.app._RELOAD_EVERY", 0.0)
    client = serve(top={"reload": True})
    assert client.get("/robots.txt").text == "Disallow: ä\n"
    (app / "spin.toml").write_text(MANIFEST.replace("Disallow", "Allow"))
    assert client.get("/robots.txt").text == "Allow: ä\n"
    (app / "spin.toml").write_text("broken")
    assert client.get("/robots.txt").text == "Allow: ä\n"


def test_a_reserved_variable_is_no_program_s(serve: Serve, app: Path) -> None:
    (app / "spin.toml").write_text(MANIFEST.replace('MODE = "live"', 'PATH_INFO = "x"'))
    with pytest.raises(ConfigError, match=r"component.env.environment.PATH_INFO: is set by the request"):
        serve()


def test_what_the_site_adds_stays_apart(serve: Serve, app: Path, tmp_path: Path) -> None:
    """Its directories come beside the components' files; defaults for other routes do not reach the programs."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "note.txt").write_text("shared")
    client = serve(dirs={"/shared": "shared"}, top={"defaults": {"args": ["-x"], "document_root": None}})
    asked = {"op": "read", "path": "/shared/note.txt"}
    assert "<shared>" in client.get("/files", query_string=asked).text
    assert client.get("/args").text == "1\n[args.wasm]\n"
    with pytest.raises(ConfigError, match="'/' is in use for the files of component files"):
        serve(dirs={"/": "shared"})
    (app / "bin").mkdir()
    (app / "args.wasm").rename(app / "bin" / "args.wasm")
    (app / "spin.toml").write_text(MANIFEST.replace('"args.wasm"', '"bin/args.wasm"'))
    with pytest.raises(ConfigError, match=r"dirs./b of / is writable, but contains .*/bin/args.wasm"):
        serve(dirs={"/b": {"path": "app/bin", "writable": True}})


# Directories to which a guest of another route may write, and whether they are kept from it.
OTHERS = {
    "app": "is writable, but contains",
    "app/data": "is writable, but contains .*/app/data",
    "app/data/new": "is writable, but files of files lie there",
    "app/out": "",
    "shared": "",
    "app/.spin": "lies in the state_dir|is the state_dir",
}


@pytest.mark.parametrize("place", OTHERS)
def test_another_route_writes_where_files_are_looked_for(place: str, app: Path, tmp_path: Path) -> None:
    """Whether there are any does not count: a guest could put one there, and the site would not start again."""
    site = tmp_path / "site.yaml"
    up = f"{{module: app/args.wasm, dirs: {{/up: {{path: {place}, writable: true}}}}}}"
    site.write_text(f"routes:\n  /: {{spin: app/spin.toml}}\n  /up: {up}\n")
    if not OTHERS[place]:
        create_app(site)
        return
    with pytest.raises(ConfigError, match=OTHERS[place]):
        create_app(site)
    (app / "spin.toml").write_text(MANIFEST.replace("data/hidden.txt", "data/new/*"))
    if place == "app/data/new":
        create_app(site)


def test_several_applications_and_hosts(serve: Serve) -> None:
    hosts = {"shop.example": {"routes": {"/": {"spin": "app/spin.toml", "env": {"OWN": "host"}}}}}
    client = serve("/a", more={"/b": {"spin": "app/spin.toml", "env": {"OWN": "b"}}}, top={"hosts": hosts})

    def told(path: str, host: str = "localhost") -> tuple[str, str]:
        found = variables(client.get(path, headers={"Host": host}).text)
        return found["OWN"], found["X_BASE_PATH"]

    assert told("/a/env/1") == ("manifest", "/a")
    assert told("/b/env/1") == ("b", "/b")
    assert told("/env/1", "shop.example") == ("host", "/")
    assert client.get("/a/env/1", headers={"Host": "shop.example"}).status_code == 404


def test_a_program_redirects_within_its_application(serve: Serve, app: Path) -> None:
    """The target is looked up by its decoded path, as the raw one is that of the request before."""
    (app / "args.wat").write_text(printing("Location: /shop/robots.txt\\n\\n"))
    (app / "spin.toml").write_text(MANIFEST.replace("args.wasm", "args.wat"))
    answer = serve("/shop", queue_timeout="1m").get("/shop/args")
    assert (answer.status_code, answer.text) == (200, "Disallow: ä\n")


NO_COMPONENTS = [
    ('(func (export "handle-http-request"))', "a module for Spin's first interface"),
    (
        '(import "wasi:http/types@0.2.0" "[resource-drop]fields" (func (param i32)))',
        "a core module that must be turned into a component, because it imports wasi:http/types@0.2.0: build a "
        "component (Rust: cargo build --target wasm32-wasip2",
    ),
]


@pytest.mark.parametrize(("text", "words"), NO_COMPONENTS)
def test_modules_that_are_no_components(
    serve: Serve, app: Path, caplog: pytest.LogCaptureFixture, text: str, words: str
) -> None:
    (app / "args.wasm").unlink()
    (app / "args.wat").write_text(f'(module {text} (memory (export "memory") 1))')
    (app / "spin.toml").write_text(MANIFEST.replace("args.wasm", "args.wat"))
    client = serve(queue_timeout="1m")
    assert client.get("/args").status_code == 503
    assert words in caplog.text


FIRST_VERSION = """\
spin_version = "1"
name = "old"
version = "1.0.0"
trigger = { type = "http", base = "/old" }
[[component]]
id = "env"
source = "env.wasm"
[component.trigger]
route = "/env/..."
executor = { type = "wagi" }
"""


@pytest.mark.parametrize("mount", ["", "/shop"])
def test_the_base_of_a_manifest_of_the_first_version(serve: Serve, app: Path, mount: str) -> None:
    (app / "spin.toml").write_text(FIRST_VERSION)
    client = serve(mount or "/")
    variables = dict(line.partition("=")[::2] for line in client.get(f"{mount}/old/env/a%20b?c").text.splitlines())
    assert variables["SCRIPT_NAME"] == f"{mount}/old/env"
    assert variables["PATH_INFO"] == "/a b"
    assert variables["X_BASE_PATH"] == f"{mount}/old"
    assert variables["X_MATCHED_ROUTE"] == f"{mount}/old/env/..."
    assert variables["X_COMPONENT_ROUTE"] == "/env"
    assert client.get(f"{mount}/env/a").status_code == 404
    assert client.get(f"{mount}/.well-known/spin/health").status_code == 200


COMPOSED = """\
spin_manifest_version = 2
application = { name = "composed" }
[[trigger.http]]
route = "/hello"
component = "app"
executor = { type = "wagi", argv = "app ${ARGS}" }
[component.app]
source = "app.wat"
dependencies_inherit_configuration = true
environment = { GREETING = "Good day" }
[component.app.dependencies]
"demo:api/greeter@1.0.0" = { path = "greeter.wat" }
"""


def test_dependencies_are_composed(serve: Serve, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("app", "greeter"):
        (app / f"{name}.wat").write_text(component_text(name))
    (app / "spin.toml").write_text(COMPOSED)
    assert serve().get("/hello?World&Moon").text == "Good day, World\nGood day, Moon\n"
    monkeypatch.setattr("wsgi_wasm.app._RELOAD_EVERY", 0.0)
    (app / "spin.toml").write_text(COMPOSED.replace("@1.0.0", ""))
    client = serve(top={"reload": True})
    assert client.get("/hello?World").status_code == 200
    (app / "spin.toml").write_text(COMPOSED.replace("greeter@1.0.0", "other"))
    assert client.get("/hello?World").status_code == 503, "what is not imported cannot be plugged"


@pytest.mark.parametrize(
    ("exported", "dependency"),
    [
        ("demo:api/greeter@1.2.0", '"demo:api" = { path = "greeter.wat" }'),
        ("demo:api/greeter@1.0.0", '"demo:api@1.0.0" = { path = "greeter.wat" }'),
        ("acme:hello/greet@3.0.0", '"demo:api/greeter" = { path = "greeter.wat", export = "acme:hello/greet@3.0.0" }'),
        (
            "demo:api/greeter@1.0.0",
            '"demo:api" = { component = "greeter" }\n[component.greeter]\nsource = "greeter.wat"',
        ),
    ],
)
def test_how_dependencies_are_named(serve: Serve, app: Path, exported: str, dependency: str) -> None:
    (app / "app.wat").write_text(component_text("app"))
    (app / "greeter.wat").write_text(component_text("greeter").replace("demo:api/greeter@1.2.0", exported))
    (app / "spin.toml").write_text(COMPOSED.partition('"demo:api')[0] + dependency)
    assert serve().get("/hello?World").text == "Good day, World\n"


def test_components_that_need_each_other(serve: Serve, app: Path) -> None:
    manifest = COMPOSED.replace('path = "greeter.wat"', 'component = "greeter"')
    rest = '[component.greeter]\nsource = "greeter.wat"\n[component.greeter.dependencies]\n'
    (app / "spin.toml").write_text(f'{manifest}{rest}"demo:api" = {{ component = "app" }}\n')
    with pytest.raises(ConfigError, match=r"component.app.dependencies: app.wat is plugged into itself"):
        serve()


def test_two_components_of_one_source_compose_alike(serve: Serve, app: Path) -> None:
    (app / "spin.toml").write_text(COMPOSED + '[component.second]\nsource = "app.wat"\n')
    with pytest.raises(ConfigError, match=r"component.second.dependencies: differ from those of another component"):
        serve()


def test_it_is_noted_for_the_access_log(serve: Serve) -> None:
    gateway = serve().application
    assert isinstance(gateway, Gateway)
    gateway.warm()
    for path, route, outcome in (("/args", "/[args]", "returned"), ("/robots.txt", "/", "static")):
        environ = EnvironBuilder(path).get_environ()
        for _ in gateway(environ, lambda status, fields: None):
            pass
        assert (environ["wsgi_wasm.route"], environ["wsgi_wasm.outcome"]) == (route, outcome)
