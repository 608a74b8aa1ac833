"""The examples as their READMEs say: built by `build.py`, served by `wsgi-wasm serve`, asked by curl, dropped in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from guests.build import cache, guest
from servers.apache import runs_as_other_user
from servers.client import Connection, get, request, wait_compiled
from servers.fixtures import PROJECT, serve_docroot
from servers.packages import package_parent
from servers.process import ServerProcess, free_port, wait_until_answering
from servers.server import Server

EXAMPLES = PROJECT / "examples"
SITES = {path.parent.name: path.name for name in ("site.yaml", "spin.toml") for path in EXAMPLES.glob(f"*/{name}")}
NAMES = sorted(SITES)
BUILT_OTHERWISE: dict[str, list[str]] = {
    "composed": [],
    "hello": [],
    "visits": [],
    "perl-cgi": ["wsgi-wasm interpreter build perl"],
    "python-cgi": ["wsgi-wasm interpreter build python"],
}
DOCUMENTED = "http://127.0.0.1:8000"  # in the READMEs; `serve` listens there by default
TIMEOUT = 500  # seconds, until what hangs is an error; compilers are slow on a busy machine
NOBODY = 65534

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(package_parent()), "WSGI_WASM_GUESTS": str(cache())}


def readme(name: str) -> str:
    return (EXAMPLES / name / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and all that it prints."""

    line: str
    output: str


def commands(text: str) -> list[Command]:
    """The commands of the console blocks, in their order."""
    found = []
    for block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Command(line, output))
    return found


# --- what the READMEs say ---


