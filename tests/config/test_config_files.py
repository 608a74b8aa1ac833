"""What is wrong with a file before its keys are looked at, and where paths in it start."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from wsgi_wasm.config import ModuleTarget, load_config
from wsgi_wasm.errors import ConfigError


def message_of(data: bytes) -> str:
    Path("site.yaml").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_config("site.yaml", {})
    return str(caught.value)


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "site.yaml:1:1: the file is empty"),
        (b" \n\n", "site.yaml:1:1: the file is empty"),
        (b"\xef\xbb\xbf", "site.yaml:1:1: the file is empty"),
        (b"routes: {}\n# caf\xe9\n", "site.yaml:2:6: not UTF-8: byte 0xe9"),
        (b"# \xc3\xa9\r\n# \xc3\xa9\xff", "site.yaml:2:4: not UTF-8: byte 0xff"),
        ("routes: {}\n".encode("utf-16"), "site.yaml:1:1: not UTF-8: byte 0xff; it is UTF-16: save it as UTF-8"),
        ("# é".encode("utf-32"), "site.yaml:1:1: not UTF-8: byte 0xff; it is UTF-32: save it as UTF-8"),
        (b"\xef\xbb\xbf\xff", "site.yaml:1:1: not UTF-8: byte 0xff"),
        (b"\xef\xbb\xbfrouts: {}", "site.yaml:1:1: unknown key 'routs'; did you mean 'routes'?"),
        (b"# \0\n", "site.yaml:1:3: character U+0000 is not allowed"),
        (b"a: \x1b[0m\n", "site.yaml:1:4: character U+001B is not allowed"),
        ("routes: {}\n#\u2028routs: {}\n".encode(), "site.yaml:2:2: character U+2028 is not allowed"),
        ("# \u0085\n".encode(), "site.yaml:1:3: character U+0085 is not allowed"),
        (b"#" * (1 << 20) + b"\n", "site.yaml: larger than 1 MiB"),
        (b"reload: maybe\rrouts: {}\r", "site.yaml:1:9: reload: 'maybe' is neither true nor false\n"
                                        "site.yaml:2:1: unknown key 'routs'; did you mean 'routes'?"),
    ],
)  # fmt: skip
def test_bytes(data: bytes, message: str) -> None:
    assert message_of(data) == message


@pytest.mark.parametrize("text", ["\\uD800", "\\0", "\\x00"])
def test_escapes_that_stand_for_no_text(text: str) -> None:
    assert message_of(b'routes: {/a: {module: "' + text.encode() + b'"}}').startswith("site.yaml:1:")


def test_long_texts_are_cut_in_messages() -> None:
    assert len(message_of(b"x" * 1000 + b": 1\n")) < 200
    assert len(message_of(b"reload: " + b"x" * 100_000)) < 200
    assert "\n" not in message_of(b'reload: "a\\nb"')


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("site.yaml", {})
    assert str(caught.value) == "site.yaml: cannot be read: No such file or directory"


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, {})
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_path_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("a\0b", {})


def test_messages_name_the_file_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "my.yaml").write_text("routs: {}")
    for name in ("a/my.yaml", str(tmp_path / "a" / "my.yaml")):
        with pytest.raises(ConfigError) as caught:
            load_config(name, {})
        assert str(caught.value).startswith(f"{name}:1:1: ")


def test_relative_paths_start_at_the_file_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "site.yaml").write_text("routes: {/a: {module: a.wasm}}")
    (tmp_path / "site.yaml").symlink_to("real/site.yaml")
    config = load_config("site.yaml", {})
    assert config.source == tmp_path / "site.yaml"
    assert config.routes[0].target == ModuleTarget(path=tmp_path / "a.wasm")


def test_a_byte_order_mark_and_other_line_ends_do_not_matter() -> None:
    Path("site.yaml").write_bytes(b"\xef\xbb\xbfroutes:\r\n  /a: {module: a.wasm}\r\n")
    assert load_config("site.yaml", {}).routes[0].line == 2


def test_symbolic_links_do_not_hide_an_overlap(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "out").symlink_to("bin")
    message = message_of(b"routes: {/a: {module: bin/a.wasm, dirs: {/o: {path: out, writable: true}}}}")
    assert message == "site.yaml:1:42: routes./a.dirs./o: is writable, but contains the module a.wasm"


def test_the_value_is_frozen() -> None:
    Path("site.yaml").write_text("routes: {/a: {module: a.wasm}}")
    config = load_config("site.yaml", {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.routes[0].path = "/b"  # type: ignore[misc]


def test_importing_the_package_does_not_import_yaml() -> None:
    code = "import sys, wsgi_wasm.config, wsgi_wasm.config.jsonschema; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_messages_are_one_printable_line() -> None:
    long = b"x" * 900
    for data in [
        b'"a\\nb": {}',
        b'routes: {"a\\nb": {"c\\nd": 1}}',
        b'defaults: {env: {"a\\tb": []}, dirs: {"//a\\nb": x}, methods: ["' + long + b'", "a\\nb"]}',
        b'defaults: {interpreters: {"' + long + b'": {module: x, args: ["{' + long + b'}"]}}}',
        b"defaults: {timeout: " + b"9" * 900 + b", memory: " + b"9" * 900 + b", concurrency: " + b"0" * 900 + b"}",
    ]:
        for line in message_of(data).splitlines():
            assert line.startswith("site.yaml:1:")
            assert line.isprintable()
            assert len(line) < 350
