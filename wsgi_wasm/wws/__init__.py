"""Wasm Workers Server's protocol and project layout. Pure: text and bytes in, values out; no
files, no engine."""
