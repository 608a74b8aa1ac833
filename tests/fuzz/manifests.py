"""What describes applications of other systems, and what is written from it: Spin, Wasm Workers Server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fuzz.target import Target, check_message, temporary
from wsgi_wasm.config import load_config
from wsgi_wasm.config.log import VARIABLE
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.importers import importer
from wsgi_wasm.spin.globs import compiled
from wsgi_wasm.spin.manifest import read_manifest
from wsgi_wasm.spin.patterns import PatternTable, parse_base, parse_pattern
from wsgi_wasm.spin.runtime_config import read_runtime_config
from wsgi_wasm.spin.variables import expand

MANIFESTS = Path(__file__).parents[1] / "spin" / "manifests"
WORDS = (
    *(
        b"[component.a]\n",
        b"[[trigger.http]]\n",
        b"route = ",
        b'"/a/..."',
        b"source = ",
        b"files = ",
        b"\n",
        b"{",
        b"}",
    ),
    *(b'{source = "a", destination = "/b"}', b"{private = true}", b"= [", b"]", b"= 1\n", b'"', b"'", b'"""', b"\\n"),
    *(
        b"allowed_http_hosts = ",
        b"allowed_outbound_hosts = ",
        b'"http://["',
        b'"http://[::1]:80"',
        b'"insecure:allow-all"',
    ),
    *(
        b"dependencies = {",
        b'"a:b/c@1.0.0"',
        b"environment = {",
        b"variables = {",
        b'"{{ a }}"',
        b"{{",
        b"}}",
        b"2026-01-01",
    ),
    *(
        b'spin_version = "1"\n',
        b"spin_manifest_version = 2\n",
        b"[profile.x]",
        b"static_response = {",
        b"[application]\n",
    ),
    *(
        b"\\u000aroutes: {}",
        b"\\u0085x: y",
        b"\\u2028x",
        b"\\u001b",
        b"key_value_stores = [",
        b"${",
        b"\\ud800",
        b"nan",
    ),
    *(b'executor = {type = "wagi"}', b"[[", b"[" * 200, b"a." * 100, b'name = "a\\nb"', b"1_0", b"0x10", b"inf"),
)


def texts(*patterns: str) -> list[bytes]:
    found = []
    for pattern in patterns:
        found += [path.read_bytes() for path in sorted(MANIFESTS.glob(pattern))]
    return found


