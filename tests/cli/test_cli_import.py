"""`wsgi-wasm import`: what it writes is a site, and says what is not in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.test import Client

from spin.conftest import write_app
from wsgi_wasm import create_app, load_config
from wsgi_wasm.cli.commands.import_ import add_arguments
from wsgi_wasm.config import ModuleTarget
from wsgi_wasm.importers import FORMATS, importer

from .conftest import Command

CORPUS = Path(__file__).parents[1] / "spin" / "manifests" / "valid"


def test_the_choices_are_the_importers(capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    (choices,) = (action.choices for action in parser._actions if action.dest == "format")
    assert list(choices or ()) == list(FORMATS)


def test_a_spin_application_without_its_manifest(wsgi_wasm: Command, tmp_path: Path) -> None:
    """The programs answer as they did, as far as the routes can say it."""
    write_app(tmp_path / "app")
    done = wsgi_wasm("import", "spin", "app/spin.toml", "-o", "site.yaml")
    assert (done.status, done.text) == (0, "")
    assert "wsgi-wasm check site.yaml" in done.err
    (tmp_path / "app" / "spin.toml").unlink()
    client = Client(create_app(tmp_path / "site.yaml"))
    assert client.get("/args?a").text == "2\n[args.wasm]\n[a]\n"
    assert client.get("/args/x").status_code == 404
    assert "MODE=live" in client.get("/env/7/rest").text
    text = (tmp_path / "site.yaml").read_text()
    assert "# was /env/:id/..." in text
    assert "# /robots.txt has a static response of status 200." in text
    assert "# Trigger args-http-trigger is a private endpoint" in text
    assert "# did not see data/hidden.txt" in text
    assert wsgi_wasm("check", "site.yaml").status == 0


def test_a_report_where_there_is_none(wsgi_wasm: Command, tmp_path: Path) -> None:
    write_app(tmp_path / "app")
    done = wsgi_wasm("import", "spin", "app/spin.toml", "-o", "site.yaml", "--report", "report.txt")
    assert (done.status, "says in comments" in done.err) == (1, True)
    assert not (tmp_path / "site.yaml").exists()


def test_an_existing_file_is_kept(wsgi_wasm: Command, tmp_path: Path) -> None:
    write_app(tmp_path / "app")
    (tmp_path / "site.yaml").write_text("mine")
    done = wsgi_wasm("import", "spin", "app/spin.toml", "-o", "site.yaml")
    assert (done.status, done.err) == (1, "wsgi-wasm: site.yaml: File exists\n")
    assert (tmp_path / "site.yaml").read_text() == "mine"


def test_mistakes_of_the_manifest(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "spin.toml").write_text("spin_manifest_version = 3")
    done = wsgi_wasm("import", "spin", "spin.toml")
    assert done.status == 1
    assert "spin.toml: spin_manifest_version: must be 2" in done.err


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.toml")), ids=lambda file: file.stem)
def test_what_is_written_loads(file: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "app" / "spin.toml"
    (manifest.parent / "templates").mkdir(parents=True)
    (manifest.parent / "assets").mkdir()
    manifest.write_text(file.read_text("utf-8"), encoding="utf-8")
    site = tmp_path / "site.yaml"
    site.write_text(importer("spin").convert(manifest, tmp_path).text, encoding="utf-8")
    config = load_config(site, {"SPIN_VARIABLE_PASSWORD": "${x}", "SPIN_VARIABLE_TOKEN": "s3cret"})
    assert config.routes


def test_everything_that_a_route_can_say(tmp_path: Path) -> None:
    manifest = tmp_path / "app" / "spin.toml"
    (manifest.parent / "static").mkdir(parents=True)
    manifest.write_text(
        """\
spin_manifest_version = 2
application = { name = "shop" }
[variables]
host = { default = "a${b}" }
token = { required = true }
[[trigger.http]]
route = "/a%20b/..."
component = "shop"
[[trigger.http]]
route = "/only"
component = "shop"
[[trigger.http]]
route = "/only/:x"
component = "shop"
[component.shop]
source = "shop.wasm"
files = [{ source = "static", destination = "/" }]
environment = { YES = "yes", EMPTY = "", ODD = "a: ${b} #" }
key_value_stores = ["default", "more"]
allowed_outbound_hosts = ["https://*.example", "http://self", "redis://cache:6379", "https://{{ host }}"]
sqlite_databases = ["default"]
[component.shop.variables]
url = "https://{{ host }}/{{ token }}"
"""
    )
    site = tmp_path / "site.yaml"
    text = importer("spin").convert(manifest, tmp_path).text
    site.write_text(text, encoding="utf-8")
    config = load_config(site, {"SPIN_VARIABLE_TOKEN": "s3cret"})
    routes = {route.path: route for route in config.routes}
    assert set(routes) == {"/a b", "/only"}
    assert routes["/only"].exact
    assert not routes["/a b"].exact
    shop = routes["/a b"]
    assert shop.target == ModuleTarget(path=tmp_path / "app/shop.wasm")
    assert shop.env == {"YES": "yes", "EMPTY": "", "ODD": "a: ${b} #"}
    assert [(entry.guest, entry.host, entry.writable) for entry in shop.dirs] == [("/", tmp_path / "app/static", False)]
    assert shop.grants.key_value["default"].path == tmp_path / "app/.spin/sqlite_key_value.db"
    assert shop.grants.sqlite["default"].path == tmp_path / "app/.spin/sqlite_db.db"
    assert shop.grants.variables["url"].value == "https://a${b}/s3cret"
    assert [(host.scheme, host.host) for host in shop.grants.outbound.hosts] == [("https", "*.example")]
    assert "was allowed the hosts http://self, redis://cache:6379, https://{{ host }}" in text
    assert "/only/:x would also be /only" in text
