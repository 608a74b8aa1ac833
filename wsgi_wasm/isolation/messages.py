"""What RUN, GUEST, END and REFUSED carry: an invocation, a guest, an outcome, a reason."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from wsgi_wasm.binary.module_facts import Facts, from_json, to_json
from wsgi_wasm.engine.guest import Invocation, Preopen, RunLimits
from wsgi_wasm.engine.linking import Refused
from wsgi_wasm.engine.outcome import End, Outcome
from wsgi_wasm.errors import BadGateway, EngineError, ModuleError, RequestError, Unavailable
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.isolation.frames import Closed, Misbehaved

ID_SIZE = 16  # bytes of a guest's digest

# How the body comes: not at all, in the frame, as a file, as a pipe that is filled meanwhile.
NO_BODY, INLINE, FILE, PIPE = range(4)

_RUN = struct.Struct(f"<{ID_SIZE}sddQBIIII")
_END = struct.Struct("<BBidddIII")
_ENDS = tuple(End)
_CODES = {end: code for code, end in enumerate(_ENDS)}
_MAX_TEXT = 65536  # bytes of a detail or a reason


@dataclass(frozen=True, slots=True)
class SentLimits:
    """As `engine.guest.RunLimits`, with the name of the route that they are of and how many of its
    runs are allowed at a time in the child."""

    timeout: float
    cpu: float
    memory: int
    max_output: int
    queue_timeout: float
    route: str
    concurrency: int | None

    @classmethod
    def of(cls, limits: RunLimits, route: str, concurrency: int | None) -> SentLimits:
        """A route's."""
        names = ("timeout", "cpu", "memory", "max_output", "queue_timeout")
        return cls(**{name: getattr(limits, name) for name in names}, route=route, concurrency=concurrency)


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """A guest as a child makes it: what a module says of itself, and what its route grants it.

    `artefact` tells one artefact from another; its bytes come as a descriptor. `id` is a digest of
    all of it, so that a guest need be described only once.
    """

    facts: Facts
    features: frozenset[str]
    instances: int
    limits: SentLimits
    preopens: tuple[Preopen, ...]
    artefact: str
    entry_point: str | None
    id: bytes = field(init=False, compare=False)
    text: bytes = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        text = json.dumps(self._to_json(), sort_keys=True).encode("ascii")
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "id", hashlib.sha256(text).digest()[:ID_SIZE])

    def _to_json(self) -> dict[str, Any]:
        return {
            "facts": to_json(self.facts),
            "features": sorted(self.features),
            "instances": self.instances,
            "limits": {name: getattr(self.limits, name) for name in SentLimits.__slots__},
            "preopens": [
                [p.guest.hex(), os.fsencode(p.folder.root).hex(), os.fsencode(p.folder.name).hex(), p.writable]
                for p in self.preopens
            ],
            "artefact": self.artefact,
            "entry_point": self.entry_point,
        }

    @classmethod
    def from_json(cls, text: bytes) -> GuestSpec:
        """The reverse of `text`."""
        known: Mapping[str, Any] = json.loads(text)
        return cls(
            facts=from_json(known["facts"]),
            features=frozenset(known["features"]),
            instances=known["instances"],
            limits=SentLimits(**known["limits"]),
            preopens=tuple(
                Preopen(bytes.fromhex(guest), Folder(Path(_decoded(root)), _decoded(name)), writable)
                for guest, root, name, writable in known["preopens"]
            ),
            artefact=known["artefact"],
            entry_point=known["entry_point"],
        )


def _decoded(name: str) -> str:
    return os.fsdecode(bytes.fromhex(name))


class RunMessage(NamedTuple):
    """RUN, as the child reads it."""

    guest: bytes
    spent: tuple[float, float]
    errors_left: int
    body: int
    arguments: Sequence[bytes]
    environment: Sequence[bytes]
    label: str
    inline: bytes


def pack_run(guest: bytes, body: int, invocation: Invocation) -> bytes:
    """RUN without an inline body, which follows it. Neither arguments nor variables can have a NUL
    in them."""
    client = invocation.client
    arguments, environment = b"\0".join(invocation.arguments), b"\0".join(invocation.environment)
    label = client.label.encode("utf-8", "replace")
    sizes = len(arguments), len(environment), len(label), len(invocation.arguments)
    head = _RUN.pack(guest, *invocation.spent, max(0, client.errors_left), body, *sizes)
    return b"".join((head, arguments, environment, label))


