"""Workers of Wasm Workers Server: a request as JSON on standard input, the answer as JSON on standard output.

A namespace of keys and values travels whole in both directions. What the answer changes of what the request had is
written, and nothing else, so that requests at the same time lose nothing to each other unless they write the same key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.cgi.message import Head
from wsgi_wasm.config.model import KeyValueStore, Route
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.errors import RequestError
from wsgi_wasm.gateway.answer import Answer
from wsgi_wasm.gateway.body import read_body
from wsgi_wasm.gateway.error_log import ErrorLog
from wsgi_wasm.gateway.request import LocalRedirect, Request
from wsgi_wasm.gateway.wsgi_server import Connection
from wsgi_wasm.hostapi.keyvalue_store import Store, connect
from wsgi_wasm.hostapi.pool import Pool
from wsgi_wasm.protocols.http import HttpHandler
from wsgi_wasm.wws.answer import MAX_NAMESPACE, MAX_PAIRS, read_answer
from wsgi_wasm.wws.request import request_stream
from wsgi_wasm.wws.workers import Call, Workers

log = logging.getLogger("wsgi_wasm.gateway")

Pairs = Mapping[str, str]


class WwsHandler(HttpHandler):
    """Serves a route whose guests are workers."""

    interface = "cgi"
    host_is_field = True

    def __init__(self, route: Route, modules: ModuleStore) -> None:
        super().__init__(route, modules)
        self._workers = Workers(route, modules, self._programs, self._environment)
        self._allowed = frozenset(name.lower() for name in route.response_fields)
        self._namespaces: dict[str, tuple[KeyValueStore, Pool[Store]]] = {
            label: (store, Pool()) for label, store in route.grants.key_value.items()
        }

    def serve(self, request: Request) -> Iterable[bytes] | LocalRedirect:
        """As `GuestHandler.serve`."""
        return self._call(request, self._workers.find(request))

    def serve_file(self, request: Request, file: Path) -> Iterable[bytes] | LocalRedirect:
        """As `GuestHandler.serve_file`."""
        return self._call(request, self._workers.dropped_in(request, file))

    def _call(self, request: Request, call: Call) -> Iterable[bytes] | LocalRedirect:
        limits = self._limits
        program = call.invocation.program
        guest = program.guest(limits.queue_timeout)
        self._check(guest, program)
        body = read_body(request.environ, limits.max_body, limits.body_timeout, False)
        data = b""
        if body is not None:
            data = _read_all(body.stream)
            body.close()
        length = len(data) if body is not None else None
        (method, target, scheme, authority, *fields), own = self._told(request, call.invocation, length, False)
        pairs = self._read_pairs(call.namespace)
        stdin = request_stream(
            url=f"{scheme.decode()}://{authority.decode()}{target.decode()}",
            method=method.decode("latin-1"),
            headers=[(name.decode(), value.decode()) for name, value in zip(fields[::2], fields[1::2], strict=True)],
            body=data,
            kv=pairs,
            params=call.params,
        )
        reader = AnswerReader(
            lambda: HeadParser(limits.max_head, self._allowed), lambda kv: self._write_pairs(call.namespace, pairs, kv)
        )
        errors = ErrorLog(self.route.name, request.identity, limits.max_stderr)
        answer = Answer(request, reader, Connection(request.environ), limits.send_timeout, errors)
        try:
            outcome = self._admitted(guest, program.arguments, own, stdin, answer, request.spent)
        finally:
            errors.close()
        return self._finish(request, outcome, answer)

    # --- keys and values ---

    @contextmanager
    def _store(self, namespace: str | None) -> Iterator[Store]:
        """A connection to a namespace that the route grants. Raises RequestError for whatever goes wrong with it."""
        granted, pool = self._namespaces[namespace or ""]
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

    def _read_pairs(self, namespace: str | None) -> Pairs:
        if namespace not in self._namespaces:
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

    def _write_pairs(self, namespace: str | None, before: Pairs, after: Pairs) -> None:
        changed = [(key, value.encode()) for key, value in after.items() if before.get(key) != value]
        gone = [key for key in before if key not in after]
        if not changed and not gone:
            return
        if namespace not in self._namespaces:
            log.warning("%s: kv of %r is not kept: name it in `key_value`", self.route.name, namespace)
            return
        with self._store(namespace) as store:
            store.change(changed, gone)


class AnswerReader:
    """Gathers a worker's output, and makes of it a head and a body at its end. `keep` is given its key-value pairs."""

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


def _read_all(stream: object) -> bytes:
    pieces = []
    while piece := stream.read(1 << 16):  # type: ignore[attr-defined]
        pieces.append(piece)
    return b"".join(pieces)
