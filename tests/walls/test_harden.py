"""`harden` under real servers: what an intruder in a worker can still do, and that guests notice nothing of it."""

from __future__ import annotations

import http.server
import json
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import component, guest
from hostapi import programs
from servers.apache import Apache, give_to_server
from servers.apache import Site as ApacheSite
from servers.client import get, request, wait_compiled
from servers.fixtures import GUNICORN_CONF, fragment_defines, serve, serve_docroot, server_environ
from servers.gunicorn import start_gunicorn
from servers.proc import status_lines
from servers.process import ServerError, wait_for
from servers.server import Server
from wsgi_wasm.hostapi import keyvalue
from wsgi_wasm.walls import landlock, seccomp

from .attempts import World
from .test_walls import ROWS

HERE = Path(__file__).parent
APPS = HERE.parent / "servers" / "apps"

pytestmark = pytest.mark.skipif(
    not landlock.abi() or bool(seccomp.missing()), reason="this kernel has only some of the walls"
)

CONFINED = ("gunicorn-sync", "gunicorn-gthread", "gunicorn-preload", "mod_wsgi-daemon")


@pytest.fixture
def place(open_tmp: Path) -> Path:
    """A site with guests that use everything that a worker needs."""
    for name in ("site", "site/public", "data", "out", "state", "elsewhere"):
        (open_tmp / name).mkdir()
    for name in ("out", "state"):
        give_to_server(open_tmp / name)
    (open_tmp / "data" / "known.txt").write_text("known")
    (open_tmp / "elsewhere" / "secret").write_text("secret")
    for name in ("files", "echo"):
        shutil.copy(guest(name), open_tmp / "site" / f"{name}.wasm")
    shutil.copy(guest("hello"), open_tmp / "site" / "hello.wat")
    shutil.copy(guest("hello"), open_tmp / "site" / "public" / "page.wat")
    texts = {1024: "default", 1100: "hits"}
    (open_tmp / "site" / "count.wat").write_text(programs.program(keyvalue.SPIN, texts, programs.KEY_VALUE))
    routes: dict[str, Any] = {
        "/hello": {"module": "hello.wat"},
        "/files": {"module": "files.wasm", "dirs": {"/data": "../data", "/out": {"path": "../out", "writable": True}}},
        "/echo": {"module": "echo.wasm"},
        "/count": {"module": "count.wat", "key_value": ["default"]},
        "/public": {"directory": "public"},
    }
    write(open_tmp, routes)
    return open_tmp


def write(place: Path, routes: dict[str, Any], **top: Any) -> Path:
    text = yaml.safe_dump({"routes": routes, "harden": True, "reload": True, "state_dir": "../state", **top})
    fresh = place / "site" / "fresh.yaml"
    fresh.write_text(text)
    return fresh.replace(place / "site" / "site.yaml")


def site(place: Path) -> Path:
    return place / "site" / "site.yaml"


def routes_of(place: Path) -> dict[str, Any]:
    routes: dict[str, Any] = yaml.safe_load(site(place).read_text())["routes"]
    return routes


def compiled(server: Server, *paths: str) -> None:
    try:
        wait_compiled(server.address, *paths)
    except ServerError as error:
        raise ServerError(f"{error}\n{server.log()[-4000:]}") from None


def wait_for_log(server: Server, text: str) -> None:
    """A line that the next requests bring about."""

    def said() -> bool:
        get(server.address, "/hello")
        return text in server.log()

    try:
        wait_for(text, said, timeout=30)
    except ServerError as error:
        raise ServerError(f"{error}\n{server.log()[-4000:]}") from None


@pytest.mark.parametrize("name", CONFINED)
def test_guests_notice_nothing(place: Path, name: str) -> None:
    """Modules are compiled, directories read and written, bodies spooled, values stored, files found by name."""
    with serve(name, site(place), place) as server:
        compiled(server, "/hello", "/files", "/echo", "/count", "/public/page.wat")
        answers = {
            "/hello": "hello",
            "/files?op=read&path=/data/known.txt": "<known>",
            "/files?op=create&path=/out/new": "create OK",
            "/files?op=rename&path=/out/new&to=/out/newer": "rename OK",
            "/files?op=unlink&path=/out/newer": "unlink OK",
            "/files?op=mkdir&path=/out/dir": "mkdir OK",
            "/files?op=rmdir&path=/out/dir": "rmdir OK",
            "/files?op=create&path=/data/new": "create ROFS",
            "/count": "x",
            "/public/page.wat": "hello",
        }
        for path, text in answers.items():
            answer = get(server.address, path)
            assert answer.status == 200, (path, server.log()[-3000:])
            assert text.lower() in answer.text.lower() or "create ROFS" in text, (path, answer.text)
        assert get(server.address, "/count").text == "xxx"  # once while it was waited for
        large = request(server.address, "POST", "/echo", body=b"x" * (3 << 20))
        assert large.status == 200, server.log()[-3000:]
        assert large.body.count(b"x") >= 3 << 20
        for pid in server.pids():
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found = status_lines(int(thread.name))
                assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
            assert int(found["CapBnd"], 16) & ~0b1111 == 0 or int(found["CapEff"], 16) == 0
        assert "Traceback" not in server.log()


