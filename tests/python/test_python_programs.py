"""Programs with packages give the same answers here and natively, under mod_cgid."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

from python.programs import PLACE, Cookies, PythonProgram, ask_here, ask_native, natively_installed, programs
from servers.apache import Apache, Site, give_to_server
from wsgi_wasm.config import interpreters_of, load_config
from wsgi_wasm.interpreters import interpreter
from wsgi_wasm.interpreters.build import build

ALL = programs()
TIERS = [pytest.param(one, id=one.name, marks=() if one.first else pytest.mark.corpus) for one in ALL]

STARTER = '#!/bin/sh\nexport PYTHONPATH={path} DATA={data}\nexec /usr/bin/python3 -W ignore "$PWD/program.py"\n'


def native_site(program: PythonProgram, tmp: Path) -> Path:
    """Lays out the program for mod_cgid; the directory of its data."""
    folder, data = tmp / "native" / program.name, tmp / "native-data"
    folder.mkdir(parents=True)
    data.mkdir()
    packages = natively_installed(program.requirements, tmp / "packages")
    shutil.copytree(PLACE / "library", tmp / "library")
    if program.prepare:
        command = [sys.executable, "-W", "ignore", *(word.format(data=data) for word in program.prepare)]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(packages)}, check=True, capture_output=True)
    shutil.copyfile(program.script, folder / "program.py")
    text = STARTER.format(path=f"{packages}:{tmp / 'library'}", data=data)
    (folder / "app.py").write_text(text, encoding="utf-8")
    (folder / "app.py").chmod(0o755)
    return data


def build_for(route: dict[str, Any], site: Path) -> None:
    """The interpreter with what the program needs, unless an earlier run has built it."""
    site.write_text(yaml.safe_dump({"routes": {"/": route}}), encoding="utf-8")
    (made,) = load_config(site).routes
    (one,) = interpreters_of(made.target).values()
    build(interpreter("python"), one.module.parent, additions=one.additions)


@pytest.mark.parametrize("program", TIERS)
def test_the_same_answers(program: PythonProgram, open_tmp: Path, make_client: Callable[..., Client]) -> None:
    native_data, here, data = native_site(program, open_tmp), open_tmp / "here", open_tmp / "data"
    here.mkdir()
    shutil.copyfile(program.script, here / "app.py")
    shutil.copytree(native_data, data)
    for path in (native_data, *native_data.rglob("*")):
        give_to_server(path)
    mount, route = f"/cgi/{program.name}", program.route(here, data)
    build_for(route, open_tmp / "site.yaml")
    client = make_client({mount: route})
    ours, theirs = Cookies(), Cookies()
    native = Site(text="", wsgi=False, native={"/cgi/": open_tmp / "native"})
    with Apache.start(native, open_tmp, name="native") as server:
        base = f"http://{server.address[0]}:{server.address[1]}"
        for step in program.requests:
            target = f"{mount}/app.py{step.path}"
            natively = ask_native(server.address, target, step, theirs)
            answer = ask_here(client, base, target, step, ours)
            assert (target, answer[0], natively[0]) == (target, step.status, step.status), answer[1] + natively[1]
            assert step.contains in answer[1]
            assert program.comparable(answer[1]) == program.comparable(natively[1]), target
