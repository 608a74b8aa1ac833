"""Test guests by name: `guest("env")` is the path of a module, built from the sources beside this file when needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from guests.snapshot import snapshot
from wsgi_wasm.binary.embed import with_code
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.toolchain.build import build_cached, build_code
from wsgi_wasm.toolchain.runtime import cached
from wsgi_wasm.toolchain.zig import compiler_version

HERE = Path(__file__).resolve().parent
HEADERS = (HERE / "guest.h", HERE / "files.c")

# WASI versions of which there are guests: the first, the newest, and what toolchains of the last years emit
VERSIONS = ("0.2.0", "0.2.3", "0.2.6", "0.2.10", "0.2.12")


def cache() -> Path:
    """Where modules are kept between runs; the examples' `build.py` uses the same place."""
    return Path(os.environ.get("WSGI_WASM_GUESTS") or HERE.parents[1] / "build" / "guests")


def names() -> list[str]:
    """Every guest there is."""
    return sorted(path.stem for path in HERE.iterdir() if path.suffix in {".c", ".cc", ".wat"})


def guest(name: str) -> Path:
    """The module of this name: a `.wat` as it is, C and C++ compiled. Raises BuildError."""
    text = HERE / f"{name}.wat"
    if text.exists():
        return text
    return build_cached([source(name)], cache(), depends=HEADERS)


def frozen(name: str) -> Path:
    """A snapshot of the guest of this name, see `snapshot`."""
    module = guest(name)
    made = snapshot.__code__.co_filename
    return cached(cache(), f"{name}-snapshot.wasm", [module, Path(made)], lambda output: _freeze(module, output))


def _freeze(module: Path, output: Path) -> None:
    output.write_bytes(snapshot(module.read_bytes()))


def component_text(name: str) -> str:
    """The text of `components/NAME.wat`."""
    return (HERE / "components" / f"{name}.wat").read_text("utf-8")


def component(name: str, version: str = "0.2.12") -> Path:
    """The component `components/NAME.wat` around the code of `components/NAME.c`, with imports of this WASI version."""
    text = component_text(name).replace("VERSION", version)
    code = HERE / "components" / f"{name}.c"

    def make(output: Path) -> None:
        compiled = output.with_suffix(".code")
        build_code([code], compiled)
        output.write_bytes(with_code(wat_to_wasm(text.encode()), compiled.read_bytes()))

    header = HERE / "components" / "guest.h"
    inputs: list[Path | str] = [compiler_version(), text, code, header, Path(build_code.__code__.co_filename)]
    return cached(cache(), f"{name}-{version}.wasm", inputs, make)


def source(name: str) -> Path:
    for suffix in (".c", ".cc"):
        if (HERE / f"{name}{suffix}").exists():
            return HERE / f"{name}{suffix}"
    raise LookupError(f"no test guest {name!r}; there are {', '.join(names())}")


def native(name: str) -> Path:
    """The same C program as an executable of this machine, for comparison with Apache's own CGI."""
    return native_of(source(name), f"{name}.cgi", *HEADERS)


def native_of(file: Path, name: str, *headers: Path) -> Path:
    """Any C program as such an executable, by this name in the cache."""
    compiler = native_compiler()

    def compile_native(output: Path) -> None:
        subprocess.run([compiler, "-O1", "-o", output, file], check=True)

    return cached(cache(), name, [compiler, file, *headers], compile_native)


def native_compiler() -> str:
    """The C compiler of this machine."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise LookupError("no native C compiler: apt install gcc libc6-dev")
    return compiler


def build_all() -> list[Path]:
    """Everything, one after the other, so that tests do not compile while they measure."""
    return [
        *(guest(name) for name in names()),
        *(component(name, version) for name in ("http", "program") for version in VERSIONS),
    ]


if __name__ == "__main__":
    for module in build_all():
        print(f"{module.stat().st_size / 1024:9.1f} KiB  {module.name}")
