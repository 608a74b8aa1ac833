"""The channel: one function by which a guest asks its host for what WASI does not have.

Programs import it as `wsgi_wasm_host_1.call`, components as `wsgi-wasm:host/channel@1.0.0`. What
can be asked for is offered by services: one module here for each, listed in `SERVICES`. The form of
requests and answers is in docs/channel.md.
"""

from __future__ import annotations

from wsgi_wasm.hostapi.channel import database, keys, processes, syslog, zones
from wsgi_wasm.hostapi.channel.dispatch import channel_of
from wsgi_wasm.hostapi.channel.service import AnyService

SERVICES: tuple[AnyService, ...] = (processes.SERVICE, syslog.SERVICE, keys.SERVICE, zones.SERVICE, database.SERVICE)

API = channel_of(SERVICES)
