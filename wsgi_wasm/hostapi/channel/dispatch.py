"""One run's end of the channel: the operation's number leads to the service that has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.channel import INTERFACE
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, Interface
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.channel.service import BLOCK, AnyService
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.log import about
from wsgi_wasm.logs import Seldom, package_log

log = package_log("hostapi")
_hints = Seldom(package_log("guest"), most=200)

MAX_REQUEST = 1 << 20  # bytes, of an answer too
OFFERED = 1  # the operation that names what the route grants


class _Offered(NamedTuple):
    service: AnyService
    call: Callable[[Any, bytes], bytes]


class Bound(NamedTuple):
    """What a route grants by the channel: operations by their number, and what each service is
    bound to, None where nothing is granted; the names of what is, as texts."""

    operations: Mapping[int, _Offered]
    bindings: Mapping[AnyService, Any]
    offered: bytes


class ChannelRun:
    """The API in one run."""

    def __init__(self, host: HostState, bound: Bound) -> None:
        self._host_state = host
        self._bound = bound
        self._states: dict[AnyService, Any] = {}

    def call(self, operation: int, request: bytes) -> bytes:
        """The answer of a service. Raises Declined; Stop where the run must end."""
        self._host_state.look()
        if len(request) > MAX_REQUEST:
            raise Declined(Errno.MSGSIZE)
        if operation == OFFERED:
            return self._bound.offered
        offered = self._bound.operations.get(operation)
        if offered is None:
            raise Declined(Errno.NOSYS)
        answer = offered.call(self._state(offered.service), request)
        if len(answer) > MAX_REQUEST:
            raise Declined(Errno.MSGSIZE)
        return answer

    def _state(self, service: AnyService) -> Any:
        state = self._states.get(service)
        if state is None:
            binding = self._bound.bindings[service]
            if binding is None:
                _say_not_granted(service.name)
                raise Declined(service.missing)
            state = self._states[service] = service.begin(self._host_state, binding)
        return state

    def close(self) -> None:
        """The guest has ended: so has what services do for it."""
        for state in self._states.values():
            close = getattr(state, "close", None)
            if close is not None:
                try:
                    close()
                except Exception:  # the others must be closed all the same
                    log.exception("closing %s", type(state).__name__)
        self._states.clear()


def _say_not_granted(name: str) -> None:
    whom = about()
    program = whom.rpartition(" [")[0]  # without the request's id
    _hints.warning((program, name), f"{whom} asks for what this route does not grant; the key for it is `{name}`")


def channel_of(services: Sequence[AnyService]) -> GrantedApi[Bound, ChannelRun]:
    """The API that offers these services."""
    operations = {
        one.number * BLOCK + number: _Offered(one, call) for one in services for number, call in one.operations.items()
    }

    def bind(grants: Grants) -> Bound:
        bindings = {one: one.bind(grants) for one in services}
        names = [
            name
            for one in services
            for name in (one.offers(grants) if one.offers is not None else [one.name] * (bindings[one] is not None))
        ]
        return Bound(operations, bindings, "".join(f"{name}\0" for name in names).encode())

    def describe(grants: Grants) -> dict[str, str]:
        return {
            f"{one.name} {label}".rstrip(): where for one in services for label, where in one.describe(grants).items()
        }

    return GrantedApi(
        name="channel",
        interfaces=(
            Interface[ChannelRun](
                INTERFACE, {"call": Function((wit.U32, wit.BYTES), wit.ResultOf(wit.BYTES, wit.U32), ChannelRun.call)}
            ),
        ),
        begin=ChannelRun,
        bind=bind,
        describe=describe,
        warn=lambda grants: (warning for one in services for warning in one.warn(grants)),
    )
