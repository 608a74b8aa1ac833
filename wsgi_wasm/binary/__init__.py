"""Reading and composing components as bytes. Pure: bytes in, bytes out; whether a component is
valid is for Wasmtime to say, and what is written here is compiled by it like anything else."""