@cache
def place() -> Path:
    """A directory with what manifests name, so that files and sources are found."""
    root = temporary()
    for name in ("app.wasm", "a.wasm", "site/index.html", "site/a/b.txt", "assets/x.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def problems_of(error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        check_message(problem.message)


def written(name: str, data: bytes) -> Path:
    path = place() / name
    path.write_bytes(data)
    return path


def check_manifest(data: bytes) -> None:
    path = written("spin.toml", data)
    for profile in (None, "debug"):
        try:
            manifest = read_manifest(path, profile)
        except ConfigError as error:
            problems_of(error)
            continue
        assert manifest.triggers
        for trigger in manifest.triggers:
            assert (trigger.component is None) != (trigger.response is None)
        for component in manifest.components.values():
            assert all("\0" not in text for pair in component.environment.items() for text in pair)


# Keys that a site made from a manifest may have, and those of its routes.
SITE_KEYS = {"routes", "key_value", "sqlite", "compose"}
ROUTE_KEYS = {
    "module",
    "interface",
    "exact",
    "pass_authorization",
    "query_args",
    "env",
    "key_value",
    "sqlite",
    "dirs",
} | {
    "allowed_outbound_hosts",
    "variables",
}


def check_imported(text: str, site_keys: set[str], route_keys: set[str]) -> None:
    """It loads, but for what only the original's own rules forbid; and it has no key that nobody wrote."""
    data = yaml.safe_load(text)
    assert set(data) <= site_keys, data.keys()
    for route in (data["routes"] or {}).values():
        assert set(route) <= route_keys, route.keys()
    site = written("site.yaml", text.encode("utf-8", "surrogateescape"))
    try:
        load_config(site, AnyName())
    except ConfigError as error:
        problems_of(error)
        raise


class AnyName(dict[str, str]):
    """An environment that has every variable but the gateway's own."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "x"

    def get(self, name: str, default: Any = None) -> Any:
        return default if name == VARIABLE else "x"


def check_import_spin(data: bytes) -> None:
    path = written("spin.toml", data)
    try:
        text = importer("spin").convert(path, place()).text
    except ConfigError as error:
        problems_of(error)
        return
    check_imported(text, SITE_KEYS, ROUTE_KEYS)


def check_runtime(data: bytes) -> None:
    path = written("runtime.toml", data)
    try:
        found = read_runtime_config(path, place(), None, {"SPIN_VARIABLE_A": "x"})
    except ConfigError as error:
        problems_of(error)
        return
    assert found.max_memory is None or found.max_memory > 0
    for provider in found.providers:
        provider("a")


RUNTIME = b"""[key_value_store.default]
type = "spin"
path = "kv.db"
[key_value_store.other]
type = "redis"
url = "redis://localhost"
[sqlite_database.default]
type = "spin"
path = "a.db"
[[variables_provider]]
type = "static"
values = {a = "b"}
[[variables_provider]]
type = "env"
prefix = "X"
dotenv_path = ".env"
"""


def check_import_wws(data: bytes) -> None:
    """The `.toml` beside a worker; and after a NUL the project's own."""
    sidecar, _, project = data.partition(b"\0")
    root = place() / "project"
    root.mkdir(exist_ok=True)
    (root / "index.wasm").touch()
    (root / "index.toml").write_bytes(sidecar)
    (root / ".wws.toml").write_bytes(project)
    try:
        text = importer("wws").convert(root, place()).text
    except ConfigError as error:
        problems_of(error)
        return
    check_imported(text, {"state_dir", "key_value", "routes"}, {"directory", "interface", "key_value", "env"})


SIDECAR = b"""name = "x"
version = "1"
[vars]
A = "b"
C = "$D"
[[folders]]
from = "./data"
to = "/tmp"
[data.kv]
namespace = "n"
[features.http_requests]
allowed_hosts = ["a"]
"""


def check_patterns(data: bytes) -> None:
    """`routes, a line each; NUL path`: each pattern that is taken matches as it says."""
    lines, _, path = data.partition(b"\0")
    routes = []
    for line in lines.decode("utf-8", "replace").split("\n")[:12]:
        try:
            pattern = parse_pattern(line)
        except ValueError as error:
            check_message(error)
            continue
        routes.append(line)
        assert pattern.clean.startswith("/") or not pattern.clean
        try:
            assert parse_base(line) == pattern.clean
        except ValueError as error:
            check_message(error)
            assert pattern.wild or pattern.has_names
    table = PatternTable((route, route) for route in routes)
    asked = "/" + path.decode("latin-1").lstrip("/")
    found = table.match(asked)
    if found is None:
        assert "/..." not in routes
        return
    prefix = [dict(found.names).get(part[1:], part) for part in found.pattern.segments]
    if len(dict(found.names)) == len(found.names):
        whole = "/" + "/".join(prefix) if prefix else ""
        assert (whole + found.rest).rstrip("/") == asked.removesuffix("/").rstrip("/") or "//" in asked
    if not found.pattern.wild:
        assert not found.rest


def check_globs(data: bytes) -> None:
    """`pattern NUL name`: an expression, or re.error; and what matches has the pattern's fixed beginning."""
    raw, _, name = data.partition(b"\0")
    pattern, path = raw.decode("utf-8", "replace"), name.decode("utf-8", "replace")
    if pattern.count("**") > 6:
        return  # `limits` holds these
    for across in (False, True):
        try:
            expression = compiled(pattern, across=across)
        except re.error:
            continue
        found = expression.fullmatch(path)
        if found and not re.search(r"[*?\[]", pattern):
            assert pattern == path
        if found and not across and "**" not in pattern:
            assert pattern.count("/") == path.count("/") or "[" in pattern


def check_template(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    values = {"a": "{{ b }}", "b": "x", "c_d": ""}
    try:
        found = expand(text, values)
    except ValueError as error:
        check_message(error)
        assert "{{" in text
        return
    if "{{" not in text:
        assert found == text


def manifest_seeds() -> Sequence[bytes]:
    return texts("valid/*.toml", "invalid/*.toml")


def import_seeds() -> Iterable[bytes]:
    return texts("valid/*.toml")


TARGETS = (
    Target(
        "spin-manifest",
        "an application, or mistakes with the paths of their keys",
        check_manifest,
        manifest_seeds,
        WORDS,
        tries=4000,
        longest=4000,
    ),
    Target(
        "import-spin",
        "a site from spin.toml that loads and has no key but those of the importer, or mistakes",
        check_import_spin,
        import_seeds,
        WORDS,
        tries=4000,
        longest=4000,
    ),
    Target(
        "import-wws",
        "a site from a project of workers, as above",
        check_import_wws,
        lambda: (SIDECAR, SIDECAR + b'\0[[repositories]]\nname = "x"\n', b'version = "1"\n[vars]\nA = "${B}"\n'),
        (*WORDS, b"[vars]\n", b'"$A"', b"[[folders]]\n", b'from = "../.."\n', b'to = "x"\n', b"[data.kv]\n", b"\0"),
        tries=4000,
        longest=2000,
    ),
    Target(
        "spin-runtime",
        "a runtime configuration, or mistakes with the paths of their keys",
        check_runtime,
        lambda: (RUNTIME, RUNTIME + b"max_instance_memory = 5\n"),
        (*WORDS, b"[[config_provider]]\n", b'type = "env"\n', b"max_instance_memory = -1\n", b'path = "\\u0000"\n'),
        tries=3000,
        longest=2000,
    ),
    Target(
        "spin-routes",
        "patterns of routes: what matches adds up to the path",
        check_patterns,
        lambda: (b"/...\n/a/:id\n/a/:id/...\n/a/b\n/*\0/a/7/x", b"/a\n/:b\n/:c/d/...\0/a/", b"/\0/", b"/...\0//"),
        (b"/...", b"/:x", b"/", b"//", b"\n", b"*", b"...", b"%41", b" ", b"\0/a"),
        tries=10000,
        longest=300,
    ),
    Target(
        "spin-globs",
        "patterns of files: an expression or a mistake, and nothing across a slash that must not be",
        check_globs,
        lambda: (b"a/**/*.txt\0a/b/c.txt", b"**\0a/b", b"[!a-c]?/x\0d/x", b"*.[ch]\0a.c", b"a[]]b\0a]b"),
        (b"**", b"*", b"?", b"[", b"]", b"[!", b"^", b"\\", b"/", b"[z-a]", b"[[:alpha:]]", b"&&", b"--", b"~~", b"||"),
        tries=10000,
        longest=60,
    ),
    Target(
        "spin-templates",
        "{{ name }} in values: the text, or a mistake in words",
        check_template,
        lambda: (b"https://{{ a }}/{{b}}", b"{{ c_d }}", b"{{{{ b }}}}", b"a}}b"),
        (b"{{", b"}}", b" a ", b"c_d", b"\0", b"\xe2\x80\xae"),
        tries=10000,
        longest=200,
    ),
)