@contextmanager
def hostile(place: Path, world: World, name: str, **environ: str) -> Iterator[Server]:
    """The site as a gateway around an application of an intruder."""
    environ = {
        **server_environ(name, place, None, None),
        "WSGI_WASM_CONFIG": str(site(place)),
        "ATTEMPTS": str(place / "app"),
        "WORLD": json.dumps(asdict(world)),
        **environ,
    }
    (place / "app").mkdir(exist_ok=True)
    shutil.copy(HERE / "attempts.py", place / "app")
    shutil.copy(APPS / "hostile.py", place / "app")
    if name == "mod_wsgi-daemon":
        script = (place / "app" / "hostile.py").read_text() + "\napplication.harden()\n"
        (place / "app" / "hostile.wsgi").write_text(script)
        text = (
            "WSGIDaemonProcess attacked display-name=%{GROUP} processes=1 threads=4 python-home=${WSGI_WASM_PYTHON}\n"
            'WSGIScriptAlias / "${SERVER_SCRIPTS}/hostile.wsgi" process-group=attacked application-group=%{GLOBAL}\n'
            '<Directory "${SERVER_SCRIPTS}">\n    Require all granted\n</Directory>\n'
        )
        apache = ApacheSite(text=text, scripts=place / "app", daemons=1, defines=fragment_defines())
        with Apache.start(apache, place, env=environ) as server:
            yield server
        return
    with start_gunicorn(
        "hostile:application",
        place,
        worker_class="sync" if name == "gunicorn-sync" else "gthread",
        threads=4,
        preload=name == "gunicorn-preload",
        config=GUNICORN_CONF,
        env=environ,
        pythonpath=[place / "app"],
        ready="/try/nothing",
    ) as gunicorn:
        yield gunicorn


# Here a world of the attempts lies where the site says.
UNUSUAL = {
    "connect_unix": {"EACCES"},  # for Apache's user
    "set_attribute_by_name": {"done", "EPERM", "EOPNOTSUPP", "EACCES"},
}


@pytest.mark.parametrize(
    ("name", "wrapped"), [*((name, "") for name in CONFINED), ("gunicorn-gthread", "1"), ("gunicorn-preload", "1")]
)
def test_what_an_intruder_can_do(place: Path, world: World, name: str, wrapped: str) -> None:
    """The whole table of attempts, in a worker of each server, also where the gateway is not the outermost layer."""
    world = at(place, world)
    with hostile(place, world, name, WRAPPED=wrapped) as server:
        wrong = {}
        for row in ROWS:
            found = get(server.address, f"/try/{row[0]}").text
            if row[4] != "?" and found not in row[4].split("|"):
                wrong[row[0]] = (row[4], found)
        assert not {one: what for one, what in wrong.items() if what[1] not in UNUSUAL.get(one, ())}, server.log()
        # Whoever tried all that is in a process that still serves.
        assert get(server.address, "/hello").status in (200, 503)


def at(place: Path, world: World) -> World:
    """The world, moved to where the servers' user can go: what is readable and writable is what a route grants."""
    for name in ("outside", "readable", "writable"):
        folder = place / "world" / name
        shutil.copytree(getattr(world, name), folder, symlinks=True)
        give_to_server(folder)
        for file in folder.iterdir():
            if not file.is_symlink():
                give_to_server(file)
    (place / "world" / "readable" / "link").unlink()
    (place / "world" / "readable" / "link").symlink_to(place / "world" / "outside" / "secret")
    route = routes_of(place)
    route["/files"]["dirs"]["/world"] = str(place / "world" / "readable")
    route["/files"]["dirs"]["/writable"] = {"path": str(place / "world" / "writable"), "writable": True}
    write(place, route)
    outside, readable, writable = (str(place / "world" / name) for name in ("outside", "readable", "writable"))
    return replace(world, outside=outside, readable=readable, writable=writable)


def test_threads_that_were_started_too_early(place: Path, world: World) -> None:
    """The walls would not hold for them: the server does not start, and says why."""
    with pytest.raises(ServerError) as caught, hostile(place, world, "gunicorn-gthread", EARLY_THREAD="1"):
        pass
    assert "already has 2 threads" in str(caught.value)


def test_a_server_without_hooks(place: Path) -> None:
    """Nobody shall take a process for confined that is not."""
    with serve("werkzeug", site(place), place) as server:
        assert get(server.address, "/hello").status == 500
        assert "`harden` is set, but this process was not confined" in server.log()


def test_embedded_mode(place: Path) -> None:
    with serve("mod_wsgi-embedded", site(place), place) as server:
        assert get(server.address, "/hello").status == 503
        server.wait_for_log("in embedded mode the process is Apache's own")


