"""The servers that the gateway has to work under, by name, for `pytest_plugins` or `from ... import`.

def test_it(server_name: str, open_tmp: Path) -> None:
    with serve(server_name, open_tmp / "site.yaml", open_tmp) as server:
        assert request(server.address, "GET", "/hello").status == 200
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from .apache import Apache, Site, check_reachable, give_to_server, include
from .gunicorn import start_gunicorn
from .server import Server
from .werkzeug import start_werkzeug

PROJECT = Path(__file__).resolve().parents[2]
FRAGMENTS = PROJECT / "apache"
GUNICORN_CONF = PROJECT / "conf" / "gunicorn.conf.py"
DEFAULT_CONFIG = "default-site.yaml"
"""Where Apache's processes look if nobody names a configuration, below a test's directory."""

GUNICORNS: Mapping[str, Mapping[str, str | int | bool]] = {
    "gunicorn-sync": {"worker_class": "sync", "workers": 2},
    "gunicorn-gthread": {"worker_class": "gthread", "workers": 2, "threads": 8},
    "gunicorn-preload": {"worker_class": "gthread", "workers": 2, "threads": 8, "preload": True},
}
APACHES = ("mod_wsgi-embedded", "mod_wsgi-daemon")
SERVERS = (*GUNICORNS, *APACHES, "werkzeug")
"""Every name that `serve` takes."""


@pytest.fixture(params=SERVERS)
def server_name(request: pytest.FixtureRequest) -> str:
    """One test per server."""
    return str(request.param)


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A temporary directory that Apache's user may enter too. pytest's own `tmp_path` is closed to others, and every
    new session closes it again."""
    yield from _open_directory()


@pytest.fixture(scope="module")
def open_module_tmp() -> Iterator[Path]:
    """The same for all tests of a file."""
    yield from _open_directory()


def _open_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="wsgi-wasm-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def server_environ(name: str, tmp: Path, cache: Path | None, env: Mapping[str, str] | None) -> dict[str, str]:
    """A cache directory for this server, unless `env` names one. It belongs to the user that the server's workers are,
    and to nobody else: others would be refused."""
    if cache is None:
        cache = tmp / f"cache-{name}"
        cache.mkdir(mode=0o700, exist_ok=True)
        if name in APACHES:
            give_to_server(cache)
    return {"WSGI_WASM_CACHE": str(cache), **(env or {})}


@contextmanager
def serve(
    name: str,
    site: Path,
    tmp: Path,
    *,
    env: Mapping[str, str] | None = None,
    cache: Path | None = None,
    workers: int | None = None,
    threads: int | None = None,
    options: tuple[str, ...] = (),
    ready: str | None = None,
    apache_text: str = "",
    modules: tuple[str, ...] = (),
    docroot: Path | None = None,
    native: Mapping[str, Path] | None = None,
    mount: str = "/",
    apache_threads: int = 16,
) -> Iterator[Server]:
    """Serve the configuration `site` by the server `name`; `tmp` gets logs.

    `env` is added to the server's environment, `options` to gunicorn's command line. `workers` and `threads` replace
    the number of processes and threads where the server has them. `apache_text`, `modules`, `docroot`, `native`,
    `mount` (the URL path of the whole site) and `apache_threads` (in each of its own processes) are for Apache.
    `ready`: the path asked for until an answer comes; None sends no request. Raises ServerError when the server does
    not come up.
    """
    environ = server_environ(name, tmp, cache, env)
    server: Server
    if name in GUNICORNS:
        server = _gunicorn(name, tmp, {"WSGI_WASM_CONFIG": str(site), **environ}, workers, threads, options, ready)
    elif name in APACHES:
        check_reachable(site)
        defines = {"WSGI_WASM_PATH": mount, **_amounts(workers, threads)}
        if name == "mod_wsgi-embedded":
            defines["WSGI_WASM_EMBEDDED"] = ""
        server = Apache.start(
            Site(
                text=f"{include(FRAGMENTS / 'wsgi-wasm.conf')}\n{apache_text}",
                scripts=scripts(tmp),
                docroot=docroot,
                modules=modules,
                daemons=(workers or 2) if name == "mod_wsgi-daemon" else 0,
                native=native or {},
                threads=apache_threads,
                defines={**fragment_defines(), **defines},
            ),
            tmp,
            name=name,
            env={"WSGI_WASM_CONFIG": str(site), **environ},
        )
    elif name == "werkzeug":
        server = start_werkzeug(site, tmp, name=name, env=environ)
    else:
        raise ValueError(f"no server {name!r}; there are {', '.join(SERVERS)}")
    with server:
        if ready is not None:
            server.wait_ready(ready)
        yield server


