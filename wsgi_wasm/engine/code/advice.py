"""What to do about a module that Wasmtime refuses, where its words say it."""

from __future__ import annotations

# What Wasmtime writes when a proposal is switched off, and the engine feature that switches it on.
_NEEDS = (
    ("exceptions proposal not enabled", "exceptions"),
    ("exception handling feature", "exceptions"),
    ("memory64 must be enabled", "memory64"),
    ("without the gc feature", "gc"),
    ("function references required", "gc"),
    ("relaxed SIMD support is not enabled", "relaxed_simd"),
)

# The same for what no setting switches on.
_NEVER = (
    ("legacy_exceptions", "legacy exceptions; build with the standard ones (-mllvm -wasm-use-legacy-eh=false)"),
    ("threads must be enabled", "threads; build without them (wasm32-wasip1, no -pthread)"),
    ("threads support is not enabled", "threads; build without them (wasm32-wasip1, no -pthread)"),
    ("multiple memories", "more than one memory"),
    ("multi-memory", "more than one memory"),
    ("custom page sizes", "custom page sizes"),
    ("wide arithmetic", "wide arithmetic"),
    ("stack switching", "stack switching"),
    ("shared-everything", "shared-everything threads"),
)


def missing_feature(text: str) -> str | None:
    """The engine feature that a module lacks, from Wasmtime's message; None where it is not about one."""
    return next((feature for words, feature in _NEEDS if words in text), None)


def plain_words(text: str) -> str:
    """Wasmtime's message, behind what to do about it where that is known."""
    feature = missing_feature(text)
    if feature is not None:
        return f"needs the feature '{feature}', which is off: say `engine: {{features: [{feature}]}}` ({text})"
    never = next((what for words, what in _NEVER if words in text), None)
    return f"needs what is not offered: {never} ({text})" if never is not None else text
