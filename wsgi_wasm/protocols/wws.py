"""Workers of Wasm Workers Server: a request as JSON on standard input, the answer as JSON
on standard output.

A namespace of keys and values travels whole in both directions. What the answer changes of what the
request had is written, and nothing else, so that requests at the same time lose nothing to each
other unless they write the same key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from wsgi_wasm.cgi.fields import RequestFields
from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.config.model import Route
from wsgi_wasm.engine.guest import Input
from wsgi_wasm.engine.modules import RouteModules
from wsgi_wasm.errors import RequestError
from wsgi_wasm.gateway.body import Body
from wsgi_wasm.gateway.program import GuestCall, GuestProtocol, ProgramFinder, ProgramMatch
from wsgi_wasm.gateway.programs import Programs
from wsgi_wasm.gateway.request import Request
from wsgi_wasm.hostapi.keyvalue import stores
from wsgi_wasm.hostapi.keyvalue_store import Store, connect
from wsgi_wasm.messages import quote
from wsgi_wasm.wws.answer import MAX_NAMESPACE, MAX_PAIRS, read_answer
from wsgi_wasm.wws.request import request_stream
from wsgi_wasm.wws.workers import Workers

Pairs = Mapping[str, str]


class Namespaces:
    """The stores of keys and values that a route grants to its workers, by the
    names of their namespaces."""

    def __init__(self, route: Route) -> None:
        self._stores = stores(route.grants.key_value)

    @contextmanager
    def _store(self, namespace: str) -> Iterator[Store]:
        """A connection to a namespace that the route grants. Raises RequestError for whatever goes
        wrong with it."""
        granted, pool = self._stores[namespace]
        store: Store | None = None
        try:
            store = pool.take(lambda: connect(granted))
            yield store
        except RequestError:
            raise
        except Exception as error:
            raise RequestError(f"key-value store {namespace!r}: {type(error).__name__}: {error}") from error
        finally:
            if store is not None:
                pool.give_back(store, store.usable)

    def read(self, namespace: str) -> Pairs:
        """All of a namespace. Raises RequestError, also where it holds more than a worker
        can be given."""
        if namespace not in self._stores:
            return {}
        pairs: dict[str, str] = {}
        size = 0
        with self._store(namespace) as store:
            # Components may have filled the store with any number of them.
            for key, value in store.pairs():
                pairs[key] = value.decode("utf-8", "replace")
                size += len(key.encode()) + len(value)
                if len(pairs) > MAX_PAIRS:
                    raise RequestError(f"the namespace {namespace!r} has more than {MAX_PAIRS} keys")
                if size > MAX_NAMESPACE:
                    raise RequestError(f"the namespace {namespace!r} is larger than {MAX_NAMESPACE >> 20} MiB")
        return pairs

    def write(self, namespace: str, before: Pairs, after: Pairs) -> bool:
        """Store what a worker has changed; False if the route grants no such namespace.

        Raises RequestError.
        """
        changed = [(key, value.encode()) for key, value in after.items() if before.get(key) != value]
        gone = [key for key in before if key not in after]
        if not changed and not gone:
            return True
        if namespace not in self._stores:
            return False
        with self._store(namespace) as store:
            store.change(changed, gone)
        return True


class Wws:
    """As `GuestProtocol`, for a worker whose keys and values are those of `namespace`."""

    streams = False

    def __init__(self, route: Route, fields: RequestFields, namespaces: Namespaces, namespace: str) -> None:
        self._fields = fields
        self._namespaces = namespaces
        self._namespace = namespace
        self._new_head = partial(HeadParser, route.limits.max_head, frozenset(route.response_fields))

    def call(self, request: Request, found: ProgramMatch, body: Body | None) -> GuestCall:
        """As `GuestProtocol.call`. Raises RequestError where the namespace cannot be read."""
        (method, target, scheme, authority, *fields), environment = self._fields.of_request(
            request.environ,
            script_name=found.script_name,
            path_info=found.path_info,
            content_length=None if body is None else body.length,
            streamed_body=False,
            host_is_field=True,
        )
        pairs = self._namespaces.read(self._namespace)
        stdin = request_stream(
            url=f"{scheme.decode()}://{authority.decode()}{target.decode()}",
            method=method.decode("latin-1"),
            headers=[(name.decode(), value.decode()) for name, value in zip(fields[::2], fields[1::2], strict=True)],
            body=b"" if body is None else _read_all(body.stream),
            kv=pairs,
            params=found.parameters,
        )

        def keep(after: Pairs) -> None:
            if not self._namespaces.write(self._namespace, pairs, after):
                text = f"the kv of {quote(self._namespace)} is not stored: grant it in `key_value`"
                request.exchange.remark(logging.WARNING, text)

        head = AnswerReader(self._new_head, keep)
        return found.program.arguments, environment, stdin, head


def worker_finder(
    route: Route, modules: RouteModules, fields: Callable[[Mapping[str, str]], RequestFields]
) -> ProgramFinder:
    """What finds the workers of a route."""
    namespaces = Namespaces(route)

    def protocols(env: Mapping[str, str], namespace: str) -> Mapping[str, GuestProtocol]:
        return {"cgi": Wws(route, fields(env), namespaces, namespace)}

    programs = Programs(route, modules, lambda route: lambda env, wrap: {})
    return Workers(route, modules, programs, protocols)


class AnswerReader:
    """Gathers a worker's output, and makes of it a head and a body at its end. `keep` is given
    its key-value pairs."""

    must_say_status = True

    def __init__(self, new_parser: Callable[[], HeadParser], keep: Callable[[Pairs], None]) -> None:
        self.body = b""
        self._new_parser = new_parser
        self._keep = keep
        self._output = bytearray()  # not a list: a worker may write byte by byte

    def feed(self, data: bytes) -> None:
        """As `HeadReader.feed`; a head comes at the end alone."""
        self._output += data

    def finish(self) -> Head | None:
        """As `HeadReader.finish`. Raises RequestError where the pairs cannot be kept."""
        answer = read_answer(self._output)
        self._output.clear()
        head = self._new_parser().feed(answer.head())
        self._keep(answer.kv)
        self.body = answer.body
        return head


def _read_all(stream: Input) -> bytes:
    pieces = []
    while piece := stream.read(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)
