"""A site of 30 programs under mod_cgid, and moved: C compiled again, Python as it is, shell left native. `compare`
finds nothing but differences that have a name."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cli.conftest import Command, command_line, environment
from guests.build import cache as guest_cache
from guests.build import native_of
from python.cases import interpreter
from servers.apache import Apache, Site, give_to_server
from servers.fixtures import serve
from servers.server import Server
from wsgi_wasm.migration.places import ProgramPlace
from wsgi_wasm.migration.scan import scan
from wsgi_wasm.toolchain.build import build_cached

HERE = Path(__file__).parent
SOURCES = HERE / "site"
C, PYTHON, SHELL = (sorted(SOURCES.glob(f"*.{suffix}")) for suffix in ("c", "py", "sh"))
RULES = yaml.safe_load((HERE / "rules.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def place(open_module_tmp: Path) -> Path:
    """`cgi-bin` as it was, and `moved`, where Apache's user may read them."""
    for folder in ("cgi-bin", "moved", "data"):
        (open_module_tmp / folder).mkdir()
    for source in C:
        copy(native_of(source, f"site-{source.stem}.cgi"), open_module_tmp / "cgi-bin" / f"{source.stem}.cgi", 0o755)
        copy(build_cached([source], guest_cache()), open_module_tmp / "moved" / f"{source.stem}.wasm", 0o644)
    for source in (*PYTHON, *SHELL):
        copy(source, open_module_tmp / "cgi-bin" / source.name, 0o755)
    shutil.copytree(
        SOURCES / "house", open_module_tmp / "cgi-bin" / "house", ignore=shutil.ignore_patterns("__pycache__")
    )
    copy(SOURCES / "prices.csv", open_module_tmp / "data" / "prices.csv", 0o644)
    subprocess.run(["chmod", "-R", "a+rX", open_module_tmp], check=True)
    return open_module_tmp


def copy(source: Path, target: Path, mode: int) -> None:
    shutil.copyfile(source, target)
    target.chmod(mode)


@pytest.fixture(scope="module")
def before(place: Path) -> Iterator[Server]:
    """The site as it was."""
    with Apache.start(
        Site(text=f"SetEnv DATA {place}/data", native={"/cgi-bin": place / "cgi-bin"}, wsgi=False), place, name="before"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def site(place: Path) -> Path:
    """What the administrator writes."""
    routes: dict[str, object] = {
        f"/{source.stem}.cgi": {"module": f"moved/{source.stem}.wasm", "dirs": {f"{place}/data": f"{place}/data"}}
        for source in C
    }
    routes["/"] = {
        "directory": "cgi-bin",
        "interpreters": {".py": {"module": "python", "dirs": {f"{place}/data": f"{place}/data"}}},
        "queue_timeout": "60s",
    }
    path = place / "site.yaml"
    path.write_text(
        yaml.safe_dump({"defaults": {"env": {"DATA": f"{place}/data"}}, "routes": routes}), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="module")
def compiled(place: Path, site: Path) -> Path:
    """A cache in which everything is compiled, for Apache's user."""
    made = interpreter()
    subprocess.run(command_line("compile", site), env=environment(), check=True, capture_output=True)
    target = place / "cache"
    target.mkdir(mode=0o700)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (made, *(place / "moved").iterdir())}
    for path in (made, *made.parent.iterdir()):
        if path == made or path.name.partition("-")[0] in digests:
            shutil.copyfile(path, target / path.name)
    for path in (target, *target.iterdir()):
        give_to_server(path)
    return target


@pytest.fixture(scope="module", params=["mod_wsgi-daemon", "mod_wsgi-embedded"])
def after(request: pytest.FixtureRequest, place: Path, site: Path, compiled: Path) -> Iterator[Server]:
    """The site that has moved, under its old paths; shell scripts are still mod_cgid's."""
    text = "\n".join(f'ScriptAlias /cgi-bin/{source.name} "{place}/cgi-bin/{source.name}"' for source in SHELL)
    with serve(
        request.param,
        site,
        place,
        cache=compiled,
        mount="/cgi-bin",
        native={"/native": place / "cgi-bin"},
        apache_text=f"SetEnv DATA {place}/data\n{text}",
        ready="/cgi-bin/hello.cgi",
    ) as server:
        yield server


def test_there_are_thirty_programs(place: Path) -> None:
    found = scan(ProgramPlace(place / "cgi-bin"), lambda _: None)
    assert Counter(program.way.name for program in found.programs) == {"recompile": 12, "as-is": 12, "native": 6}


def test_nothing_differs_but_what_has_a_name(before: Server, after: Server, wsgi_wasm: Command) -> None:
    options = ("--rules", HERE / "rules.yaml", "--unsafe", "--timeout", "120s", "--json", "--html", "report.html")
    done = wsgi_wasm("compare", before.url, after.url, HERE / "requests.txt", *options)
    found = json.loads(done.text)
    differing = [one for one in found["outcomes"] if one["verdict"] == "differs"]
    assert not differing, json.dumps(differing, indent=1)
    assert done.status == 0
    assert set(found["rules"]) == set(RULES["expect"])
    assert not [remark for remark in found["remarks"] if "not needed" in remark]
    lines = (HERE / "requests.txt").read_text("utf-8").splitlines()
    assert found["requests"] == sum(bool(line) and line[0] not in " #" for line in lines)


def test_every_program_is_asked_for(place: Path) -> None:
    text = (HERE / "requests.txt").read_text("utf-8")
    names = {path.name for path in (place / "cgi-bin").iterdir() if path.is_file()}
    assert len(names) == 30
    assert not [name for name in names if f"/cgi-bin/{name}" not in text]


def test_the_names_are_those_of_the_documentation() -> None:
    page = (HERE.parents[1] / "docs" / "cgi.md").read_text("utf-8")
    assert not [name for name in RULES["expect"] if f"| `{name}` |" not in page]
