"""The log of host APIs: each line names the route, the program and the request that it is about."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from wsgi_wasm.engine.run import current
from wsgi_wasm.logs import package_log


def about() -> str:
    """Whom this thread serves: route, program and request id, "" where no guest runs."""
    run = current.run
    return "" if run is None else run.client.label


class _OfRequest(logging.LoggerAdapter["logging.Logger"]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        label = about()
        return (f"{label.replace('%', '%%')} {msg}" if label else msg), kwargs


log = _OfRequest(package_log("hostapi"))
"""For operators: failures whose details a guest is not told."""

guest_log = _OfRequest(package_log("guest"))
"""For those who write guests: what was refused, and why."""
