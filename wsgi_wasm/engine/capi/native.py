"""The compiled form of a run (`native.c`, `native_component.c`), where it was built: found,
checked, made ready here.

Everything works without it. With it a common guest is served by one call that runs nothing of
Python in between. It is built by `pip install` where there is a C compiler; `WSGI_WASM_NATIVE=0` in
the environment leaves it aside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Sequence
from ctypes import c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, ClassVar

from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.logs import package_log

log = package_log("engine")

OUTPUT_SIZE = 65536  # bytes of output that are gathered before Python sees them

# `struct functions` of native.c begins with these.
_FUNCTIONS = (
    c.store_new, c.store_context, c.store_delete, c.store_limiter, c.store_epoch_callback, c.set_epoch_deadline,
    c.wasi_new, c.set_wasi, c.instantiate, c.export_get, c.call, c.caller_export_get, c.memory_data,
    c.memory_data_size, c.trap_new, c.error_new, c.engine_increment_epoch,
)  # fmt: skip

# What native.c answers of WASI preview 1; it leaves to Python's function of the same name what
# it cannot.
ANSWERED = (
    "args_get", "args_sizes_get", "environ_get", "environ_sizes_get", "fd_filestat_get", "fd_pread",
    "fd_prestat_dir_name", "fd_prestat_get", "fd_pwrite", "fd_read", "fd_write", "proc_exit", "random_get",
)  # fmt: skip

# `enum directories` of native.h
KNOWN, UNASKED, FROZEN = 0, 1, 2

# that native.c measures of a run whose job is `profiled`: before it, instantiation, call, teardown
STEPS = 4

Take = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t)
Failed = ctypes.CFUNCTYPE(None, c_void_p)


def address_of(function: Any) -> int:
    """The address of a C function, or of a callback of ctypes, which has to outlive its use."""
    return ctypes.cast(function, c_void_p).value or 0


class Job(ctypes.Structure):
    """`struct run` of native.h, which says what each field is."""

    _fields_: ClassVar[Sequence[Any]] = (
        ("engine", c_void_p),
        ("prepared", c_void_p),
        ("wasi", c_void_p),
        ("environment", c_char_p),
        ("arguments", c_char_p),
        ("input", c_char_p),
        ("environment_size", c_uint64),
        ("environment_count", c_uint64),
        ("arguments_size", c_uint64),
        ("arguments_count", c_uint64),
        ("input_size", c_uint64),
        ("first", c_char_p),
        ("second", c_char_p),
        ("first_size", c_uint64),
        ("second_size", c_uint64),
        ("memory_limit", c_uint64),
        ("output_limit", c_uint64),
        ("output", c_void_p),
        ("output_capacity", c_uint64),
        ("python_epoch", c_void_p),
        ("preopens", c_char_p),
        ("preopens_count", c_uint64),
        ("begins_unasked", c_uint64),
        ("output_size", c_uint64),
        ("input_at", c_uint64),
        ("error", c_void_p),
        ("trap", c_void_p),
        ("wall_start", c_double),
        ("cpu_start", c_double),
        ("wall", c_double),
        ("cpu", c_double),
        ("gil_seconds", c_double),
        ("exited", c_uint32),
        ("code", c_uint32),
        ("python_streams", c_uint32),
        ("directories", c_uint32),
        ("input_file", c_int32),
        ("keeps_gil", c_uint32),
        ("_inside", c_uint32),
        ("_thread", c_void_p),
        ("forwarder", c_void_p),
        ("steps", c_double * STEPS),
        ("profiled", c_uint64),
        ("_handed", c_uint64),
        ("_context", c_void_p),
        ("_memory", c_void_p),
        ("_memory_size", c_uint64),
        ("_memory_item", c_uint8 * c.SIZEOF_EXTERN),
        ("_start", c_uint8 * c.SIZEOF_EXTERN),
        ("_instance", c_uint8 * c.SIZEOF_INSTANCE),
    )


class ComponentJob(Job):
    """`struct component_run` of native_component.c."""

    _fields_ = (
        ("linker", c_void_p),
        ("component", c_void_p),
        ("run_index", c_void_p),
        ("input_path", c_char_p),
        ("output_path", c_char_p),
        ("errors_path", c_char_p),
        ("output_file", c_int32),
        ("errors_file", c_int32),
        ("core_instances", c_int64),
        ("tables", c_int64),
        ("memories", c_int64),
        ("outbound", c_uint32),
        ("small", c_uint32),
        ("well", c_uint32),
        ("refused", c_uint32),
        ("output_waiting", c_uint64),
        ("errors_waiting", c_uint64),
    )


class _Functions(ctypes.Structure):
    """`struct functions` of native.c."""

    _fields_ = (
        ("wasmtime", c_void_p * len(_FUNCTIONS)),
        ("save_thread", c_void_p),
        ("restore_thread", c_void_p),
        ("take", c_void_p),
        ("failed", c_void_p),
    )


class HostFunction(ctypes.Structure):
    """`struct host_function` of native.h: what a linker has for a function of preview 1."""

    _fields_: ClassVar[Sequence[Any]] = (
        ("python", c_void_p),
        ("index", c_uint32),
        ("count", c_uint32),
        ("wide", c_uint64),
        ("lengths", c_uint64),
    )


COMPONENT_FUNCTIONS = 13  # that `struct component_functions` has


class Native:
    """The library, once it is loaded and has Wasmtime's functions."""

    def __init__(self, path: str, library: ctypes.CDLL) -> None:
        self._library = library
        self.run_keeping_gil: Any = ctypes.PyDLL(path).wsgi_wasm_run
        """`run` for a job that `keeps_gil`: it is called with the interpreter's lock."""
        self.run_keeping_gil.restype, self.run_keeping_gil.argtypes = None, (ctypes.POINTER(Job),)
        self.run: Any = library.wsgi_wasm_run
        self.run.restype, self.run.argtypes = None, (ctypes.POINTER(Job),)
        self.run_component_keeping_gil: Any = ctypes.PyDLL(path).wsgi_wasm_run_component
        self.run_component: Any = library.wsgi_wasm_run_component
        for function in (self.run_component_keeping_gil, self.run_component):
            function.restype, function.argtypes = None, (ctypes.POINTER(ComponentJob),)
        self.ticks: Any = library.wsgi_wasm_ticks
        self.ticks.restype, self.ticks.argtypes = c_int, (c_void_p,)
        self.ticks_no_more: Any = library.wsgi_wasm_ticks_no_more
        self.ticks_no_more.restype, self.ticks_no_more.argtypes = None, (c_void_p,)
        self.in_python = self._address("in_python")
        self.forwarded = self._address("forwarded")
        self.waits = self._address("waits")
        self.entries = {name: self._address(name) for name in ANSWERED}
        self._callbacks: Any = None

    def _address(self, name: str) -> int:
        return address_of(self._library[f"wsgi_wasm_{name}"])

    def give_functions(self, take: Any, failed: Any) -> None:
        """Wasmtime's functions, what takes the output that was gathered, and what takes the error
        of a function that was forwarded."""
        self._callbacks = take, failed
        functions = _Functions()
        for i, function in enumerate(_FUNCTIONS):
            functions.wasmtime[i] = address_of(function)
        functions.save_thread = address_of(ctypes.pythonapi.PyEval_SaveThread)
        functions.restore_thread = address_of(ctypes.pythonapi.PyEval_RestoreThread)
        functions.take, functions.failed = address_of(take), address_of(failed)
        self._library.wsgi_wasm_functions(ctypes.byref(functions))
        os.register_at_fork(after_in_child=self._library.wsgi_wasm_forget)

    def give_component_functions(self, functions: Sequence[Any]) -> None:
        """Wasmtime's functions for components, in the order of `struct component_functions`."""
        addresses = (c_void_p * COMPONENT_FUNCTIONS)(*map(address_of, functions))
        self._library.wsgi_wasm_component_functions(ctypes.byref(addresses))