def test_the_examples_that_there_are() -> None:
    directories = sorted(path.name for path in EXAMPLES.iterdir() if (path / "README.md").exists())
    assert directories == NAMES
    listed = re.findall(
        r"^\| \[([a-z-]+)\]\(\1/\) \| \S.* \|$", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_has_everything(name: str) -> None:
    text = readme(name)
    title, blank, first = text.splitlines()[:3]
    assert (title, blank) == (f"# {name}", "")
    assert first[:1].isalnum(), "a paragraph that says what it is"

    typed = [command.line for command in commands(text)]
    build = BUILT_OTHERWISE.get(name, [f"python examples/build.py {name}"])
    start = [*build, f"wsgi-wasm serve examples/{name}/{SITES[name]}"]
    assert typed[: len(start)] == start
    asked = typed[len(start) :]
    assert asked
    assert [line for line in asked if not (line.startswith("curl -s") and f"{DOCUMENTED}/" in line)] == []

    written = (EXAMPLES / name / SITES[name]).read_text("utf-8")
    if SITES[name] == "spin.toml":
        assert blocks(text, "toml") == [written]
    else:
        (shown,) = blocks(text, "yaml")
        assert yaml.safe_load(shown) == yaml.safe_load(written)


# --- building and serving a copy of them ---


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, built. Modules that were built before come from the cache that `build.py` keeps."""
    copy = tmp_path_factory.mktemp("checkout") / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=left_behind)
    shutil.copytree(PROJECT / "pins", copy.parent / "pins")
    done = subprocess.run(
        [sys.executable, copy / "build.py"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("interpreter", "build", "python", cwd=copy.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


def left_behind(directory: str, names: list[str]) -> list[str]:
    """What is made by building, serving or importing, and not a source."""
    made = [name for name in names if name.endswith(".wasm") or name in ("__pycache__", ".spin", "state")]
    kept = {".gitignore"}
    return made if Path(directory).name != "data" else [name for name in names if name not in kept]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wsgi_wasm", *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@contextmanager
def serving(site: Path, log: Path) -> Iterator[Server]:
    """`wsgi-wasm serve` on a port of its own, once it answers."""
    port = free_port()
    argv = [sys.executable, "-m", "wsgi_wasm", "serve", str(site), "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    process = ServerProcess(argv, output=log, env=ENVIRONMENT, cwd=log.parent)
    with Server("serve", process, port) as server:
        wait_until_answering(process, server.address, None, TIMEOUT)
        yield server


@pytest.mark.parametrize("name", NAMES)
def test_each_site_passes_the_check(name: str, built: Path) -> None:
    done = run("check", f"examples/{name}/{SITES[name]}", cwd=built.parent)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_each_request_of_a_readme_has_the_answer_shown(name: str, built: Path, tmp_path: Path) -> None:
    asked = [command for command in commands(readme(name)) if command.line.startswith("curl ")]
    with serving(built / name / SITES[name], tmp_path / "serve.log") as server:
        answers = [Command(command.line, typed(command.line.replace(DOCUMENTED, server.url))) for command in asked]
        _, killed = server.stop()
    assert answers == asked
    assert killed == ()


def typed(line: str) -> str:
    """What a command line prints in a shell, ended by a newline as a terminal would show it."""
    bare = {"PATH": os.environ["PATH"]}  # no proxy, and no ~/.curlrc
    done = subprocess.run(["bash", "-c", line], env=bare, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.stderr == ""
    return done.stdout if done.stdout.endswith("\n") or not done.stdout else done.stdout + "\n"


def test_building_again_changes_nothing(built: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*.wasm")}
    done = subprocess.run(
        [sys.executable, built / "build.py", *NAMES], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("up to date") == len(before)
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*.wasm")} == before


# --- the same programs, dropped into an Apache docroot ---


def put(module: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(module, target)
    target.chmod(0o644)


def test_programs_dropped_in(built: Path, open_tmp: Path) -> None:
    docroot = open_tmp / "www"
    put(built / "cgi-bin" / "cgi-bin" / "env.wasm", docroot / "index.wasm")
    put(built / "cgi-bin" / "cgi-bin" / "env.wasm", docroot / "deep" / "down" / "env.wasm")
    put(built / "form-c" / "form.wasm", docroot / "form.wasm")
    put(built / "rust" / "words.wasm", docroot / "words.wasm")
    put(built / "go" / "digest.wasm", docroot / "large" / "digest.wasm")  # some Go needs more than the others have
    put(guest("loop"), docroot / "loop.wasm")
    put(guest("alloc"), docroot / "alloc.wasm")
    put(guest("alloc"), docroot / "large" / "alloc.wasm")
    put(guest("alloc"), docroot / "not-selectable" / "alloc.wasm")
    (docroot / "page.html").write_text("<p>a page", encoding="utf-8")
    (docroot / "notes.wasm.html").write_text("<p>about .wasm", encoding="utf-8")
    (docroot / "directory.wasm").mkdir()
    link_to_another_owners_file(docroot / "linked.wasm", docroot / "form.wasm")
    (docroot / "own.wasm").symlink_to("form.wasm")

    site = open_tmp / "site.yaml"
    site.write_text(
        "handler: {timeout: 5m, cpu: 1s, memory: 4MiB, max_body: 100B}\n"
        "routes:\n"
        "  /large: {selectable: true, memory: 64MiB}\n"
        "  /secret: {module: www/form.wasm}\n",
        encoding="utf-8",
    )
    text = "".join(
        f'<Directory "{docroot}/{name}">\n    SetEnv wsgi_wasm.route {route}\n</Directory>\n'
        for name, route in (("large", "/large"), ("not-selectable", "/secret"))
    )
    with serve_docroot(docroot, open_tmp, site=site, text=text) as server:
        for path in ("/", "/form.wasm", "/words.wasm", "/large/digest.wasm", "/loop.wasm", "/alloc.wasm?most=1"):
            compiled(server, path)

        lines = get(server.address, "/deep/down/env.wasm/path/info?a=b").text.splitlines()
        expected = {"SCRIPT_NAME=/deep/down/env.wasm", "PATH_INFO=/path/info", "QUERY_STRING=a=b"}
        assert expected <= set(lines)
        assert "PATH_INFO=" in get(server.address, "/").text.splitlines()
        assert get(server.address, "/form.wasm").text.startswith("<form")
        assert get(server.address, "/own.wasm").text.startswith("<form")
        words = request(server.address, "POST", "/words.wasm", body=b"The cat. Cat!")
        assert words.text == "   2 cat\n   1 the\n"
        assert '"bytes": 5,' in request(server.address, "POST", "/large/digest.wasm", body=b"hello").text

        statuses = {
            "/loop.wasm": 504,
            "/alloc.wasm?then=trap": 502,
            "/large/alloc.wasm?then=trap": 502,
            "/not-selectable/alloc.wasm": 500,
            "/linked.wasm": 404,
            "/page.html": 200,
            "/notes.wasm.html": 200,
        }
        assert {path: get(server.address, path).status for path in statuses} == statuses
        assert request(server.address, "POST", "/form.wasm", body=b"a" * 101).status == 413
        assert most(server, "/alloc.wasm") < 4 < most(server, "/large/alloc.wasm") < 64
        assert get(server.address, "/page.html").text == "<p>a page"
        assert get(server.address, "/notes.wasm.html").text == "<p>about .wasm"
        with Connection(server.address) as connection:
            connection.send_request("GET", "/directory.wasm/")
            assert connection.read_answer().status in (403, 404)


def compiled(server: Server, path: str) -> None:
    """Return once a module is; the first request begins it."""
    wait_compiled(server.address, path)


def most(server: Server, path: str) -> int:
    """MiB that the guest could allocate."""
    return int(get(server.address, path).text.removesuffix(" MiB\n"))


def link_to_another_owners_file(link: Path, target: Path) -> None:
    """As root the link is somebody else's, else it leads to root's file."""
    link.symlink_to(target.name if runs_as_other_user() else "/etc/passwd")
    if runs_as_other_user():
        os.lchown(link, NOBODY, NOBODY)
