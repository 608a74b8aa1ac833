"""What to do about a module that cannot run, where that is known."""

from __future__ import annotations

import re
from collections.abc import Collection

from wsgi_wasm.errors import ModuleError
from wsgi_wasm.messages import quote

# What Wasmtime writes when a proposal is switched off, and the engine feature that switches it on.
NEEDS = (
    ("exceptions proposal not enabled", "exceptions"),
    ("exceptions support is not enabled", "exceptions"),
    ("exception handling feature", "exceptions"),
    ("memory64 must be enabled", "memory64"),
    ("without the gc feature", "gc"),
    ("gc support is not enabled", "gc"),
    ("type which requires gc", "gc"),
    ("requires `gc` proposal", "gc"),
    ("gc proposal must be enabled", "gc"),
    ("function references required", "gc"),
    ("function references support is not enabled", "gc"),
    ("relaxed SIMD support is not enabled", "relaxed_simd"),
)

_THREADS = "threads; build without them (wasm32-wasip1, no -pthread)"
_WASI_03 = "asynchronous functions, streams and futures of WASI 0.3; build for WASI 0.2"

# The same for what no setting switches on.
NEVER = (
    ("legacy_exceptions", "legacy exceptions; build with the standard ones (-mllvm -wasm-use-legacy-eh=false)"),
    ("threads must be enabled", _THREADS),
    ("threads support is not enabled", _THREADS),
    ("multiple memories", "more than one memory"),
    ("custom page sizes", "custom page sizes"),
    ("wide arithmetic", "wide arithmetic"),
    ("memory control", "memory control"),
    ("stack switching", "stack switching"),
    ("shared-everything", "shared-everything threads"),
    ("component model async feature", _WASI_03),
    ("component model error-context feature", "error contexts of WASI 0.3; build for WASI 0.2"),
    ("component model fixed-length lists feature", "lists of fixed length in a component's types"),
    ("component model map feature", "maps in a component's types"),
)
WRONG_RUN = "its wasi:cli/run is not that of WASI 0.2, `run: func() -> result`"
_WRONG_HANDLER = (
    "its wasi:http/incoming-handler is not that of WASI 0.2, "
    "`handle: func(request: incoming-request, response-out: response-outparam)`"
)

# What it writes of a guest that exports an interface otherwise than it must be (`binary.wrap`).
WRONG_EXPORTS = (
    ("ascribed type of export is not compatible", WRONG_RUN),
    ("export `handle` for instance", _WRONG_HANDLER),
    ("has no export named `handle`", _WRONG_HANDLER),
    ("type mismatch for import `handle`", _WRONG_HANDLER),
)

# What an instance takes besides memories and tables, which are counted before.
_STATE = re.compile(r"instance size does not fit .* requires (\d+) bytes .* maximum of (\d+) bytes")


def with_advice(text: str, features: Collection[str]) -> str:
    """Why Wasmtime refuses a module with these features of the engine on. Where it is known what to
    do about it, that stands before Wasmtime's own words."""
    said = text.partition(" --> ")[0]  # a line of the user's own follows where a text is malformed
    needed = next((feature for words, feature in NEEDS if words in said), None)
    if needed is not None and needed not in features:
        how = f"`engine: {{features: [{needed}]}}`, or `--features {needed}` for a module by itself"
        return f"needs the feature {quote(needed)}, which is disabled: set {how} ({text})"
    export = next((what for words, what in WRONG_EXPORTS if words in said), None)
    if export is not None:
        return f"{export} ({text})"
    size = _STATE.search(said)
    if size is not None:
        return (
            f"needs {size[1]} bytes of Wasmtime's own for each instance (functions, globals, imports); at most "
            f"{size[2]} are allowed ({text})"
        )
    never = next((what for words, what in NEVER if words in said), None)
    return f"needs a feature that is not supported: {never} ({text})" if never is not None else text


def check_memory(needed: int, allowed: int) -> None:
    """Raises ModuleError for a module that begins with more memory than its route
    allows (in bytes)."""
    if needed > allowed:
        enough = -(-needed // (1 << 20))
        raise ModuleError(
            f"starts with {needed >> 10} KiB of memory, but `memory` allows only {allowed >> 10} KiB: "
            f"set `memory: {enough}MiB` or more"
        )