def _fits(library: ctypes.CDLL) -> bool:
    """Whether it was built with the structures that are declared here."""
    for name, job, functions in (
        ("wsgi_wasm_sizes", Job, ctypes.sizeof(_Functions)),
        ("wsgi_wasm_component_sizes", ComponentJob, COMPONENT_FUNCTIONS * ctypes.sizeof(c_void_p)),
    ):
        function = getattr(library, name, None)
        if function is None:
            return False
        function.restype = c_uint64
        if function() != ctypes.sizeof(job) << 16 | functions:
            return False
    return True


def _find() -> Native | None:
    if os.environ.get("WSGI_WASM_NATIVE") == "0":
        return None
    for path in sorted(Path(__file__).parent.glob("_native*.so")):
        try:
            library = ctypes.CDLL(str(path))
            fits = _fits(library)
        except OSError as error:
            log.warning("%s cannot be used, so guests run without it: %s", path, error)
            continue
        with contextlib.suppress(AttributeError):  # a function that is not there
            if fits:
                return Native(str(path), library)
        log.warning("%s was built from other sources, so guests run without it: install wsgi_wasm again", path)
    return None


native = _find()


def missing() -> str:
    """That guests run without it, and what to do about that; empty where it is there."""
    if native is not None:
        return ""
    if os.environ.get("WSGI_WASM_NATIVE") == "0":
        return "the compiled part is left aside, as WSGI_WASM_NATIVE=0 asks: requests take about twice the time"
    return (
        "the compiled part (_native.so) is missing or cannot be used: requests take about twice the time. Install a C "
        "compiler (Debian: gcc and libc6-dev), and then wsgi-wasm again with `pip install --force-reinstall --no-deps "
        "--no-cache-dir`"
    )
