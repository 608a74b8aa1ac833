"""Variables as a guest sees them, under each of their interfaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hostapi.driver import Driver
from wsgi_wasm.config.granted import Variable
from wsgi_wasm.hostapi import variables

SPIN, *CONFIG = (Driver(variables.API, interface) for interface in variables.API.interfaces)


def text(value: str) -> Variable:
    return Variable(value=value, file=None)


def test_values_files_and_what_is_undefined(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret ü\n")
    granted = {"a": text("one"), "empty": text(""), "secret": Variable(value=None, file=secret)}
    with SPIN.guest(granted) as guest:
        assert guest.ok("get", "a") == "one"
        assert guest.ok("get", "empty") == ""
        assert guest.ok("get", "secret") == "s3cret ü"
        secret.write_text("changed\r\n")
        assert guest.ok("get", "secret") == "changed"
        secret.write_bytes(b"\xef\xbb\xbffrom an editor\r\n")
        assert guest.ok("get", "secret") == "from an editor"
        assert guest.error("get", "b") == ("undefined", "b")
        assert len(guest.error("get", "x" * 100_000)[1]) < 1000
    with SPIN.guest({}) as guest:
        assert guest.error("get", "a")[0] == "undefined"


@pytest.mark.parametrize("driver", CONFIG)
def test_config(driver: Driver[Any], tmp_path: Path) -> None:
    with driver.guest({"a": text("one"), "b": text("")}) as guest:
        assert guest.ok("get", "a") == "one"
        assert guest.ok("get", "b") == ""
        assert guest.ok("get", "c") is None
        assert guest.ok("get-all") == [("a", "one"), ("b", "")]
    with driver.guest({}) as guest:
        assert guest.ok("get", "a") is None
        assert guest.ok("get-all") == []


def test_files_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "latin").write_bytes(b"\xe4")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    for name in ("latin", "large", "missing", "."):
        granted = {"v": Variable(value=None, file=tmp_path / name)}
        with SPIN.guest(granted) as guest:
            case, message = guest.error("get", "v")
            assert case == "provider"
            assert str(tmp_path) not in message
        with CONFIG[0].guest(granted) as guest:
            assert guest.error("get", "v")[0] == "io"
            assert guest.error("get-all")[0] == "io"
    assert len(caplog.messages) == 12
    assert all(message.startswith("/x x.wasm [1] variable 'v': ") for message in caplog.messages)
