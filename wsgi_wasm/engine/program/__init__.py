"""Core modules that are programs for WASI preview 1."""
