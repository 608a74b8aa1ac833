"""The channel's interface, and how a program of preview 1 calls it: such a program has no
component's linker, so the one function is called here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from wsgi_wasm.engine.hostcalls.host_api import AnyApi, Bindings, HostState
from wsgi_wasm.engine.hostcalls.interface import HostError
from wsgi_wasm.engine.run import Run, current

INTERFACE = "wsgi-wasm:host/channel@1.0.0"
"""`call: func(operation: u32, request: list<u8>) -> result<list<u8>, u32>`."""

Call: TypeAlias = Callable[[int, bytes], tuple[int, bytes]]
"""Takes an operation's number and a request; gives an errno (0 for success) and the answer."""

OpenCall: TypeAlias = Callable[[Run], Call]

NO_SYSTEM_CALL = 52  # ENOSYS of preview 1


def opener(apis: Sequence[AnyApi], bindings: Bindings) -> OpenCall:
    """What makes the channel of a run of a program, at its first call. The run's `host_state` is
    made then too."""
    found = next(
        ((api, one.functions["call"].call) for api in apis for one in api.interfaces if one.name == INTERFACE), None
    )
    if found is None:
        return lambda _run: lambda _operation, _request: (NO_SYSTEM_CALL, b"")
    api, function = found

    def opened(run: Run) -> Call:
        host = run.host_state = HostState(bindings, run)

        def call(operation: int, request: bytes) -> tuple[int, bytes]:
            # The run of a component is this thread's only where that is what runs; functions of
            # the host look here.
            outer, current.run = current.run, run
            try:
                answer: bytes = function(host.of(api), operation, request)
            except HostError as error:
                return int(error.value), b""
            finally:
                current.run = outer
            return 0, answer

        return call

    return opened
