"""Redis servers that a guest connects to itself: `fermyon:spin/redis`.

Interface: spinframework/spin, wit/deps/spin@2.0.0/redis.wit. An address that the route does not
allow is `invalid-address`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.hostcalls.interface import Function, HostError, Interface
from wsgi_wasm.hostapi.description import describe_servers
from wsgi_wasm.hostapi.granted_api import GrantedApi
from wsgi_wasm.hostapi.limits import MAX_CONNECTIONS, ResultSize, TooLarge
from wsgi_wasm.hostapi.resp import RespConnection, RespError, ServerError, Status
from wsgi_wasm.hostapi.servers import AllowedServers, NotAllowed


class Redis:
    """The API in one run. A connection is the guest's own, and goes with its handle or
    with the run."""

    def __init__(self, host: HostState, allowed: AllowedServers) -> None:
        self._host_state = host
        self._allowed = allowed

    @property
    def host_state(self) -> HostState:
        return self._host_state

    def open(self, address: str) -> RespConnection:
        try:
            url = urlsplit(address)
            connection = RespConnection.from_url(url)
            seconds = self._host_state.remaining()
            connection.go_to(self._allowed.addresses(url.hostname or "", url.port or 6379, seconds))
        except (ValueError, NotAllowed):
            raise HostError("invalid-address") from None
        except OSError as error:
            raise HostError("other", f"the address cannot be resolved: {error.strerror or error}") from None
        if self._host_state.count(CONNECTION) >= MAX_CONNECTIONS:
            raise HostError("too-many-connections")
        connection.serve(self._host_state)
        with _errors():
            connection.connect()
        return connection


@contextmanager
def _errors() -> Any:
    """What the connection raises, as the interface's own error."""
    try:
        yield
    except ServerError as error:
        if str(error).startswith("WRONGTYPE"):
            raise HostError("type-error") from None
        raise HostError("other", str(error)) from None
    except (RespError, TooLarge, UnicodeError) as error:
        raise HostError("other", str(error)) from None


def _command(name: str, convert: Callable[[Any, Redis], Any], *, many: bool = False) -> Callable[..., Any]:
    """A function that is one command; with `many` its last parameter is a list of arguments."""

    def run(api: Redis, connection: RespConnection, *arguments: Any) -> Any:
        if many:
            arguments = (*arguments[:-1], *arguments[-1])
        with _errors():
            return convert(connection.call(name, *arguments), api)

    return run


def _nothing(_answer: Any, _api: Redis) -> None:
    return None


def _number(answer: Any, _api: Redis) -> int:
    return int(answer)


def _bounded(answer: bytes | None, _api: Redis) -> bytes | None:
    ResultSize().add(answer)
    return answer


def _texts(answer: list[bytes], api: Redis) -> list[str]:
    cost, texts = ResultSize(api.host_state), []
    for item in answer:
        texts.append(item.decode())
        cost.add(texts[-1])
    return texts


def _execute(api: Redis, connection: RespConnection, command: str, arguments: list[tuple[str, Any]]) -> list[Any]:
    with _errors():
        results: list[tuple[str, Any]] = []
        _append(connection.call(command, *(value for _, value in arguments)), results, ResultSize(api.host_state))
        return results


def _append(answer: Any, results: list[tuple[str, Any]], cost: ResultSize) -> None:
    """Arrays are laid out flat, as Spin has them."""
    if isinstance(answer, list):
        for item in answer:
            _append(item, results, cost)
        return
    if isinstance(answer, ServerError):
        raise answer
    cost.add(answer)
    if answer is None:
        results.append(("nil", None))
    elif isinstance(answer, Status):
        results.append(("status", answer))
    else:
        results.append(("int64" if isinstance(answer, int) else "binary", answer))


# --- the interface --------------------------------------------------------------------------------

CONNECTION = wit.Resource("connection")

_ERROR = wit.variant({"invalid-address": None, "too-many-connections": None, "type-error": None, "other": wit.STRING})
_PARAMETER = wit.variant({"int64": wit.S64, "binary": wit.BYTES})
_RESULT = wit.variant({"nil": None, "status": wit.STRING, "int64": wit.S64, "binary": wit.BYTES})
_STRINGS = wit.ListType(wit.STRING)


def _method(call: Callable[..., Any], ok: wit.Type | None, *parameters: wit.Type) -> Function[Redis]:
    return Function((wit.Borrow(CONNECTION), *parameters), wit.ResultOf(ok, _ERROR), call)


SPIN = Interface[Redis](
    "fermyon:spin/redis@2.0.0",
    {
        "[static]connection.open": Function((wit.STRING,), wit.ResultOf(wit.Own(CONNECTION), _ERROR), Redis.open),
        "[method]connection.publish": _method(_command("PUBLISH", _nothing), None, wit.STRING, wit.BYTES),
        "[method]connection.get": _method(_command("GET", _bounded), wit.OptionOf(wit.BYTES), wit.STRING),
        "[method]connection.set": _method(_command("SET", _nothing), None, wit.STRING, wit.BYTES),
        "[method]connection.incr": _method(_command("INCR", _number), wit.S64, wit.STRING),
        "[method]connection.del": _method(_command("DEL", _number, many=True), wit.U32, _STRINGS),
        "[method]connection.sadd": _method(_command("SADD", _number, many=True), wit.U32, wit.STRING, _STRINGS),
        "[method]connection.smembers": _method(_command("SMEMBERS", _texts), _STRINGS, wit.STRING),
        "[method]connection.srem": _method(_command("SREM", _number, many=True), wit.U32, wit.STRING, _STRINGS),
        "[method]connection.execute": _method(_execute, wit.ListType(_RESULT), wit.STRING, wit.ListType(_PARAMETER)),
    },
    (CONNECTION,),
)

API = GrantedApi(
    name="redis",
    interfaces=(SPIN,),
    begin=Redis,
    bind=lambda grants: AllowedServers(grants.redis, "redis", grants.of_manifest),
    describe=lambda grants: describe_servers(grants.redis),
)
