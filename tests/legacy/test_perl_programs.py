"""Each Perl program of `perl.yaml`: natively under mod_cgid and here, the same requests to both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from conftest import NEEDS_ROOT
from perl.cases import interpreter
from servers.client import Answer, get
from servers.server import Server
from wsgi_wasm.cli import main

from .cgi_bin import MOUNT, here, lay_out, natively
from .packages import fetch, upstream_version
from .rows import Program, programs

PROGRAMS = programs("perl")
RUN = [program for program in PROGRAMS if program.script]
COMPARED = [program for program in RUN if program.result != "native"]
REFUSED = [program for program in RUN if program.result == "native"]

pytestmark = [pytest.mark.corpus, NEEDS_ROOT]  # for the mount namespaces


@pytest.fixture(scope="module")
def sites(open_module_tmp: Path) -> Iterator[tuple[Server, Server]]:
    interpreter()
    lay_out(open_module_tmp, RUN)
    with ExitStack() as stack:
        native = stack.enter_context(natively(open_module_tmp, RUN))
        yield native, stack.enter_context(here(open_module_tmp, RUN))


def address(program: Program) -> str:
    """The path of the script."""
    return f"{MOUNT}/{program.name}/{program.program}"


def first_answer(program: Program, server: Server) -> Answer:
    """What comes of the first request."""
    (target, *_) = program.requests.split("\n") if program.requests else ("SCRIPT",)
    return get(server.address, target.split()[-1].replace("SCRIPT", address(program)))


@pytest.mark.parametrize("program", COMPARED, ids=lambda program: program.name)
def test_the_same_answers(
    program: Program, sites: tuple[Server, Server], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requests.txt").write_text(program.requests.replace("SCRIPT", address(program)), "utf-8")
    rules = {
        "ignore": ["Last-Modified"],  # mod_cgid writes it anew
        "mask": [r"/[^ ]*/cgi/[\w-]+(?=/)", *program.mask],
        **({"expect": {"reason": program.expect}} if program.expect else {}),
    }
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules), "utf-8")
    urls = [f"http://{server.host}:{server.port}" for server in sites]
    options = ["--rules", str(tmp_path / "rules.yaml"), "--json", "--unsafe", "--host", "site.example"]
    status = main(["compare", *urls, str(tmp_path / "requests.txt"), *options])
    found = json.loads(capsys.readouterr().out)
    _, ours = sites
    shown = f"{json.dumps(found['outcomes'], indent=1)[:6000]}\n{ours.log()[-3000:]}"
    assert status == 0, shown
    if program.result == "same":
        assert found["requests"] == found["same"], shown
    for text in program.contains:
        assert text in first_answer(program, ours).text


@pytest.mark.parametrize("program", REFUSED, ids=lambda program: program.name)
def test_what_is_missing_is_named(program: Program, sites: tuple[Server, Server]) -> None:
    """And it is still missing: what runs by now has a better row."""
    _, ours = sites
    answer = first_answer(program, ours)
    assert program.log in ours.log(), f"{answer.status}\n{ours.log()[-3000:]}"


@pytest.mark.parametrize("program", RUN, ids=lambda program: program.name)
def test_versions(program: Program) -> None:
    """The page names what was tested."""
    assert upstream_version(fetch([program.package])[program.package]).startswith(program.version)
