"""Wraps a guest so that it is a program: a component that exports `wasi:cli/run` and speaks CGI.

    the world          what the host has of WASI, imported whole (world.wat)
    the adapter        made of the world: `wasi:http/types` and what is between guest and host
                       (adapter.wat)
    the guest          its imports supplied by adapter and world, the others imported under
                       their own names
    the driver         hands the request to the guest's handler (driver.wat)

A guest that is a program already (`wasi:cli/run`) gets its polls sliced (wait.wat) and nothing
else. An instance supplies an import of any version from 0.2.0 on: what is asked for is contained in
what is there, which Wasmtime checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wsgi_wasm.binary.outline import Outline, copy_imports
from wsgi_wasm.binary.reader import FUNC_SORT, INSTANCE_SORT, TYPE_SORT
from wsgi_wasm.binary.versions import parse
from wsgi_wasm.binary.writer import Item, Writer, plain_name
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.messages import escaped

RUN = "wasi:cli/run@0.2.0"

# (instance (type (result)) (type (func (result 0))) (export "run" (func (type 1))))
_RUN_TYPE = b"".join((b"\x42\x03", b"\x01\x6a\0\0", b"\x01\x40\0\0\0", b"\x04", plain_name("run"), b"\x01\x01"))

OUTGOING = "wasi:http/outgoing-handler"
STREAMS = "wasi:io/streams"
BLOCKING_READ = "[method]input-stream.blocking-read"

# What the adapter stands for: its exports are those of all these interfaces.
_BY_ADAPTER = (
    "wasi:http/types",
    OUTGOING,
    "wasi:io/poll",
    "wasi:cli/environment",
    "wasi:cli/stdout",
)

# What a program that makes requests needs of it; it keeps its own arguments and output.
_FOR_CLIENTS = ("wasi:http/types", OUTGOING, "wasi:io/poll")

# The adapter's imports, and where in the world each is.
_ADAPTER_NEEDS = {
    "error": (TYPE_SORT, "wasi:io/error", "error"),
    "pollable": (TYPE_SORT, "wasi:io/poll", "pollable"),
    "input-stream": (TYPE_SORT, "wasi:io/streams", "input-stream"),
    "output-stream": (TYPE_SORT, "wasi:io/streams", "output-stream"),
    "stream-error": (TYPE_SORT, "wasi:io/streams", "stream-error"),
    "ready": (FUNC_SORT, "wasi:io/poll", "[method]pollable.ready"),
    "read": (FUNC_SORT, "wasi:io/streams", "[method]input-stream.read"),
    "subscribe": (FUNC_SORT, "wasi:io/streams", "[method]input-stream.subscribe"),
    "poll-list": (FUNC_SORT, "wasi:io/poll", "poll"),
    "timer": (FUNC_SORT, "wasi:clocks/monotonic-clock", "subscribe-duration"),
    "waits": (FUNC_SORT, "wsgi-wasm:gateway/waiting", "begin"),
    "write": (FUNC_SORT, "wasi:io/streams", "[method]output-stream.blocking-write-and-flush"),
    "arguments": (FUNC_SORT, "wasi:cli/environment", "get-arguments"),
    "environment": (FUNC_SORT, "wasi:cli/environment", "get-environment"),
    "cwd": (FUNC_SORT, "wasi:cli/environment", "initial-cwd"),
    "stdin": (FUNC_SORT, "wasi:cli/stdin", "get-stdin"),
    "stdout": (FUNC_SORT, "wasi:cli/stdout", "get-stdout"),
    "stderr": (FUNC_SORT, "wasi:cli/stderr", "get-stderr"),
}

_STREAMS_NEEDS = {
    "error": (TYPE_SORT, "wasi:io/error", "error"),
    "pollable": (TYPE_SORT, "wasi:io/poll", "pollable"),
    "input-stream": (TYPE_SORT, "wasi:io/streams", "input-stream"),
    "output-stream": (TYPE_SORT, "wasi:io/streams", "output-stream"),
    "stream-error": (TYPE_SORT, "wasi:io/streams", "stream-error"),
}

_WAIT_NEEDS = {
    "error": (TYPE_SORT, "wasi:io/error", "error"),
    "input-stream": (TYPE_SORT, "wasi:io/streams", "input-stream"),
    "stream-error": (TYPE_SORT, "wasi:io/streams", "stream-error"),
    "read": (FUNC_SORT, "wasi:io/streams", "[method]input-stream.read"),
    "subscribe": (FUNC_SORT, "wasi:io/streams", "[method]input-stream.subscribe"),
    "pollable": (TYPE_SORT, "wasi:io/poll", "pollable"),
    "ready": (FUNC_SORT, "wasi:io/poll", "[method]pollable.ready"),
    "poll": (FUNC_SORT, "wasi:io/poll", "poll"),
    "timer": (FUNC_SORT, "wasi:clocks/monotonic-clock", "subscribe-duration"),
    "waits": (FUNC_SORT, "wsgi-wasm:gateway/waiting", "begin"),
}

_OWN_FUNCTIONS = {
    what for needs in (_ADAPTER_NEEDS, _WAIT_NEEDS) for sort, _, what in needs.values() if sort == FUNC_SORT
}


class Parts(NamedTuple):
    """The components that go around a guest, in binary form; two of them differ for guests
    that make requests."""

    world: bytes
    adapter: bytes
    world_outbound: bytes
    adapter_outbound: bytes
    wait: bytes
    streams: bytes
    driver: bytes


class Wrapped(NamedTuple):
    """A program, and the guest's own outline."""

    component: bytes
    interface: str  # http or cgi
    guest: Outline


