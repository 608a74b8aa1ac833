"""The site's YAML, and the small languages in its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fuzz.target import Draw, Target, check_message
from wsgi_wasm.cgi.shebang import unversioned
from wsgi_wasm.cli.address import address
from wsgi_wasm.config import Config, all_routes, parse_config, scalars, server_names
from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.hostapi.destinations import Destinations, destination, is_public
from wsgi_wasm.hostapi.resp import RespConnection

PROJECT = Path(__file__).parents[2]
CONFIG_FILES = PROJECT / "tests" / "config"
ENVIRON = {
    "TOKEN": "s3cret",
    "DIR": "/srv",
    "WAIT": "2s",
    "NUMBER": "3",
    "TREE": "a: [${TOKEN}, *x]",
    "BROKEN": "\udcff",
}
WORDS = (
    *(b"${", b"${TOKEN}", b"$${A}", b"${BROKEN}", b"&a ", b"*a", b"<<: *a", b"!!str ", b"---\n", b"? ", b"- ", b": "),
    *(b"{", b"}", b"[", b"]", b"|\n", b"'", b'"', b"\t", b"\r", b"\0", b"\xc2\x85", b"null", b"~", b"0777", b"1:30"),
    *(b"%YAML 1.2\n", b"routes:", b"  ", b"#", b"\\", b'"\\ud800"', b"\xef\xbb\xbf", b"/../", b"..", b"...\n", b">-\n"),
    *(
        b"module: a.wasm",
        b"directory: d",
        b"dirs: {/a: b}",
        b"writable: true",
        b"spin: s.toml",
        b"timeout: 1s",
        b"*.x:",
    ),
    *(b"env: {A: b}", b"hosts:", b"defaults:", b"handler:", b"interpreters: {.py: python}", b"exact: true", b"/a:"),
    *(b"key_value: [a]", b"sqlite: [a]", b"allowed_outbound_hosts: ['http://a']", b"compose:", b"engine:", b"cgi"),
)


def config_seeds() -> Iterable[bytes]:
    yield (PROJECT / "conf" / "site.yaml").read_bytes()
    for path in sorted(CONFIG_FILES.glob("*/*.yaml")):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        data = "".join(line for line in lines if not line.startswith(("#= ", "#! "))).encode()
        if len(data) <= 3000:
            yield data


def check_config(data: bytes) -> None:
    try:
        config = parse_config(data, "/nowhere/site.yaml", ENVIRON)
    except ConfigError as error:
        lines = len(data.splitlines()) + 1
        assert error.problems
        for problem in error.problems:
            assert 0 <= problem.line <= lines, problem
            assert problem.line == 0 or problem.column >= 1, problem
            check_message(problem.message)
            assert "s3cret" not in problem.message
        return
    assert isinstance(config, Config)
    assert parse_config(data, "/nowhere/site.yaml", ENVIRON) == config
    for route in all_routes(config):
        assert route.path.startswith("/") or route.path == "", route.path


READERS: dict[str, Callable[[str], Any]] = {
    "duration": scalars.duration,
    "size": scalars.size,
    "integer": scalars.integer,
    "flag": scalars.flag,
    "route_path": scalars.route_path,
    "host_path": scalars.host_path,
    "host_name": scalars.host_name,
    "scripts": scalars.scripts,
    "file_name": scalars.file_name,
    "field_value": scalars.field_value,
    "component_import": scalars.component_import,
    "label": scalars.label,
    "redis_url": server_names.redis_url,
    "endpoint": lambda text: server_names.endpoint(text, 5432),
    "method": scalars.method,
    "variable": scalars.variable,
    "variable_pattern": scalars.variable_pattern,
    "request_header": scalars.request_header,
    "response_field": scalars.response_field,
    "script_argument": scalars.script_argument,
    "spin_variable": scalars.spin_variable,
    "guest_variable": scalars.guest_variable,
}


def check_scalar(data: bytes) -> None:
    """`reader NUL text`: a value, or ValueError in words."""
    name, _, text = data.partition(b"\0")
    read = READERS.get(name.decode("latin-1"))
    if read is None:
        read = list(READERS.values())[name[:1][0] % len(READERS) if name else 0]
    value = text.decode("utf-8", "replace")
    try:
        found = read(value)
    except ValueError as error:
        check_message(error)
        return
    if read is server_names.redis_url:
        RespConnection.from_url(urlsplit(found))
    if isinstance(found, float | int) and not isinstance(found, bool):
        assert 0 <= found < 1 << 80
    if isinstance(found, str):
        value = unversioned(value) if read is scalars.scripts and not value.startswith(".") else value
        assert found.lower().replace("_", "-") == value.lower().replace("_", "-")


def scalar_seeds() -> Iterable[bytes]:
    values = {
        "duration": "1.5s", "size": "10MiB", "integer": "12", "flag": "true", "route_path": "/a b/c",
        "host_path": "./a",
        "host_name": "*.a.example", "scripts": ".py", "file_name": "index.wasm", "field_value": "text/plain; a=b",
        "component_import": "a:b/c@1.0.0=d", "label": "a.b-c", "redis_url": "rediss://u:p@h:1/2", "endpoint": "[::1]:5",
        "method": "GET", "variable": "A_1", "variable_pattern": "SSL_*", "request_header": "X-A",
        "response_field": "X-Accel-A", "script_argument": "-c{script}", "spin_variable": "a_b", "guest_variable": "a.b",
    }  # fmt: skip
    for name, text in values.items():
        yield name.encode() + b"\0" + text.encode()


def check_outbound(data: bytes) -> None:
    """`entries of allowed_outbound_hosts, a line each; NUL scheme NUL authority NUL four bytes of an address`."""
    lines, scheme, authority, address_bytes = (*data.split(b"\0", 3), b"", b"", b"")[:4]
    entries = []
    for line in lines.decode("utf-8", "replace").split("\n")[:8]:
        try:
            entries.append(parse_allowed_host(line))
        except ValueError as error:
            check_message(error)
    for entry in entries:
        assert 1 <= entry.first_port <= entry.last_port <= 65535
        assert "/" not in entry.host or entry.host.rpartition("/")[2].isdigit()
        assert not {*"@ \r\n\0"} & {*entry.host}
    allowed = Destinations(entries)
    wanted = destination(scheme.decode("latin-1"), authority.decode("latin-1"))
    if wanted is None:
        return
    assert 0 < wanted.port < 65536
    assert wanted.host
    assert not {*"@/ \r\n\0?#"} & {*wanted.host}
    draw = Draw(address_bytes)
    numeric = ".".join(str(draw.byte()) for _ in range(4))
    named = allowed.admit(wanted)
    if not entries:
        assert not named
    if not is_public(_ip(numeric)) and not any(
        entry.host == "localhost" or "." in entry.host or ":" in entry.host for entry in entries
    ):
        # An address of the inside must be named itself.
        assert not allowed.admit_address(wanted, numeric)
    if named and all(entry.host not in ("*", "self") for entry in entries) and wanted.host != "self.alt":
        names = [entry.host.removeprefix("*") for entry in entries]
        ours = any(wanted.host.endswith(name) for name in names)
        assert ours or _is_address(wanted.host)


def _ip(text: str) -> Any:
    import ipaddress

    return ipaddress.ip_address(text)


def _is_address(text: str) -> bool:
    try:
        _ip(text)
    except ValueError:
        return False
    return True


def check_address(data: bytes) -> None:
    import argparse

    try:
        found = address(data.decode("utf-8", "replace"))
    except argparse.ArgumentTypeError as error:
        check_message(error)
        return
    assert found.port is None or 0 <= found.port <= 65535
    assert found.host


TARGETS = (
    Target(
        "config",
        "a configuration, or mistakes with their places in the file; no secret in a message",
        check_config,
        lambda: list(config_seeds()),
        WORDS,
        tries=4000,
        longest=4000,
    ),
    Target(
        "quantities",
        "durations, sizes, paths, names and the like: a value, or a mistake in words",
        check_scalar,
        lambda: list(scalar_seeds()),
        (
            *(name.encode() + b"\0" for name in READERS),
            b"MiB",
            b"ms",
            b"[::1]",
            b"://",
            b"*.",
            b"\xc2\xb2",
            b"{script}",
        ),
        tries=20000,
        longest=300,
    ),
    Target(
        "outbound",
        "allowed_outbound_hosts and destinations: nothing inward unless it is named itself",
        check_outbound,
        lambda: (
            b"http://api.example\nhttps://*.example:8443\0http\0api.example\0\x08\x08\x08\x08",
            b"*://*:*\0http\0[::1]:80\0\x7f\0\0\1",
            b"http://10.0.0.0/8:1..9\nredis://localhost:6379\0http\x0010.0.0.1\0\x0a\0\0\1",
            b"http://self\nhttp://[fd00::]/8\0http\0self.alt\0\xa9\xfe\xa9\xfe",
        ),
        (
            b"http://",
            b"*",
            b"://",
            b":*",
            b"..",
            b"[",
            b"]",
            b"/8",
            b"self",
            b"localhost",
            b"@",
            b"\0http\0",
            b"0x7f.1",
        ),
        tries=10000,
        longest=300,
    ),
    Target(
        "address",
        "--bind: a host and port, a socket's path, or a mistake in words",
        check_address,
        lambda: (b"127.0.0.1:80", b"[::1]:80", b":80", b"80", b"unix:/a"),
        (b":", b"[", b"]", b"unix:", b"65536", b"\xc2\xb2"),
        tries=5000,
        longest=100,
    ),
)
