"""What the tests of the channel share."""

from __future__ import annotations

import pytest

from wsgi_wasm.hostapi.channel import dispatch, processes
from wsgi_wasm.hostapi.mail import program
from wsgi_wasm.logs import Seldom, package_log


@pytest.fixture(autouse=True)
def hints_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hint is logged once a minute, and so by one test alone."""
    for module, name in ((dispatch, "_hints"), (processes, "log"), (program, "_hints")):
        monkeypatch.setattr(module, name, Seldom(package_log("guest"), most=200))
