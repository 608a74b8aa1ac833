"""Templates, where values come from, and Spin's runtime configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgi_wasm.errors import ConfigError
from wsgi_wasm.spin.manifest import read_manifest
from wsgi_wasm.spin.runtime_config import default_runtime_config, read_runtime_config
from wsgi_wasm.spin.tables import ManifestReading
from wsgi_wasm.spin.variables import expand, resolve

MANIFEST = """\
spin_manifest_version = 2
application = {name = "a"}
[[trigger.http]]
route = "/"
component = "a"
[component.a]
source = "a.wasm"
[variables]
greeting = {default = "from the manifest"}
token = {required = true, secret = true}
"""


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("plain }} text", "plain }} text"),
        ("{{ a }}", "1"),
        ("{{a}}-{{ b }}{{a}}", "1-21"),
        ("{ {a} }", "{ {a} }"),
        ("{{ c }}", "{{ a }}"),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert expand(template, {"a": "1", "b": "2", "c": "{{ a }}"}) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [("{{ a", "'{{' without '}}'"), ("{{ x }}", "no variable named 'x'"), ("{{ greting }}", "did you mean 'greeting'")],
)
def test_templates_that_mean_nothing(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand(template, {"a": "1", "greeting": "2"})


def values(
    tmp_path: Path, environ: dict[str, str], given: dict[str, str], runtime: str | None = None
) -> tuple[dict[str, str], list[str]]:
    path = tmp_path / "spin.toml"
    path.write_text(MANIFEST)
    if runtime is None:
        config = default_runtime_config(tmp_path, None, environ)
    else:
        (tmp_path / "runtime.toml").write_text(runtime)
        config = read_runtime_config(tmp_path / "runtime.toml", tmp_path, None, environ)
    reading = ManifestReading(file="spin.toml", base=tmp_path)
    found = resolve(read_manifest(path), given, config.providers, reading)
    return found, sorted(problem.message for problem in reading.problems)


def test_what_goes_before_what(tmp_path: Path) -> None:
    environ = {"SPIN_VARIABLE_TOKEN": "from the environment"}
    assert values(tmp_path, environ, {}) == ({"greeting": "from the manifest", "token": "from the environment"}, [])
    (tmp_path / ".env").write_text(
        "\ufeffSPIN_VARIABLE_GREETING='from # a file'\n# a comment\n\n=\n"
        "export SPIN_VARIABLE_TOKEN=hidden # by the environment\n"
    )
    assert values(tmp_path, environ, {})[0] == {"greeting": "from # a file", "token": "from the environment"}
    static = '[[variables_provider]]\ntype = "static"\nvalues = {token = "from a provider"}\n'
    assert values(tmp_path, environ, {}, static)[0]["token"] == "from a provider"
    prefix = '[[config_provider]]\ntype = "env"\nprefix = "SHOP"\n'
    assert values(tmp_path, {**environ, "SHOP_TOKEN": "x"}, {}, prefix)[0]["token"] == "x"
    assert values(tmp_path, environ, {"token": "from the site"}, static)[0]["token"] == "from the site"


def test_a_link_to_what_is_not_the_applications(tmp_path: Path) -> None:
    """Who writes an application decides where `.env` and `.spin` lead, and has no claim to another one's."""
    app, other = tmp_path / "app", tmp_path / "other"
    for folder in (app, other / ".spin"):
        folder.mkdir(parents=True)
    (other / ".env").write_text("SPIN_VARIABLE_TOKEN=another's\n")
    (app / ".env").symlink_to("../other/.env")
    assert values(app, {}, {})[0]["token"] == ""
    (app / ".env").unlink()
    (app / "own.env").write_text("SPIN_VARIABLE_TOKEN=its own\n")
    (app / ".env").symlink_to("own.env")
    assert values(app, {}, {})[0]["token"] == "its own"
    (app / ".spin").symlink_to("../other/.spin")
    with pytest.raises(ConfigError, match="is a link that leaves the application's directory: set `state_dir`"):
        default_runtime_config(app, None, {})
    assert default_runtime_config(app, app / ".spin", {}).sqlite["default"].parent == app / ".spin"


def test_what_is_missing_and_what_is_too_much(tmp_path: Path) -> None:
    _, messages = values(tmp_path, {}, {"greting": "x"})
    assert messages == [
        "variables.token: is required and has no value: set SPIN_VARIABLE_TOKEN, or `variables: {token: ...}` in the "
        "site's route",
        "variables: a value is given for 'greting', which is not declared; did you mean 'greeting'?",
    ]


RUNTIME = """\
state_dir = "state"
log_dir = "logs"
max_instance_memory = 1000000
[key_value_store.default]
type = "redis"
url = "redis://:secret@cache.example/1"
[key_value_store.mine]
type = "spin"
path = "data/mine.db"
[sqlite_database.more]
type = "spin"
path = "/srv/more.db"
[outbound_http]
max_connections = 3
"""


def test_runtime_configuration(tmp_path: Path) -> None:
    path = tmp_path / "runtime.toml"
    path.write_text(RUNTIME)
    config = read_runtime_config(path, tmp_path, None, {})
    assert config.key_value == {"default": "redis://:secret@cache.example/1", "mine": tmp_path / "data/mine.db"}
    assert config.sqlite == {"default": tmp_path / "state/sqlite_db.db", "more": Path("/srv/more.db")}
    assert config.max_memory == 1_000_000
    assert [remark.partition(": ")[2] for remark in config.remarks] == [
        "log_dir: output of components goes to the log",
        "outbound_http: limits of outbound requests are set in the site's route",
    ]
    assert "secret" not in repr(config)
    assert read_runtime_config(path, tmp_path, Path("/var/x"), {}).sqlite["default"] == Path("/var/x/sqlite_db.db")


def test_mistakes_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.toml").write_text(
        "max_instance_memory = -1\n"
        "max_instance_memry = 1\n"
        '[key_value_store.a]\ntype = "azure_cosmos"\nkey = "x"\n'
        '[key_value_store.b]\ntype = "spin"\n'
        '[key_value_store.c]\ntype = "redis"\n'
        '[sqlite_database.d]\ntype = "libsql"\nurl = "https://x"\n'
        '[sqlite_database.e]\ntype = "spin"\npath = "e.db"\nallow_attach_file = true\n'
        '[[variables_provider]]\ntype = "vault"\nurl = "x"\n'
    )
    with pytest.raises(ConfigError) as caught:
        read_runtime_config(Path("r.toml"), tmp_path, None, {})
    assert str(caught.value).splitlines() == [
        "r.toml: key_value_store.a.type: 'azure_cosmos' is not supported; write spin or redis",
        "r.toml: key_value_store.b: needs the key 'path': a store in memory would differ from process to process",
        "r.toml: key_value_store.c: needs the key 'url'",
        "r.toml: max_instance_memory: expected a number of bytes",
        "r.toml: sqlite_database.d.type: 'libsql' is not supported; write spin",
        "r.toml: sqlite_database.e.allow_attach_file: other files cannot be attached",
        "r.toml: unknown key 'max_instance_memry'; did you mean 'max_instance_memory'?",
        "r.toml: variables_provider[0].type: 'vault' is not supported; write env or static",
    ]
