"""What all tests share: a cache of compiled modules, sites made from a few lines, and no silent skips."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

from guests.build import guest
from wsgi_wasm import Gateway, create_app
from wsgi_wasm.gateway.wsgi_server import WSGIApplication

PROJECT = Path(__file__).resolve().parents[1]

# For `benchmarks`, whose soak is tested. Last, so that it is the installed package that is tested where there is one.
sys.path.append(str(PROJECT))

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away or to become another user")

pytest_plugins = ["servers.fixtures", "hostapi.backends"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--isolated", action="store_true", help="run the guests of `make_app` in a process of their own (isolate)"
    )
    parser.addoption("--corpus", action="store_true", help="run what `make corpus` runs, and nothing else")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about guests in this very process, where they run in another, and what belongs to the tier
    that is not asked for."""
    corpus = bool(config.getoption("--corpus"))
    left_out = [item for item in items if bool(item.get_closest_marker("corpus")) != corpus]
    if config.getoption("--isolated"):
        left_out += [item for item in items if item.get_closest_marker("in_process")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_configure(config: pytest.Config) -> None:
    # One cache for the whole run and the next: compiling is not what most tests are about.
    os.environ.setdefault("WSGI_WASM_CACHE", str(PROJECT / "build" / "cache"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Under CI a test that should run and is skipped counts as a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("WSGI_WASM_NO_SKIPS") or session.exitstatus != pytest.ExitCode.OK:
        return
    if skipped := reporter.stats.get("skipped", []):
        reporter.write_line(f"{len(skipped)} skipped, and WSGI_WASM_NO_SKIPS is set: failing", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a test leaves in the environment would decide about a later one."""

    def now() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}

    before = now()
    yield
    if (after := now()) != before:
        os.environ.clear()
        os.environ.update(before)
        pytest.fail(f"left in the environment: {sorted(after.items() ^ before.items())}")


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps coverage out of the processes that a test starts, where it looks at their memory or time."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


SiteMaker = Callable[..., Client]


@pytest.fixture
def make_app(tmp_path: Path, pytestconfig: pytest.Config) -> Callable[..., Gateway]:
    """`make_app({"/x": {"module": "echo"}}, reload=True)`: a gateway; modules are test guests by name or paths."""

    def make(routes: dict[str, Any], app: WSGIApplication | None = None, **top: Any) -> Gateway:
        for route in routes.values():
            if "/" not in route.get("module", "/"):
                route["module"] = str(guest(route["module"]))
        if pytestconfig.getoption("--isolated"):
            top["defaults"] = {"isolate": "tests", **top.get("defaults", {})}
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump({"routes": routes, **top}), encoding="utf-8")
        return create_app(path, app)

    return make


@pytest.fixture
def make_client(make_app: Callable[..., Gateway]) -> SiteMaker:
    """The same behind werkzeug's test client."""

    def make(routes: dict[str, Any], **options: Any) -> Client:
        return Client(make_app(routes, **options))

    return make
