"""One cgi-bin with all programs, twice: natively under mod_cgid, and under the gateway. Each server is in a mount
namespace of its own, where the packages' files lie over those of the machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from servers.apache import Apache, Site, give_to_server
from servers.fixtures import GUNICORN_CONF
from servers.gunicorn import start_gunicorn
from servers.server import Server

from .packages import fetch, unpack
from .rows import Program

OVER = ("etc", "usr", "var")
SITES = ("native", "ours")
MOUNT = "/perl"
ADMINISTRATOR = "webmaster@site.example"
MODULES = ("usr/share/perl5", "usr/lib/x86_64-linux-gnu/perl5/5.36")


def lay_out(place: Path, programs: Sequence[Program]) -> None:
    """Everything that both sites need, in `place`: `tree` with the packages' files, `cgi` with the scripts, and for
    each site the directories that programs write to."""
    tree = place / "tree"
    names = sorted({name for program in programs for name in (program.package, *program.packages)})
    unpack(list(fetch(names).values()), tree)
    for folder in OVER:
        (tree / folder).mkdir(exist_ok=True)
    for site in SITES:
        (place / site).mkdir()
    for program in programs:
        _set_up(place, program)
    subprocess.run(["chmod", "-R", "a+rX", tree, place / "cgi"], check=True)


def _set_up(place: Path, program: Program) -> None:
    tree = place / "tree"
    for path, text in program.files.items():
        _put(tree, path, text)
    folder = place / "cgi" / program.name
    folder.mkdir(parents=True)
    for source, target in {program.script: program.program, **program.copies}.items():
        found = tree / source.lstrip("/")
        if found.is_symlink() and os.readlink(found).startswith("/"):
            found = tree / os.readlink(found).lstrip("/")
        _copy(found, folder / target)
    (folder / program.program).chmod(0o755)
    if program.prepare:
        subprocess.run(["sh", "-ec", program.prepare], cwd=tree, check=True)
    for name in program.modules:
        (found,) = [tree / folder / name for folder in MODULES if (tree / folder / name).exists()][:1]
        _copy(found, tree / "usr" / "local" / "perl" / program.name / name)
    for path in program.writable:
        inside = tree / path.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        for site in SITES:
            copy = place / site / path.lstrip("/")
            shutil.copytree(inside, copy, symlinks=True, dirs_exist_ok=True)
            for found in [copy, *copy.rglob("*")]:
                give_to_server(found)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _put(tree: Path, path: str, text: str) -> None:
    file = tree / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.is_symlink():
        file.unlink()
    file.write_text(text, "utf-8")


def namespace(place: Path, programs: Sequence[Program], site: str) -> tuple[str, ...]:
    """The command before that of a server which sees the tree over the machine's own files."""
    tree = place / "tree"
    lines = [f"mount -t overlay overlay -o lowerdir={tree}/{folder}:/{folder} /{folder}" for folder in OVER]
    for path in sorted({path for program in programs for path in program.writable}):
        lines.append(f"mount --bind {shlex.quote(str(place / site / path.lstrip('/')))} {shlex.quote(path)}")
    return ("unshare", "--mount", "--", "sh", "-ec", "\n".join([*lines, 'exec "$@"']), "sh")


def routes(place: Path, programs: Sequence[Program]) -> dict[str, Any]:
    """A route for each program, as an administrator would write it."""
    return {f"{MOUNT}/{program.name}": _route(place, program) for program in programs}


def _route(place: Path, program: Program) -> Mapping[str, Any]:
    own: dict[str, Any] = {"/etc": "/etc", "/usr": "/usr"}
    own |= {path: path for path in program.readable}
    own |= {path: {"path": path, "writable": True} for path in program.writable}
    given = dict(program.route)
    return {
        "directory": str(place / "cgi" / program.name),
        "interpreters": {".pl": "perl", ".cgi": "perl", "perl": "perl"},
        "programs": ["suffix", "shebang"],
        "dirs": {**own, **given.pop("dirs", {})},
        "env": {
            "SERVER_ADMIN": ADMINISTRATOR,
            **({"PERL5LIB": f"/usr/local/perl/{program.name}"} if program.modules else {}),
            **given.pop("env", {}),
        },
        "timeout": "60s",
        "cpu": "60s",
        "memory": "256MiB",
        **given,
    }


@contextmanager
def natively(place: Path, programs: Sequence[Program]) -> Iterator[Server]:
    """Apache with mod_cgid."""
    variables = {name: value for program in programs for name, value in program.route.get("env", {}).items()}
    text = f"ServerAdmin {ADMINISTRATOR}\n" + "\n".join(
        f"SetEnv {name} {shlex.quote(str(value))}" for name, value in variables.items()
    )
    site = Site(text=text, wsgi=False, native={f"{MOUNT}/": place / "cgi"}, within=namespace(place, programs, "native"))
    with Apache.start(site, place, name="native") as server:
        yield server


@contextmanager
def here(place: Path, programs: Sequence[Program]) -> Iterator[Server]:
    """The gateway under gunicorn."""
    site = place / "site.yaml"
    site.write_text(yaml.safe_dump({"routes": routes(place, programs)}), "utf-8")
    with start_gunicorn(
        "wsgi_wasm.wsgi:application",
        place,
        worker_class="gthread",
        workers=2,
        threads=4,
        config=GUNICORN_CONF,
        env={"WSGI_WASM_CONFIG": str(site)},
        prefix=namespace(place, programs, "ours"),
        ready="/",
    ) as server:
        yield server
