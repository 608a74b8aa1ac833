"""The log of host APIs: each line names the route, the program and the request that it is about."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from wsgi_wasm.engine.run import current


def about() -> str:
    """Whom this thread serves: route, program and request id, "" where no guest runs."""
    run = current.run
    return "" if run is None else run.client.label


class _OfRequest(logging.LoggerAdapter["logging.Logger"]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        label = about()
        return (f"{label.replace('%', '%%')} {msg}" if label else msg), kwargs


log = _OfRequest(logging.getLogger("wsgi_wasm.hostapi"))
"""For operators: failures whose details a guest is not told."""

guest_log = _OfRequest(logging.getLogger("wsgi_wasm.guest"))
"""For those who write guests: what was refused, and why."""
