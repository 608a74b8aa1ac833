"""Wasmtime's C functions, as this package declares and calls them, and the compiled
part of the engine."""
