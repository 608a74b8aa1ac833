"""Builds the adapter's code, which lies in the package ready to use:
`python -m wsgi_wasm.toolchain.adapter`.

For those who change `guestlib/adapter/*.c`. The result is the same byte for byte with the same
compiler, and a test holds that what lies there is what the sources make.
"""

from __future__ import annotations

import sys
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.toolchain.build import build_code
from wsgi_wasm.toolchain.zig import compiler_version

FILES = GUESTLIB / "adapter"

COMPILER = "ziglang 0.17.1"

COMMON = (
    *("environment.c", "errors.c", "fields.c", "outgoing.c", "request.c", "response.c", "result.c", "text.c"),
    "wait.c",
)
CODE = {
    "adapter.wasm": (*COMMON, "refuse.c"),
    "outbound.wasm": (*COMMON, "outbound.c"),
    "wait.wasm": ("wait.c",),
}


def build_adapter(directory: Path) -> list[Path]:
    """Compile all of the code into a directory. Raises BuildError."""
    version = compiler_version()
    if version != COMPILER:
        raise BuildError(f"the adapter must be built with {COMPILER}, but this is {version}")
    made = []
    for name, sources in CODE.items():
        made.append(directory / name)
        build_code([FILES / source for source in sources], made[-1])
    return made


if __name__ == "__main__":
    try:
        for path in build_adapter(FILES):
            print(f"{path}: {path.stat().st_size} bytes")
    except BuildError as error:
        sys.exit(str(error))
