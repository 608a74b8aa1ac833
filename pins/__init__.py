"""The versions of all that registries bring for tests, examples and benchmarks, so that every machine gets the same.

A user's installation is not bound to them. No file here names a registry: each machine asks the one that it is set up
for.

- `NAME.in`: what a Python environment is for; `NAME.txt`: all that is in it.
- `javascript/`: the same for npm.
- `NAME.lock`: the crates of `examples/NAME`; what is wanted stands in that example's `Cargo.toml`.
- `rust-toolchain.toml`: the compiler.

`python -m pins` renews them.
"""
