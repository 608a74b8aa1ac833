"""`wsgi-wasm import wws`: a project folder becomes a site that serves it, and says what its workers no longer have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from werkzeug.test import Client

from guests.build import guest
from wsgi_wasm import create_app, load_config
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.importers import importer

from .conftest import Command

SIDECAR = """\
version = "1"
[vars]
TOKEN = "$API_TOKEN"
ODD = "$not-a-name"
[[folders]]
from = "../_assets"
to = "/assets"
[[folders]]
from = "/srv/shared"
to = "/shared"
[data.kv]
namespace = "no"
[features.http_requests]
allowed_hosts = ["a.example"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    for name in ("index.wasm", "user/[id].wasm", "public/asset.wasm", "_part.wasm"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(guest("worker"), folder / name)
    return folder


def imported(project: Path) -> str:
    return importer("wws").convert(project, project.parent).text


def test_a_project_is_served_as_it_was(wsgi_wasm: Command, project: Path, tmp_path: Path) -> None:
    (project / "user" / "[id].toml").write_text('version = "1"\ndata.kv.namespace = "people"\n', encoding="utf-8")
    done = wsgi_wasm("import", "wws", "my project", "-o", "site.yaml")
    assert (done.status, done.text) == (0, "")
    assert wsgi_wasm("check", "site.yaml").status == 0
    client = Client(create_app(tmp_path / "site.yaml"))
    client.get("/user/7?set=a")
    client.get("/?set=b")
    told = json.loads(client.get("/user/8").data)
    assert (told["params"], told["kv"]) == ({"id": "8"}, {"a": "1"})
    assert json.loads(client.get("/").data)["kv"] == {"b": "1"}
    assert client.get("/public/asset").status_code == 404


def test_what_is_not_carried_over_is_said(project: Path, tmp_path: Path) -> None:
    (project / "user" / "[id].toml").write_text(SIDECAR, encoding="utf-8")
    (project / "page.js").touch()
    (project / "public" / "client.js").touch()
    (project / ".wws.toml").write_text("version = 1\n", encoding="utf-8")
    text = imported(project)
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    (route,) = load_config(tmp_path / "site.yaml", {"API_TOKEN": "s3cret"}).routes
    assert route.env == {"API_TOKEN": "s3cret"}
    assert set(route.grants.key_value) == {"default", "no"}
    words = " ".join(text.replace("#", " ").split())
    for remark in (
        "the runtime that wrapped them does not exist here: page.js.",
        "The runtimes that .wws.toml lists are not used.",
        "All workers see them.",
        "also request 'not-a-name', which no route can have",
        "user/[id].wasm could write to '../_assets' and can only read it now",
        "user/[id].wasm is disabled until you remove the folder '/srv/shared' from its .toml",
        "requests features.http_requests, which is not supported",
    ):
        assert remark in words
    assert "s3cret" not in text


def test_a_namespace_that_no_store_can_be_called(project: Path, tmp_path: Path) -> None:
    (project / "index.toml").write_text('version = "1"\ndata.kv.namespace = "a b\\n: x"\n', encoding="utf-8")
    text = imported(project)
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    assert set(load_config(tmp_path / "site.yaml", {}).routes[0].grants.key_value) == {"default"}
    assert "index.wasm stores nothing: 'a b\\n: x' is not a valid store label" in text


def test_mistakes_of_all_files_at_once(project: Path) -> None:
    (project / "index.toml").write_text("version", encoding="utf-8")
    (project / "user" / "[id].toml").write_text("vars = 1", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        imported(project)
    assert [Path(problem.file).name for problem in caught.value.problems] == ["index.toml", "[id].toml"]


def test_what_is_no_project(wsgi_wasm: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "missing"):
        done = wsgi_wasm("import", "wws", name)
        assert done.status == 1
        assert f"{name}: is not a directory" in done.err
    (tmp_path / "empty").mkdir()
    assert wsgi_wasm("import", "wws", "empty").status == 0


def test_files_that_are_links_out_of_the_project(project: Path, tmp_path: Path) -> None:
    """What lies there is none of the project's, and must not come into a site by it."""
    (tmp_path / "other.toml").write_text('version = "1"\nvars.A = "$ANOTHERS_SECRET"\n', encoding="utf-8")
    for name in ("index.toml", ".wws.toml"):
        (project / name).symlink_to("../other.toml")
        with pytest.raises(ConfigError, match=rf"{name}: .*is outside"):
            imported(project)
        (project / name).unlink()
    (project / "own").write_text('version = "1"\nvars.A = "$OWN"\n', encoding="utf-8")
    (project / "index.toml").symlink_to("own")
    assert "${OWN}" in imported(project)
