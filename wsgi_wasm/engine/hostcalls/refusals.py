"""Refusals of what a component imports and the host does not have.

Components import whatever their toolchain's world holds, used or not, and all of it must be there
before they can be instantiated. A refused interface is made from the component's own types: each of
its functions answers an error that the interface has for such cases, or ends the guest with a
message that names what is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import memmove
from typing import Any

from wsgi_wasm.engine.capi import values as v
from wsgi_wasm.engine.hostcalls import wit
from wsgi_wasm.engine.hostcalls.imports import Instance, difference
from wsgi_wasm.engine.hostcalls.interface import AnyInterface
from wsgi_wasm.engine.hostcalls.linker import define_instance, fail
from wsgi_wasm.engine.hostcalls.lowering import NewHandles, Scratch, lowerer, pack
from wsgi_wasm.engine.outcome import End, Stop
from wsgi_wasm.engine.run import current
from wsgi_wasm.errors import ModuleError
from wsgi_wasm.logs import Seldom, package_log
from wsgi_wasm.messages import escaped

# Cases of an error that say what has happened, the fittest first; the second kind takes a text, the
# third is better than none.
_PLAIN = ("access-denied", "denied", "not-permitted", "unauthorized")
_WITH_TEXT = ("access-denied", "connection-failed", "runtime-error", "provider", "upstream", "other", "io")
_VAGUE = ("invalid-address",)


def denial(result: wit.Type | None, text: str) -> Any:
    """The error of this type that tells a guest that it may not; None where there is none."""
    err = result.err if isinstance(result, wit.ResultOf) else None
    if err == wit.STRING:
        return text
    if isinstance(err, wit.EnumOf):
        return next((name for name in (*_PLAIN, *_VAGUE) if name in err.names), None)
    if not isinstance(err, wit.VariantOf):
        return None
    cases = dict(err.cases)

    def plain(names: tuple[str, ...]) -> Any:
        return next(((name, None) for name in names if name in cases and cases[name] is None), None)

    with_text = next(((name, text) for name in _WITH_TEXT if cases.get(name) == wit.STRING), None)
    return plain(_PLAIN) or with_text or plain(_VAGUE)


class _NoHandles:
    """An error has no resources."""

    def __init__(self) -> None:
        self.scratch = Scratch()

    def give(self, value: Any, resource: wit.Resource) -> int:
        raise AssertionError

    def look(self) -> None:
        raise AssertionError


_seldom = Seldom(package_log("guest"), most=200)

_refusals: dict[tuple[str, wit.Type | None], Any] = {}  # callbacks live as long as the process


def _refusal(name: str, result: wit.Type | None) -> Any:
    made = _refusals.get((name, result))
    if made is None:
        made = _refusals[name, result] = _refusing(name, result)
    return made


def _refusing(name: str, result: wit.Type | None) -> Any:
    error = denial(result, f"{name} is not supported")
    lower = None
    if error is not None:
        assert isinstance(result, wit.ResultOf)
        lower = lowerer(wit.ResultOf(None, result.err))

    def enter(_data: Any, _context: int, _type: int, _arguments: int, _n: int, results: int, n_results: int) -> int:
        try:
            # Linkers are shared by components that import the same names, and a hostile one may
            # mean something else.
            if lower is None or n_results != 1:
                raise Stop(End.STOPPED, f"called {escaped(name)}, which is not supported")
            handles: NewHandles = _NoHandles()
            _say(name)
            memmove(results, pack(*lower(("err", error), handles)), v.VAL.size)
        except BaseException as failure:
            return fail(failure)
        return 0

    return v.HostFunction(enter)


def _say(name: str) -> None:
    run = current.run or current.the_run()
    label = run.client.label
    program = label.rpartition(" [")[0]  # without the request's id
    _seldom.warning((program, name), f"{label} called {escaped(name)}, which is not supported")


def refuse(linker: int, name: str, instance: Instance) -> None:
    """Define an imported interface that the host does not have. Raises ModuleError."""
    functions = {one: _refusal(f"{name} {one}", kind.result) for one, kind in instance.functions.items()}
    # No handle is ever made, so that all such resources may be of one type.
    kind = int(v.resource_type_new(0))
    try:
        define_instance(linker, name, dict.fromkeys(instance.resources, kind), functions)
    finally:
        v.resource_type_delete(kind)


def check(interfaces: Mapping[str, AnyInterface], imported: Mapping[str, Instance]) -> None:
    """Raises ModuleError where a component imports an interface of the host otherwise than the host
    has it."""
    for name, instance in imported.items():
        problem = difference(interfaces[name], instance) if name in interfaces else None
        if problem is not None:
            raise ModuleError(f"has unsupported imports: {problem}")
