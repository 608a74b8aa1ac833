"""What the gateway decides by of a component: what it speaks, what it imports, and what
its instances need."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from wsgi_wasm.binary.versions import parse
from wsgi_wasm.messages import escaped

if TYPE_CHECKING:
    from wsgi_wasm.binary.outline import Outline


# What can neither wait nor compute for long, whatever it is asked, where standard input has
# been read before and no directory is granted. `wasi:io/poll` is the adapter's, which says when
# it waits.
_AT_ONCE = frozenset(
    {
        *(f"wasi:cli/{name}" for name in ("environment", "exit", "stdin", "stdout", "stderr")),
        *(f"wasi:cli/terminal-{name}" for name in ("input", "output", "stdin", "stdout", "stderr")),
        *("wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock", "wasi:http/types", "wasi:io/error"),
        *("wasi:io/poll", "wasi:io/streams", "wasi:filesystem/preopens", "wasi:filesystem/types"),
        "wasi:random/insecure-seed",
    }
)

# The interfaces of WASI 0.2 that Wasmtime has: not those that are marked unstable there, such
# as wasi:clocks/timezone.
_OF_WASMTIME = _AT_ONCE | {
    *("wasi:http/outgoing-handler", "wasi:random/insecure", "wasi:random/random"),
    *(f"wasi:sockets/{name}" for name in ("instance-network", "ip-name-lookup", "network")),
    *(f"wasi:sockets/{name}" for name in ("tcp", "tcp-create-socket", "udp", "udp-create-socket")),
}


@dataclass(frozen=True, slots=True)
class ComponentImport:
    """One import: its name, and the functions and resources that are taken from it (none where it
    is no instance)."""

    name: str
    functions: tuple[str, ...]
    resources: tuple[str, ...]
    is_instance: bool

    @property
    def is_wasi(self) -> bool:
        """Whether it is of WASI 0.2, and there."""
        parsed = parse(self.name)
        return parsed.is_wasi_02 and parsed.stem in _OF_WASMTIME


@dataclass(frozen=True, slots=True)
class ComponentFacts:
    """`interface` is `http` or `cgi`. `core_instances`, `memories` and `tables` are what one
    instance takes of a pool, the adapter's among them. The guest's own memories begin with
    `memory_minimum` bytes, all together, and none with more than `memory_largest`; those that can
    only be small grow to `memory_bounded` bytes, and `memories_unbounded` is the number of the
    others (see `component.needs`)."""

    interface: str
    imports: tuple[ComponentImport, ...]
    core_instances: int
    memories: int
    tables: int
    memory_minimum: int
    memory_bounded: int
    memories_unbounded: int
    memory_largest: int

    @property
    def outbound(self) -> bool:
        """Whether it can make HTTP requests of its own."""
        return any(parse(one.name).stem == "wasi:http/outgoing-handler" for one in self.imports)

    @property
    def waits(self) -> bool:
        """Whether it could stay in a call of the host for long: it imports functions that need not
        return at once."""
        return any(one.functions and parse(one.name).stem not in _AT_ONCE for one in self.imports)


def imports_of(outline: Outline) -> tuple[ComponentImport, ...]:
    """A component's imports."""
    # Only a process that compiles takes components apart.
    from wsgi_wasm.binary.reader import FUNC_SORT, INSTANCE_SORT, TYPE_SORT

    found = []
    for one in outline.imports:
        functions = tuple(name for name, sort in one.exports if sort == FUNC_SORT)
        resources = tuple(name for name, sort in one.exports if sort == TYPE_SORT)
        found.append(ComponentImport(one.name, functions, resources, one.sort == INSTANCE_SORT))
    return tuple(found)


def component_to_json(facts: ComponentFacts) -> dict[str, Any]:
    """Facts as they lie in the cache beside the artefact."""
    return asdict(facts)


def component_from_json(value: Any) -> ComponentFacts:
    """The reverse. Raises TypeError or KeyError for what was not written by `component_to_json`."""
    known = dict(value)
    known["imports"] = tuple(
        of_kinds(
            ComponentImport(**{**one, "functions": _names(one["functions"]), "resources": _names(one["resources"])})
        )
        for one in known["imports"]
    )
    return of_kinds(ComponentFacts(**known))


Found = TypeVar("Found", bound=Any)


def of_kinds(found: Found) -> Found:
    """A dataclass of facts that was read from JSON, if each field is of its kind.

    Raises TypeError.
    """
    for one in fields(found):
        if not isinstance(getattr(found, one.name), _KINDS[str(one.type).partition("[")[0]]):
            raise TypeError(f"{escaped(one.name)} is not of its kind")
    return found


# What stands before a bracket in the annotations of facts.
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "bool": (bool,), "tuple": (tuple,), "list": (list,), "dict": (dict,),
    "str | None": (str, type(None)), "int | None": (int, type(None)),
}  # fmt: skip


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError("names are not of their kind")
    return tuple(value)
