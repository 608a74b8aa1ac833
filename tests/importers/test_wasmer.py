"""A package for wasmer's WCGI runner moves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from werkzeug.test import Client

from cli.conftest import Command
from cli.conftest import wsgi_wasm as wsgi_wasm
from guests.build import guest
from wsgi_wasm import create_app, load_config
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.importers import importer
from wsgi_wasm.importers.imported import Imported

PACKAGE = """\
[package]
name = "someone/pages"
version = "0.1.0"
description = "Pages as a CGI program"
entrypoint = "pages"

[dependencies]
"someone/other" = "*"

[[module]]
name = "tell"
source = "build/env.wasm"
abi = "wasi"

[[module]]
name = "files"
source = "build/files.wasm"
abi = "wasi"

[fs]
"/www" = "public"
"data" = "data"

[[command]]
name = "tool"
module = "tell"
runner = "wasi"

[[command]]
name = "pages"
module = "files"
runner = "https://webc.org/runner/wcgi"
[command.annotations.wasi]
atom = "files"
env = ["MODE=live", "KEY=s3cret ${x}", "DOCUMENT_ROOT=/www"]
main-args = ["--all"]
exec-name = "pages"
cwd = "/"
[command.annotations.wcgi]
dialect = "rfc-3875"
"""


def imported(tmp_path: Path, text: str) -> Imported:
    for name in ("env", "files"):
        (tmp_path / "build").mkdir(exist_ok=True)
        shutil.copyfile(guest(name), tmp_path / "build" / f"{name}.wasm")
    for name in ("public", "data"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "page").write_text(name)
    (tmp_path / "wasmer.toml").write_text(text)
    made = importer("wasmer").convert(tmp_path / "wasmer.toml", tmp_path)
    (tmp_path / "site.yaml").write_text(made.text)
    load_config(tmp_path / "site.yaml")
    return made


def test_a_package_is_served(tmp_path: Path, wsgi_wasm: Command) -> None:
    made = imported(tmp_path, PACKAGE)
    assert wsgi_wasm("check", "site.yaml").status == 0
    client = Client(create_app(tmp_path / "site.yaml"))
    assert "<public>" in client.get("/any?op=read&path=/www/page").text
    assert "<data>" in client.get("/?op=read&path=/data/page").text
    assert "create OK" not in client.get("/?op=create&path=/data/new").text
    assert yaml.safe_load(made.text)["routes"]["/"] == {
        "interface": "cgi",
        "module": "build/files.wasm",
        "args": ["--all"],
        "env": {"MODE": "live", "KEY": "s3cret $${x}"},
        "dirs": {"/www": "public", "/data": "data"},
    }


# line, verdict, words
REPORT = [
    ("[package]", "dropped", "describes the package"),
    ('entrypoint = "pages"', "kept", "served at /"),
    ('source = "build/files.wasm"', "kept", "routes./.module"),
    ('source = "build/env.wasm"', "dropped", ""),
    ('"/www" = ...', "kept", "routes./.dirs./www"),
    ('module = "files"', "kept", "routes./.module"),
    ("env = ...", "needs your decision", "'DOCUMENT_ROOT' is set by the request"),
    ('main-args = ["--all"]', "kept", "routes./.args"),
    ('exec-name = "pages"', "dropped", "the program's name"),
    ('dialect = "rfc-3875"', "kept", "interface"),
    ('runner = "wasi"', "dropped", ""),
]


@pytest.mark.parametrize(("text", "verdict", "words"), REPORT, ids=[row[0] for row in REPORT])
def test_the_report(tmp_path: Path, text: str, verdict: str, words: str) -> None:
    made = imported(tmp_path, PACKAGE)
    fate = next(fate for _, fate in made.report if fate.text == text)
    assert (fate.verdict, words in "; ".join(fate.notes)) == (verdict, True), fate
    assert "s3cret" not in made.report.text() + made.report.json()


SMALL = '[[module]]\nname = "m"\nsource = "build/env.wasm"\n[[command]]\nname = "c"\nmodule = "m"\n'
# wasmer.toml, whether there is a route, words of the report
CASES = {
    "dcgi keeps files": (SMALL + 'runner = "dcgi"\n[fs]\n"/d" = "data"\n', True, "dcgi kept what programs wrote"),
    "the old dialect": (SMALL + 'runner = "wcgi"\n[command.annotations.wcgi]\ndialect = "wcgi"\n', False, "not CGI"),
    "another package's": (SMALL.replace('module = "m"', 'module = "a/b:c"') + 'runner = "wcgi"', False, "package a/b"),
    "no source": (SMALL.replace("source", "sauce") + 'runner = "wcgi"', False, "names no file"),
    "a missing file": (SMALL.replace("env.wasm", "none.wasm") + 'runner = "wcgi"', True, "not on this machine"),
    "two that speak CGI": (
        SMALL + 'runner = "wcgi"\n[[command]]\nname = "d"\nmodule = "m"\nrunner = "wcgi"\n', True,
        "serves one command"),
    "a directory that goes up": (SMALL + 'runner = "wcgi"\n[fs]\n"/../d" = "data"\n', True, "can be given"),
    "a working directory": (
        SMALL + 'runner = "wcgi"\n[command.annotations.wasi]\ncwd = "/d"\n', True, "starts in /"),
    "an unknown annotation": (
        SMALL + 'runner = "wcgi"\n[command.annotations.wasi]\ncolour = "d"\n', True, "not known"),
    "a variable without a value": (
        SMALL + 'runner = "wcgi"\n[command.annotations.wasi]\nenv = ["A", "=b", "1=2"]\n', True, "has no name"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "served", "words"), CASES.values(), ids=CASES)
def test_what_becomes_of_it(tmp_path: Path, text: str, served: bool, words: str) -> None:
    made = imported(tmp_path, text)
    assert bool(yaml.safe_load(made.text)["routes"]) == served
    assert words in "; ".join(note for _, fate in made.report for note in fate.notes)
    assert all(fate.verdict for _, fate in made.report)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[package]\n", "no [[command]] whose runner is wcgi or dcgi"),
        (SMALL + 'runner = "wasi"', "no [[command]] whose runner is wcgi or dcgi"),
        ("command = 1", "command: is not written as [[command]]"),
        ("command = [1]", "command: is not written as [[command]]"),
        ("[package\n", "wasmer.toml:1:"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(tmp_path, text)
    assert words in str(caught.value)
