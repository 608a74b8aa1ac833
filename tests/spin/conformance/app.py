"""Restates what Spin's conformance tests ask of a host, each below a path of its own.

A test that passes answers 200 without a body; one that fails, 500 with the reason, as theirs do. `/seen` answers with
what the component sees.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spin_sdk import key_value, llm, mqtt, redis, sqlite, variables
from spin_sdk.http import IncomingHandler as Handler
from spin_sdk.http import Request, Response, send
from spin_sdk.wit.imports import key_value as kv_errors
from spin_sdk.wit.imports import redis as redis_values
from spin_sdk.wit.imports import sqlite as sqlite_errors
from spin_sdk.wit.imports import types as http
from spin_sdk.wit.types import Err


def error_of(function: Callable[..., Any], *arguments: Any) -> Any:
    """The error that a call answers with, None where it answers well."""
    try:
        function(*arguments)
    except Err as error:
        return error.value
    return None


def equal(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def key_value_store() -> None:
    equal(error_of(key_value.open, "forbidden"), kv_errors.Error_AccessDenied(), "open of a label that is not granted")
    with key_value.open_default() as store:
        for key in list(store.get_keys()):
            store.delete(key)
        store.delete("bar")
        equal(store.exists("bar"), False, "exists before set")
        equal(store.get("bar"), None, "get before set")
        equal(list(store.get_keys()), [], "keys of an empty store")
        store.set("bar", b"baz")
        equal(store.exists("bar"), True, "exists after set")
        equal(store.get("bar"), b"baz", "get after set")
        store.set("bar", b"wow")
        equal(store.get("bar"), b"wow", "get after overwriting")
        store.set("qux", bytes(range(256)))
        equal(store.get("qux"), bytes(range(256)), "every byte")
        equal(sorted(store.get_keys()), ["bar", "qux"], "keys")
        store.delete("bar")
        store.delete("bar")
        equal(store.exists("bar"), False, "exists after delete")
        equal(list(store.get_keys()), ["qux"], "keys after delete")
        store.delete("qux")


def key_value_denied() -> None:
    with key_value.open_default():
        pass


def database() -> None:
    equal(error_of(sqlite.open, "forbidden"), sqlite_errors.Error_AccessDenied(), "open of a database not granted")
    with sqlite.open_default() as connection:
        connection.execute("DROP TABLE IF EXISTS test_data", [])
        connection.execute("CREATE TABLE test_data (key TEXT NOT NULL, value TEXT NOT NULL)", [])
        insert = "INSERT INTO test_data (key, value) VALUES (?, ?)"
        for key, value in (("my_key", "my_value"), ("my_key2", "my_value2")):
            connection.execute(insert, [sqlite.Value_Text(key), sqlite.Value_Text(value)])
        result = connection.execute("SELECT key, value FROM test_data WHERE key = ?", [sqlite.Value_Text("my_key")])
        equal(list(result.columns), ["key", "value"], "columns")
        equal([[cell.value for cell in row.values] for row in result.rows], [["my_key", "my_value"]], "rows")
        kinds = connection.execute("SELECT 1, 1.5, 'a', x'00ff', NULL", []).rows[0].values
        names = [type(kind).__name__.removeprefix("Value_") for kind in kinds]
        equal(names, ["Integer", "Real", "Text", "Blob", "Null"], "kinds of values")
        equal(type(error_of(connection.execute, "SELEC", [])).__name__, "Error_Io", "an error of SQL")


def database_denied() -> None:
    with sqlite.open_default():
        pass


def variable() -> None:
    equal(variables.get("variable"), "value", "a variable")
    equal(variables.get("templated"), "<value>", "a template")
    equal(type(error_of(variables.get, "non_existent")).__name__, "Error_Undefined", "one that there is not")
    for name in ("invalid-name", "invalid!name", "4invalidname"):
        equal(type(error_of(variables.get, name)).__name__, "Error_InvalidName", name)


def outbound_redis() -> None:
    with redis.open(variables.get("redis_address")) as connection:
        connection.set("spin-example-get-set", b"Eureka!")
        equal(connection.get("spin-example-get-set"), b"Eureka!", "get after set")
        connection.set("spin-example-incr", b"0")
        equal(connection.incr("spin-example-incr"), 1, "incr")
        equal(connection.sadd("spin-example-set", ["one", "two", "three"]), 3, "sadd")
        equal(sorted(connection.smembers("spin-example-set")), ["one", "three", "two"], "smembers")
        equal(connection.srem("spin-example-set", ["one", "three"]), 2, "srem")
        equal(connection.del_(["spin-example-set", "spin-example-incr"]), 2, "del")
        message = redis_values.RedisParameter_Binary(b"Eureka!")
        key = redis_values.RedisParameter_Binary(b"spin-example")
        equal(connection.execute("set", [key, message]), [redis_values.RedisResult_Status("OK")], "execute set")
        equal(connection.execute("get", [key]), [redis_values.RedisResult_Binary(b"Eureka!")], "execute get")


def outbound() -> None:
    answer = send(Request("POST", variables.get("echo"), {"x-test": "1"}, b"Hello, world!"))
    equal(answer.status, 200, "status")
    equal(answer.headers["x-from"], "the echo service", "a field of the answer")
    equal(answer.body, b"Hello, world!", "body")


def not_offered() -> None:
    """What the SDK's world has, used or not, and the host has not: each answers its own error."""
    refused = {
        "llm": error_of(llm.infer, "llama2-chat", "Hello"),
        "llm embeddings": error_of(llm.generate_embeddings, "all-minilm-l6-v2", ["Hello"]),
        "mqtt": error_of(mqtt.open, "mqtt://127.0.0.1:1883", "user", "password", 30),
    }
    equal(
        {name: type(error).__name__ for name, error in refused.items()},
        {
            "llm": "Error_RuntimeError",
            "llm embeddings": "Error_RuntimeError",
            "mqtt": "Error_ConnectionFailed",
        },
        "errors",
    )
    for name, error in refused.items():
        equal(error.value.endswith("is not supported"), True, f"{name}: {error.value}")