def wrap(guest: bytes, parts: Parts) -> Wrapped:
    """The program that a guest becomes. Raises ModuleError where it is neither
    handler nor program."""
    outline = _outlined(guest)
    stems = {parse(one.name).stem for one in outline.imports}
    functions = {name for one in outline.imports for name, sort in one.exports if sort == FUNC_SORT}
    wrapping = _Wrapping(parts, OUTGOING in stems, functions)
    handler = _exported(outline, "wasi:http/incoming-handler")
    if handler is not None:
        return wrapping.handler(guest, handler)
    run = _exported(outline, "wasi:cli/run")
    if run is not None:
        return wrapping.program(guest, run, client=any(map(_is_http, stems)))
    listed = ", ".join(outline.exports) or "nothing"
    wanted = "a guest exports wasi:http/incoming-handler or wasi:cli/run, version 0.2"
    if any(parse(name).is_draft for name in outline.exports):
        wanted += (
            ". This one is built for a draft of that version, as spin-sdk 2 for Rust did: build it with spin-sdk 3 to 5"
        )
    raise ModuleError(f"is a component that exports {listed}; {wanted}")


def _is_http(stem: str) -> bool:
    return stem.startswith("wasi:http/")


def _outlined(guest: bytes) -> Outline:
    outline = copy_imports(guest, Writer())
    later = [name for name in (*outline.exports, *(one.name for one in outline.imports)) if parse(name).is_wasi_03]
    if later or outline.asynchronous:
        what = later[0] if later else outline.asynchronous
        raise ModuleError(
            f"is a component of the WASI 0.3 generation ({what}), which the wasmtime package cannot run: its C API has "
            "neither WASI 0.3 nor streams and futures. Build it for wasi:http 0.2: spin-sdk 3 instead of 4 and later "
            "(Python), componentize-py with a world that exports wasi:http/incoming-handler@0.2, Rust's spin-sdk 5"
        )
    return outline


def _exported(outline: Outline, stem: str) -> str | None:
    for name, sort in outline.exports.items():
        parsed = parse(name)
        if parsed.stem == stem and parsed.is_wasi_02 and sort == INSTANCE_SORT:
            return name
    return None


