"""What a writable directory reaches, whichever way the paths are written: the configuration is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from servers.limits import own_mounts
from wsgi_wasm.config import load_config
from wsgi_wasm.config.checks import shared_directories
from wsgi_wasm.config.model import interpreters_of
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.files import trails
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.files.trails import Survey

# Who has the other directory: a part of the file, in which OTHER is its path. It is in line 3.
OTHERS = {
    "a route": "  /view: {module: m/v.wasm, dirs: {/ro: OTHER}}",
    "a writable one": "  /view: {module: m/v.wasm, dirs: {/rw: {path: OTHER, writable: true}}}",
    "an interpreter": "  /view: {directory: cgi, interpreters: {.x: {module: m/v.wasm, dirs: {/ro: OTHER}}}}",
    "a Spin application": "  /view: {spin: app/spin.toml, dirs: {/ro: OTHER}}",
    "a project of workers": "  /view: {directory: cgi, interface: wws, dirs: {/ro: OTHER}}",
    "the handler": "  /view: {module: m/v.wasm}\nhandler: {dirs: {/ro: OTHER}}",
    "a virtual host": "hosts: {a.example: {routes: {/view: {module: m/v.wasm, dirs: {/ro: OTHER}}}}}",
    "a docroot": "  /view: {directory: OTHER}",
    "an application's state": "  /view: {spin: {manifest: app/spin.toml, state_dir: OTHER}}",
    "the state": "state_dir: OTHER",
    "the cache": "cache_dir: OTHER",
}
FILES = {
    "a module": "  /view: {module: OTHER/v.wasm}",
    "an interpreter's module": "  /view: {directory: cgi, interpreters: {.x: OTHER/v.wasm}}",
    "a manifest": "  /view: {spin: OTHER/spin.toml}",
    "a runtime configuration": "  /view: {spin: {manifest: app/spin.toml, runtime_config: OTHER/r.toml}}",
    "a store": "  /view: {module: m/v.wasm, key_value: [s]}\nkey_value: {s: {path: OTHER/s.db}}",
    "a database": "  /view: {module: m/v.wasm, sqlite: [d]}\nsqlite: {d: OTHER/d.db}",
    "a variable": "  /view: {module: m/v.wasm, variables: {v: {file: OTHER/v}}}",
    "a plug": "  /view: {module: m/v.wasm}\ncompose: {m/v.wasm: {a: OTHER/plug.wasm}}",
}

# Paths of the writable directory and of the other one, where the first reaches the second.
CONTAINS = [
    ("w", "w/sub"),
    ("w/", "w/sub/"),
    ("./w/.", "x/../w//sub"),
    ("w", "missing/../w/sub"),
    ("link-to-w", "w/sub"),
    ("w", "link-to-w/sub"),
    ("w", "link-to-sub"),
    ("link-to-w", "link-to-sub"),
    ("w", "w/missing"),
    ("missing", "missing/sub"),
    ("missing", "MISSING/sub"),
    ("w/new", "W/../w/New/sub"),
    (".", "w/sub"),
    ("chain", "w/sub"),
    ("w", "chain/sub"),
    ("w", "w/out"),  # a link that a guest may have put there
    ("w", "link-to-out/x"),
    ("w", "dangling/x"),
]


def refused(base: Path, text: str) -> list[str]:
    (base / "site.yaml").write_text(text, encoding="utf-8")
    try:
        load_config(base / "site.yaml", {})
    except ConfigError as error:
        return [f"{problem.line}: {problem.message}" for problem in error.problems]
    return []


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "site"
    for folder in ("w/sub", "x", "m", "cgi", "app"):
        (base / folder).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    links = {
        "link-to-w": "w",
        "link-to-sub": "w/sub",
        "chain": "chain-2",
        "chain-2": "x/../w",
        "w/out": "../../elsewhere",
    }
    for name, target in {**links, "link-to-out": "w/out", "dangling": "w/nothing"}.items():
        (base / name).symlink_to(target)
    return base


def site(writable: str, other: str) -> str:
    return f"routes:\n  /up: {{module: m/u.wasm, dirs: {{/data: {{path: {writable}, writable: true}}}}}}\n{other}\n"


@pytest.mark.parametrize("other", [*OTHERS, *FILES])
@pytest.mark.parametrize("pair", CONTAINS, ids=" ".join)
def test_a_writable_directory_above(base: Path, other: str, pair: tuple[str, str]) -> None:
    writable, path = pair
    problems = refused(base, site(writable, {**OTHERS, **FILES}[other].replace("OTHER", path)))
    assert any(problem.startswith("2: routes./up.dirs./data: is writable, but contains") for problem in problems)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("pair", [pair for pair in CONTAINS if "out" not in pair[1] and "dangling" not in pair[1]])
def test_a_writable_directory_below(base: Path, other: str, pair: tuple[str, str]) -> None:
    path, writable = pair
    if path == "." and other in ("a docroot", "the cache", "an application's state", "the state"):
        path = "link-to-w/.."
    assert refused(base, site(writable, OTHERS[other].replace("OTHER", path)))


def test_the_message_names_both(base: Path) -> None:
    (problem,) = refused(base, site("w", OTHERS["a route"].replace("OTHER", "w/sub")))
    assert problem == "2: routes./up.dirs./data: is writable, but contains the directory '/ro' of route /view (line 3)"
    (problem,) = refused(base, site("w", OTHERS["an interpreter"].replace("OTHER", "w/sub")))
    assert problem.endswith("contains the directory '/ro' of the interpreter of .x in route /view (line 3)")
    (problem,) = refused(base, site("w", OTHERS["a route"].replace("OTHER", "w/out")))
    assert problem.endswith("contains a link that leads to the directory '/ro' of route /view (line 3)")


@pytest.mark.parametrize(
    "pair", [("w", "x"), ("w", "w-2"), ("w", "elsewhere"), ("w/sub", "x/sub"), ("w", "W"), ("new", "new-2")]
)
def test_directories_apart(base: Path, pair: tuple[str, str]) -> None:
    (base / "W").mkdir()
    for other in OTHERS.values():
        assert refused(base, site(pair[0], other.replace("OTHER", pair[1]))) == []


@pytest.mark.parametrize("path", ["w", "link-to-w", "./w/", "chain"])
def test_one_directory_of_several_guests(base: Path, path: str) -> None:
    """It is allowed, and `check` says it."""
    for name in ("a route", "a writable one", "an interpreter", "a Spin application", "the handler"):
        assert refused(base, site("w", OTHERS[name].replace("OTHER", path))) == []
        route = "handler" if name == "the handler" else "route /view"
        (note,) = shared_directories(load_config(base / "site.yaml", {}))
        assert "/w can be written by guests of route /up" in note
        assert route in note
    for name in ("a docroot", "the state", "the cache"):
        assert refused(base, site("w", OTHERS[name].replace("OTHER", path)))


@pytest.mark.parametrize("where", ["dirs", "an interpreter's dirs"])
@pytest.mark.parametrize("path", ["w/sub", "w/out", "link-to-w/out", "w/new/x", "w/sub/../out"])
def test_directories_of_one_guest_may_lie_in_each_other(base: Path, path: str, where: str) -> None:
    """What the guest puts there must not keep the site from being read again: it is looked for beneath the other."""
    inner = f"{{path: {path}, writable: true}}"
    if where == "dirs":
        text = f"module: m/u.wasm, dirs: {{/a: {{path: w, writable: true}}, /b: {inner}}}"
    else:
        text = f"directory: cgi, interpreters: {{.x: {{module: m/v.wasm, dirs: {{/b: {inner}}}}}}}, "
        text += "dirs: {/a: {path: w, writable: true}}"
    assert refused(base, f"routes:\n  /a: {{{text}}}\n") == []
    (route,) = load_config(base / "site.yaml", {}).routes
    dirs = {d.guest: d.folder for one in interpreters_of(route.target).values() for d in one.dirs}
    dirs |= {d.guest: d.folder for d in route.dirs}
    assert dirs == {"/a": Folder(base / "w"), "/b": Folder(base / "w", path.partition("/")[2])}
    assert refused(base, f"routes:\n  /a: {{{text.replace(inner, path)}}}\n"), "with other rights it is refused"


def test_interpreters_of_one_route_are_different_guests(base: Path) -> None:
    runs = "{module: m/v.wasm, dirs: {/d: {path: PATH, writable: true}}}"
    interpreters = f".x: {runs.replace('PATH', 'w')}, .y: {runs.replace('PATH', 'w/sub')}"
    assert len(refused(base, f"routes:\n  /a: {{directory: cgi, interpreters: {{{interpreters}}}}}\n")) == 2


def test_defaults_are_reported_once(base: Path) -> None:
    routes = "".join(f"  /{number}: {{module: m/u.wasm}}\n" for number in range(50))
    both = "{/a: {path: w, writable: true}, /b: {path: w/sub, writable: true}}"
    problems = refused(base, f"defaults:\n  dirs: {both}\nroutes:\n{routes}")
    assert len(problems) == 2
    assert "route /0, route /1, route /2 and 47 more" in problems[0]
    assert refused(base, f"defaults:\n  dirs: {both}\nroutes:\n  /a: {{module: m/u.wasm}}\n") == []


# Mounts --------------------------------------------------------------------------------------------------------------

SHOWS = """
import sys
from pathlib import Path
from wsgi_wasm.files.trails import Survey
survey = Survey()
for pair in sys.argv[1:]:
    one, other = (survey.trail(Path.cwd() / name) for name in pair.split(" "))
    print(one.is_same(other), one.reaches(other), other.lies_in(one))