CHECKS = {
    "/not-offered": not_offered,
    "/key-value": key_value_store,
    "/key-value-denied": key_value_denied,
    "/sqlite": database,
    "/sqlite-denied": database_denied,
    "/variables": variable,
    "/outbound": outbound,
    "/outbound-denied": outbound,
    "/redis": outbound_redis,
    "/redis-denied": outbound_redis,
}


class IncomingHandler(Handler):
    """Keeps what the SDK leaves out of its own request: scheme, authority, and fields that occur twice."""

    def handle(self, request: http.IncomingRequest, response_out: http.ResponseOutparam) -> None:
        self.scheme, self.authority = request.scheme(), request.authority()
        with request.headers() as fields:
            self.fields = [(name, bytes(value).decode()) for name, value in fields.entries()]
        super().handle(request, response_out)

    def handle_request(self, request: Request) -> Response:
        if request.uri.startswith("/seen"):
            return self.seen(request)
        check = CHECKS.get(request.uri.partition("?")[0])
        try:
            if request.uri.startswith("/chain/"):
                host, _, path = request.uri.removeprefix("/chain/").partition("/")
                return send(Request(request.method, f"http://{host}/{path}", {"x-test": "1"}, request.body))
            if request.uri.startswith("/own/"):
                path = request.uri if "?forever" in request.uri else request.uri.removeprefix("/own")
                return send(Request(request.method, path, {"x-test": "1"}, request.body))
            if check is None:
                self.shape(request)
            else:
                check()
        except Err as error:
            return Response(500, {}, f"Error::{type(error.value).__name__.removeprefix('Error_')}".encode())
        except AssertionError as error:
            return Response(500, {}, str(error).encode())
        return Response(200, {}, b"")

    def seen(self, request: Request) -> Response:
        """Everything of the request, the environment, and the files."""
        files = {str(path): path.read_text() for path in sorted(Path("/").rglob("*.txt"))}
        seen = {
            "method": request.method,
            "uri": request.uri,
            "authority": self.authority,
            "fields": self.fields,
            "environment": dict(os.environ),
            "body": (request.body or b"").decode(),
            "files": files,
        }
        return Response(200, {"content-type": "application/json"}, json.dumps(seen).encode())

    def shape(self, request: Request) -> None:
        """Of a request to /base/path/end/rest?key=value."""
        equal(request.method, "GET", "method")
        equal(type(self.scheme).__name__ in ("Scheme_Http", "Scheme_Https"), True, "scheme")
        host = next(value for name, value in self.fields if name == "x-expected-host")
        equal(self.authority, host, "authority")
        equal(request.uri, "/base/path/end/rest?key=value", "path and query")
        told = sorted((name, value) for name, value in self.fields if name.startswith("spin-"))
        client = [value for name, value in told if name == "spin-client-addr"]
        equal(len(client), 1, "spin-client-addr")
        address, _, port = client[0].rpartition(":")
        equal((address.count("."), port.isdigit()), (3, True), "spin-client-addr")
        base = next(value for name, value in self.fields if name == "x-expected-base")
        mount = base.removesuffix("/")
        equal(
            [pair for pair in told if pair[0] != "spin-client-addr"],
            sorted(
                {
                    "spin-path-info": "/rest",
                    "spin-full-url": f"http://{host}{mount}/base/path/end/rest?key=value",
                    "spin-matched-route": f"{mount}/base/:path_segment/:path_end/...",
                    "spin-base-path": base,
                    "spin-raw-component-route": "/base/:path_segment/:path_end/...",
                    "spin-component-route": "/base/:path_segment/:path_end",
                    "spin-path-match-path-segment": "path",
                    "spin-path-match-path-end": "end",
                }.items()
            ),
            "headers",
        )
        equal([name for name, _ in self.fields].count("user-agent"), 1, "user-agent")