def _gunicorn(
    name: str,
    tmp: Path,
    environ: Mapping[str, str],
    workers: int | None,
    threads: int | None,
    options: tuple[str, ...],
    ready: str | None,
) -> Server:
    settings = GUNICORNS[name]
    return start_gunicorn(
        "wsgi_wasm.wsgi:application",
        tmp,
        name=name,
        worker_class=str(settings["worker_class"]),
        workers=int(settings["workers"]) if workers is None else workers,
        threads=int(settings.get("threads", 1)) if threads is None else threads,
        preload=bool(settings.get("preload")),
        config=GUNICORN_CONF,
        env=environ,
        options=options,
        ready=ready,
    )


def _amounts(workers: int | None, threads: int | None) -> dict[str, str]:
    given = {"WSGI_WASM_PROCESSES": workers, "WSGI_WASM_THREADS": threads}
    return {name: str(value) for name, value in given.items() if value is not None}


def scripts(tmp: Path) -> Path:
    """A copy of the scripts of apache/ for which the default configuration lies below `tmp`: nothing is read of a site
    that this machine may have."""
    copy = tmp / "scripts"
    copy.mkdir(exist_ok=True)
    default = f"from pathlib import Path\nfrom wsgi_wasm import mod_wsgi\nmod_wsgi.DEFAULT_CONFIG = Path({str(tmp)!r}"
    for path in FRAGMENTS.glob("*.wsgi"):
        text = f"{default}, {DEFAULT_CONFIG!r})\n{path.read_text('utf-8')}"
        (copy / path.name).write_text(text, encoding="utf-8")
    for path in FRAGMENTS.glob("*.conf"):
        shutil.copy(path, copy)
    return copy


def fragment_defines() -> dict[str, str]:
    """What a test has to define before it includes a fragment of apache/."""
    return {"WSGI_WASM_PYTHON": "${SERVER_PYTHON_HOME}", "WSGI_WASM_SHARE": "${SERVER_SCRIPTS}"}


@contextmanager
def serve_docroot(
    docroot: Path,
    tmp: Path,
    *,
    site: Path | None = None,
    env: Mapping[str, str] | None = None,
    cache: Path | None = None,
    text: str = "",
    modules: tuple[str, ...] = (),
) -> Iterator[Apache]:
    """Apache with a docroot in which `.wasm` files answer by themselves (apache/wsgi-wasm-handler.conf, daemon mode).

    `site` is the configuration whose `handler:` section gives the limits; None leaves them at their defaults. `text`
    is further configuration, read last.
    """
    environ = server_environ("mod_wsgi-daemon", tmp, cache, env)
    if site is not None:
        check_reachable(site)
        environ["WSGI_WASM_CONFIG"] = str(site)
    apache = Apache.start(
        Site(
            text=f"DirectoryIndex index.html\n{include(FRAGMENTS / 'wsgi-wasm-handler.conf')}\n{text}",
            scripts=scripts(tmp),
            docroot=docroot,
            modules=modules,
            daemons=2,
            defines={**fragment_defines(), "WSGI_WASM_DOCROOT": str(docroot)},
        ),
        tmp,
        name="drop-in",
        env=environ,
    )
    with apache:
        yield apache
