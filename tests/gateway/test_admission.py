"""`concurrency` counts every guest of a route once, whatever it speaks and however its request has come."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from guests.build import component, guest
from servers.process import wait_for
from wsgi_wasm import Gateway, create_app
from wsgi_wasm.gateway.admission import Admission

ONE = {"concurrency": 1, "queue_timeout": "0s", "stream_request": True, "body_timeout": "60s"}

SPIN = """\
spin_manifest_version = 2
[application]
name = "two"
[[trigger.http]]
route = "/program"
component = "program"
executor = { type = "wagi" }
[[trigger.http]]
route = "/told"
component = "program"
executor = { type = "wagi", argv = "told" }
[[trigger.http]]
route = "/component"
component = "component"
[component.program]
source = "echo.wasm"
[component.component]
source = "http.wasm"
"""


class HeldBody(io.RawIOBase):
    """A request body that does not come before it is released. A guest that reads it runs all that time."""

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self.released = threading.Event()

    def read(self, size: int = -1) -> bytes:
        self.wanted.set()
        assert self.released.wait(60)
        return b""


Send = Callable[[dict[str, Any]], str]


def status_of(application: Callable[..., Any], environ: dict[str, Any]) -> str:
    """The status code of one request."""
    seen: list[str] = []

    def start_response(status: str, fields: list[tuple[str, str]]) -> Callable[[bytes], object]:
        seen.append(status[:3])
        return len

    b"".join(application(environ, start_response))
    return seen[0]


def answers(gateway: Gateway, path: str) -> bool:
    """Whether a path has something that can answer."""
    return status_of(gateway, environ(path)) < "500"


def environ(path: str, body: io.RawIOBase | io.BytesIO | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": body or io.BytesIO(),
    }
    return found if body is None else found | {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": "text/plain"}


@contextmanager
def held(application: Callable[..., Any], path: str) -> Iterator[None]:
    """While a guest at `path` waits for its body."""
    body = HeldBody()
    statuses: list[str] = []
    thread = threading.Thread(target=lambda: statuses.append(status_of(application, environ(path, body))))
    thread.start()
    try:
        assert body.wanted.wait(60), statuses
        yield
    finally:
        body.released.set()
        thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Gateway]:
    """A gateway for these routes; `programs` has one program and one component."""
    (tmp_path / "programs").mkdir()
    shutil.copyfile(guest("echo"), tmp_path / "programs" / "echo.wasm")
    shutil.copyfile(component("http"), tmp_path / "programs" / "http.wasm")
    shutil.copyfile(guest("echo"), tmp_path / "echo.wasm")
    shutil.copyfile(component("http"), tmp_path / "http.wasm")
    (tmp_path / "spin.toml").write_text(SPIN)

    def make(routes: dict[str, Any], **top: Any) -> Gateway:
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump({"routes": routes, "handler": ONE, **top}))
        return create_app(path)

    return make


# What one guest holds, and who else counts with it: routes, the path of the first, paths of the others.
TOGETHER = {
    "programs and components of a directory": (
        {"/d": {"directory": "programs", **ONE}},
        "/d/echo.wasm",
        ("/d/echo.wasm", "/d/http.wasm/echo"),
    ),
    "components and programs of a directory": (
        {"/d": {"directory": "programs", **ONE}},
        "/d/http.wasm/echo",
        ("/d/echo.wasm", "/d/http.wasm/echo"),
    ),
    "the components of an application": (
        {"/s": {"spin": "spin.toml", **ONE}},
        "/s/program",
        ("/s/program", "/s/told", "/s/component"),
    ),
    "an application's component that handles HTTP": (
        {"/s": {"spin": "spin.toml", **ONE}},
        "/s/component",
        ("/s/program", "/s/told"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("routes", "first", "others"), TOGETHER.values(), ids=TOGETHER)
def test_guests_of_a_route_count_together(
    site: Callable[..., Gateway], routes: dict[str, Any], first: str, others: tuple[str, ...]
) -> None:
    gateway = site(routes)
    for path in {first, *others}:
        wait_for(f"{path} to be compiled", partial(answers, gateway, path))
    with held(gateway, first):
        assert [status_of(gateway, environ(path)) for path in others] == ["503"] * len(others)
    assert all(status_of(gateway, environ(path)) < "500" for path in others)


def test_a_route_by_its_path_and_by_the_servers_choice(site: Callable[..., Gateway], tmp_path: Path) -> None:
    gateway = site({"/a": {"module": "echo.wasm", "selectable": True, **ONE}})
    script = tmp_path / "echo.wasm"

    def chosen(environ: dict[str, Any], start_response: Any) -> Any:
        return gateway.handle_script(environ, start_response, script, "/a")

    def dropped_in(environ: dict[str, Any], start_response: Any) -> Any:
        return gateway.handle_script(environ, start_response, script)

    for application in (gateway, chosen):
        with held(application, "/a"):
            assert status_of(gateway, environ("/a")) == "503"
            assert status_of(chosen, environ("/a")) == "503"
            assert status_of(dropped_in, environ("/a")) == "200", "`handler` counts by itself"
        assert status_of(gateway, environ("/a")) == "200"


@pytest.mark.parametrize(("now", "status"), [(1, "503"), (2, "200"), (None, "200")])
def test_a_reload_forgets_no_guest(
    site: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch, now: int | None, status: str
) -> None:
    monkeypatch.setattr("wsgi_wasm.app._RELOAD_EVERY", 0.0)
    gateway = site({"/a": {"module": "echo.wasm", **ONE}}, reload=True)
    assert status_of(gateway, environ("/a")) == "200"
    with held(gateway, "/a"):
        site({"/a": {"module": "echo.wasm", **ONE, "concurrency": now, "env": {"NEW": "1"}}}, reload=True)
        assert status_of(gateway, environ("/a")) == status
    assert status_of(gateway, environ("/a")) == "200"


def test_a_refusal_tells_how_long_it_waited(site: Callable[..., Gateway]) -> None:
    gateway = site({"/a": {"module": "echo.wasm", **ONE, "queue_timeout": "20ms"}})
    with held(gateway, "/a"):
        refused = environ("/a")
        assert status_of(gateway, refused) == "503"
    assert refused["wsgi_wasm.queue_us"] == 20_000


def test_other_routes_are_not_counted(site: Callable[..., Gateway]) -> None:
    gateway = site(
        {"/a": {"module": "echo.wasm", **ONE}, "/b": {"module": "echo.wasm", **ONE}},
        hosts={"b.example": {"routes": {"/a": {"module": "echo.wasm", **ONE}}}},
    )
    with held(gateway, "/a"):
        assert status_of(gateway, environ("/b")) == "200"
        assert status_of(gateway, environ("/a") | {"HTTP_HOST": "b.example"}) == "200"
        assert status_of(gateway, environ("/a")) == "503"


@pytest.mark.parametrize(("before", "running", "after"), [(3, 2, 1), (1, 1, 3), (3, 3, 1), (2, 0, 5)])
def test_a_changed_limit_holds_from_then_on(before: int, running: int, after: int) -> None:
    admission = Admission(before)

    def may() -> bool:
        try:
            admission.enter(0)
        except Exception:
            return False
        return True

    assert all(may() for _ in range(running))
    admission.allow(after)
    assert sum(may() for _ in range(10)) == max(0, after - running)
    for _ in range(max(running, after)):
        admission.leave()
    assert sum(may() for _ in range(10)) == after
