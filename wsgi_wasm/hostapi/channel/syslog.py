"""syslog(3) for guests: to the log, where standard error goes too, and within the same limit."""

from __future__ import annotations

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.run import current
from wsgi_wasm.hostapi.channel.service import Service, Words

# RFC 5424 6.2.1
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_MOST = 8192  # bytes of one message


class SystemLog:
    """The service in one run."""

    def __init__(self, host: HostState, _granted: bool) -> None:
        self._host_state = host

    def write(self, request: bytes) -> bytes:
        """A priority (facility and severity, as syslog(3) has it), and the message with what
        openlog() has named before it."""
        fields = Words(request)
        severity = _PRIORITIES[fields.number() & 7]
        text = fields.rest()[:_MOST]
        run = current.run
        if run is not None and run.client.errors_left > 0:
            line = f"syslog {severity}: ".encode() + text.rstrip(b"\n").replace(b"\n", b" ") + b"\n"
            run.client.error_output(line[: run.client.errors_left])
            self._host_state.look()
        return b""


def _bind(_grants: Grants) -> bool:
    # It gives a guest no more than its standard error does.
    return True


SERVICE = Service(name="syslog", number=5, operations={0: SystemLog.write}, bind=_bind, begin=SystemLog)