"""

MOUNTED = {
    ("w", "mounted"): "True False False",
    ("w", "mounted/sub"): "False True True",
    ("mounted", "w/sub"): "False True True",
    ("w", "part"): "False True True",  # /part is another mount of w/sub
    ("w/sub", "part"): "True False False",
    ("w/sub", "part/new"): "False True True",
    ("mounted", "part"): "False True True",
    ("part", "w"): "False False False",
    ("w", "x"): "False False False",
}


def test_a_directory_that_is_mounted_elsewhere_too(base: Path) -> None:
    (base / "mounted").mkdir()
    (base / "part").mkdir()
    private = own_mounts("mount --bind w mounted; mount --bind w/sub part")
    shows = [*private, sys.executable, "-c", SHOWS, *map(" ".join, MOUNTED)]
    done = subprocess.run(shows, cwd=base, capture_output=True, text=True, check=False)
    # Where nothing can be mounted here, they are directories that have nothing to do with each other.
    expected = list(MOUNTED.values()) if private else ["False False False"] * len(MOUNTED)
    assert done.stdout.splitlines() == expected, done.stderr


def test_without_a_table_of_mounts(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "_MOUNTS", "/nothing")
    survey = Survey()
    assert survey.trail(base / "w/sub").lies_in(survey.trail(base / "chain"))
    assert not survey.trail(base / "w").lies_in(survey.trail(base / "x"))


def test_links_that_go_round(base: Path) -> None:
    (base / "round").symlink_to("round-2")
    (base / "round-2").symlink_to("round")
    assert Survey().trail(base / "round/x").path.startswith(str(base))