def unpack_run(data: bytes) -> RunMessage:
    """The reverse."""
    guest, wall, cpu, errors, body, arguments, environment, label, count = _RUN.unpack_from(data)
    first = _RUN.size
    second, third = first + arguments, first + arguments + environment
    fourth = third + label
    return RunMessage(
        guest,
        (wall, cpu),
        errors,
        body,
        data[first:second].split(b"\0") if count else [],
        data[second:third].split(b"\0") if environment else [],
        data[third:fourth].decode("utf-8", "replace"),
        data[fourth:],
    )


def body_of(stdin: Any) -> tuple[int, bytes]:
    """How a body goes, and its bytes where it goes in the frame."""
    if stdin is None:
        return NO_BODY, b""
    if isinstance(stdin, io.BytesIO):
        return INLINE, stdin.getvalue()
    return (FILE if isinstance(stdin, io.FileIO) else PIPE), b""


# --- outcomes -------------------------------------------------------------------------------------

# The first is "none"; the second stands for what the gateway itself has kept.
_FAILURES: tuple[type[Exception], ...] = (
    Exception,
    Closed,
    ModuleError,
    Unavailable,
    EngineError,
    BadGateway,
    Refused,
)


def pack_end(outcome: Outcome) -> bytes:
    """END, without the rest of the output, which follows it."""
    failure = outcome.take_failure()
    kind = 0 if failure is None else _kind_of(failure)
    detail = outcome.detail.encode("utf-8", "replace")[:_MAX_TEXT]
    said = b"" if failure is None else str(failure).encode("utf-8", "replace")[:_MAX_TEXT]
    head = _END.pack(
        _CODES[outcome.end],
        kind,
        _signed(outcome.code),
        outcome.cpu,
        outcome.wall,
        outcome.queued,
        len(detail),
        len(said),
        len(outcome.rest),
    )
    return head + detail + said


def unpack_end(data: bytes) -> Outcome:
    """The reverse, of a child that is not believed. Raises Misbehaved for what is no outcome."""
    try:
        end, kind, code, cpu, wall, queued, detail, said, rest = _END.unpack_from(data)
        if _END.size + detail + said + rest != len(data) or not all(0 <= one < 1e9 for one in (cpu, wall, queued)):
            raise ValueError
        texts = _END.size + detail
        failure = _made(kind, data[texts : texts + said].decode("utf-8", "replace"))
        words = data[_END.size : texts].decode("utf-8", "replace")
        return Outcome(_ENDS[end], code & 0xFFFFFFFF, words, cpu, wall, queued, failure, data[len(data) - rest :])
    except (struct.error, ValueError, IndexError):
        raise Misbehaved("the child's word on the outcome makes no sense") from None


def pack_refusal(error: Exception) -> bytes:
    """REFUSED. What the system says becomes Unavailable."""
    if isinstance(error, OSError):
        error = Unavailable(str(error))
    waited = getattr(error, "waited", 0.0)
    return struct.pack("<Bd", _kind_of(error), waited) + str(error).encode("utf-8", "replace")[:_MAX_TEXT]


def unpack_refusal(data: bytes) -> RequestError | Refused:
    """The reverse. Raises Misbehaved."""
    try:
        kind, waited = struct.unpack_from("<Bd", data)
        error = _made(kind, data[9 : 9 + _MAX_TEXT].decode("utf-8", "replace"))
    except (struct.error, IndexError):
        raise Misbehaved("the child's word on a refusal makes no sense") from None
    if isinstance(error, Unavailable) and not isinstance(error, ModuleError):
        return Unavailable(str(error), waited=max(0.0, min(waited, 3600.0)))
    return error if isinstance(error, RequestError | Refused) else Unavailable(str(error))


def _kind_of(failure: BaseException) -> int:
    for kind, known in enumerate(_FAILURES):
        if kind and isinstance(failure, known):
            return kind
    return _FAILURES.index(BadGateway)


def _made(kind: int, said: str) -> BaseException | None:
    return None if kind == 0 else _FAILURES[kind](said)


def _signed(code: int) -> int:
    """An exit status as it fits into four bytes."""
    return (code & 0xFFFFFFFF) - ((code & 0x80000000) << 1)