@pytest.mark.parametrize("name", ["gunicorn-gthread", "mod_wsgi-daemon"])
def test_a_reload_that_leads_outside(place: Path, name: str) -> None:
    """What lies within goes on working, also new; what lies outside is said, and works after a restart."""
    with serve(name, site(place), place, workers=1) as server:
        compiled(server, "/hello", "/files")
        routes = routes_of(place)
        shutil.copy(guest("hello"), place / "site" / "late.wat")
        routes["/late"] = {"module": "late.wat"}
        routes["/files"]["dirs"]["/elsewhere"] = "../elsewhere"
        write(place, routes)
        wait_for_log(server, f"{place}/site/../elsewhere is outside of what this process may still use (harden)")
        compiled(server, "/late")
        assert get(server.address, "/late").status == 200
        assert "<secret>" not in get(server.address, "/files?op=read&path=/elsewhere/secret").text
        assert get(server.address, "/hello").status == 200
        server.reload()
        compiled(server, "/files")
        assert "<secret>" in get(server.address, "/files?op=read&path=/elsewhere/secret").text


class Upstream(http.server.BaseHTTPRequestHandler):
    """What guests' requests reach."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"upstream")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("isolate", [False, True])
def test_requests_of_guests(place: Path, isolate: bool) -> None:
    """The host's part of them is in the worker."""
    shutil.copy(component("client"), place / "site" / "client.wasm")
    routes = routes_of(place)
    routes["/client"] = {"module": "client.wasm", "allowed_outbound_hosts": ["http://localhost:*"], "isolate": isolate}
    write(place, routes)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream:
        thread = threading.Thread(target=upstream.serve_forever)
        thread.start()
        try:
            with serve("gunicorn-gthread", site(place), place) as server:
                path = f"/client/get?http://localhost:{upstream.server_address[1]}/"
                compiled(server, path)
                assert "upstream" in get(server.address, path).text, server.log()[-3000:]
        finally:
            upstream.shutdown()
            thread.join()


def test_without_a_spawner(place: Path, world: World) -> None:
    """The worker goes on starting compilers, which stand within its own walls."""
    with hostile(place, world, "gunicorn-gthread", NO_SPAWNER="1") as server:
        compiled(server, "/hello")
        assert get(server.address, "/hello").status == 200
        assert get(server.address, "/try/make_process").text == "done"
        assert get(server.address, "/try/spawn_program").text == "EACCES"
        assert get(server.address, "/try/read_outside").text == "EACCES"


@pytest.mark.parametrize("name", ["gunicorn-gthread", "mod_wsgi-daemon"])
def test_isolated_routes(place: Path, name: str) -> None:
    """What starts processes for guests is there before the walls are."""
    routes = routes_of(place)
    routes["/files"]["isolate"] = True
    write(place, routes)
    with serve(name, site(place), place) as server:
        compiled(server, "/hello", "/files")
        # Another worker may still be compiling.
        wait_for("a file", lambda: "<known>" in get(server.address, "/files?op=read&path=/data/known.txt").text)
        wait_for("a new file", lambda: "create OK" in get(server.address, "/files?op=create&path=/out/made").text)
        assert all(status_lines(pid)["Seccomp"] == "2" for pid in server.pids())


def test_the_key_does_not_change_by_a_reload(place: Path) -> None:
    with serve("gunicorn-gthread", site(place), place, workers=1) as server:
        compiled(server, "/hello")
        write(place, routes_of(place), harden=False)
        wait_for_log(server, "a change of `harden` takes effect only after a restart")
        assert status_lines(server.pids()[0])["Seccomp"] == "2"


def test_dropped_in_files(place: Path) -> None:
    """Where they lie, only Apache's configuration knows, so `read` has to say it."""
    docroot = place / "htdocs"
    docroot.mkdir()
    shutil.copy(guest("hello"), docroot / "page.wat")
    for read, status in (([], 403), ([str(docroot)], 200)):
        write(place, {}, harden={"read": read})
        handler = '<FilesMatch "\\.wat$">\nSetHandler wsgi-wasm-guest\n</FilesMatch>'
        with serve_docroot(docroot, place, site=site(place), text=handler) as server:
            if status == 200:
                compiled(server, "/page.wat")
            assert get(server.address, "/page.wat").status == status, server.log()[-2000:]


def test_logs_that_are_rotated(place: Path) -> None:
    """A worker opens its log again when it is told to."""
    log = place / "log" / "error.log"
    log.parent.mkdir()
    with serve("gunicorn-gthread", site(place), place, options=("--error-logfile", str(log))) as server:
        compiled(server, "/hello")
        log.rename(log.with_name("error.log.1"))
        server.process.send(signal.SIGUSR1)
        wait_for("a new log", log.exists, timeout=30)
        before = server.pids()
        (place / "site" / "public" / "later.wat").write_text("(module)")
        assert get(server.address, "/public/later.wat").status == 503
        wait_for("the worker's lines in the new log", lambda: "later.wat" in log.read_text(), timeout=30)
        assert server.pids() == before