class _Wrapping:
    """One component being written. `functions` are the names of those that the guest imports.

    The engine looks every function that is imported up for each instance that it makes, so that of
    the world only those are imported which somebody calls.
    """

    def __init__(self, parts: Parts, outbound: bool, functions: set[str]) -> None:
        self._parts = parts
        self._outbound = outbound
        self._writer = Writer()
        # then all of the streams' functions pass through streams.wat
        self._waits = BLOCKING_READ in functions
        wanted = None if outbound or self._waits else functions | _OWN_FUNCTIONS
        world = copy_imports(parts.world_outbound if outbound else parts.world, self._writer, functions=wanted)
        self._world = {parse(one.name).stem: one.item for one in world.imports}
        self._streams = next(one for one in world.imports if parse(one.name).stem == STREAMS).exports

    def handler(self, guest: bytes, exported: str) -> Wrapped:
        writer = self._writer
        adapter = self._adapter()
        given = {**self._world, **dict.fromkeys(_BY_ADAPTER, adapter), STREAMS: self._waiting_streams(adapter)}
        outline, instance = self._guest(guest, given)
        driver = writer.instantiate(
            writer.add_component(self._parts.driver),
            [
                *((name, writer.alias(TYPE_SORT, adapter, name)) for name in ("incoming-request", "response-outparam")),
                *((name, writer.alias(FUNC_SORT, adapter, name)) for name in ("request", "outparam", "finish")),
                ("handle", writer.alias(FUNC_SORT, writer.alias(INSTANCE_SORT, instance, exported), "handle")),
            ],
        )
        self._export(writer.bundle([("run", writer.alias(FUNC_SORT, driver, "run"))]))
        return Wrapped(writer.whole(), "http", outline)

    def program(self, guest: bytes, exported: str, client: bool) -> Wrapped:
        """`client` says that the program makes HTTP requests, or could."""
        writer = self._writer
        if client:
            wait = self._adapter()
            given = dict.fromkeys(_FOR_CLIENTS, wait)
        else:
            wait = writer.instantiate(writer.add_component(self._parts.wait), self._from_world(_WAIT_NEEDS))
            given = {"wasi:io/poll": wait}
        outline, instance = self._guest(guest, {**self._world, **given, STREAMS: self._waiting_streams(wait)})
        self._export(writer.alias(INSTANCE_SORT, instance, exported))
        return Wrapped(writer.whole(), "cgi", outline)

    def _export(self, run: Item) -> None:
        self._writer.export(RUN, run, self._writer.add_type(_RUN_TYPE))

    def _adapter(self) -> Item:
        code = self._parts.adapter_outbound if self._outbound else self._parts.adapter
        needed = self._from_world(_ADAPTER_NEEDS)
        if self._outbound:
            whole = (one.name for one in copy_imports(code, Writer()).imports if one.sort == INSTANCE_SORT)
            needed += [(name, self._world[parse(name).stem]) for name in whole]
        return self._writer.instantiate(self._writer.add_component(code), needed)

    def _waiting_streams(self, wait: Item) -> Item:
        """`wasi:io/streams` of the host, but for the read that waits."""
        if not self._waits:
            return self._world[STREAMS]
        writer, needed = self._writer, self._from_world(_STREAMS_NEEDS)
        for name, sort in self._streams:
            kind, _, method = name.removeprefix("[method]").partition("-stream.")
            if sort == FUNC_SORT:
                here, what = (wait, "blocking-read") if name == BLOCKING_READ else (self._world[STREAMS], name)
                needed.append((f"{kind}-{method}", writer.alias(FUNC_SORT, here, what)))
        return writer.instantiate(writer.add_component(self._parts.streams), needed)

    def _from_world(self, needs: Mapping[str, tuple[int, str, str]]) -> list[tuple[str, Item]]:
        return [
            (name, self._writer.alias(sort, self._world[where], what)) for name, (sort, where, what) in needs.items()
        ]

    def _guest(self, guest: bytes, given: Mapping[str, Item]) -> tuple[Outline, Item]:
        def provide(name: str) -> Item | None:
            parsed = parse(name)
            if (parsed.stem in given or _is_http(parsed.stem)) and not (parsed.is_wasi_02 and parsed.stem in given):
                # The engine would match `@0.2.0+x` with its own, past what stands between the guest
                # and it.
                raise ModuleError(
                    f"imports {escaped(name)}, which is not supported; "
                    f"supported versions of {escaped(parsed.stem)} are 0.2.0 to 0.2.12"
                )
            return given.get(parsed.stem)

        outline = copy_imports(guest, self._writer, provide)
        component = self._writer.add_component(guest)
        return outline, self._writer.instantiate(component, outline.arguments())
