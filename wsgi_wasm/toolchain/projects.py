"""`configure` and `cmake` of a project, told that its programs will run here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.messages import escaped
from wsgi_wasm.toolchain.runtime import TARGET, sysroot
from wsgi_wasm.toolchain.wrappers import CMAKE, environment, tools

# The first that a project's config.sub knows; the old ones know none of the first two. `none` has
# been in all of them: a machine without a system.
_HOSTS = (TARGET, "wasm32-unknown-wasi", "wasm32-unknown-none", "none", "i386-unknown-elf")
_DEPTH = 3  # directories below the script's own in which config.sub may lie


def configure(arguments: Sequence[str]) -> int:
    """Run the configure script that the first word names, or the one in this directory, and give
    its status. Raises BuildError."""
    words = list(arguments)
    named = bool(words) and not words[0].startswith("-") and "=" not in words[0]
    script = Path(words.pop(0) if named else "configure")
    if script.is_dir():
        script /= "configure"
    if not script.is_file():
        raise BuildError(f"{escaped(script)}: no such script; with autotools, `autoreconf -i` makes it")
    known = [word.partition("=")[0] for word in words]
    own = [] if "--host" in known else [f"--host={host_name(script.parent)}"]
    own += [] if "--build" in known else [f"--build={os.uname().machine}-pc-linux-gnu"]
    own += [] if {"--enable-shared", "--disable-shared"} & set(known) else ["--disable-shared"]
    prefix = [] if "--prefix" in known else [f"--prefix={sysroot()}"]
    return _run(["sh", str(script if script.is_absolute() else Path(".") / script), *own, *prefix, *words], {})


def host_name(directory: Path) -> str:
    """What this project's config.sub calls the machine. Raises BuildError."""
    patterns = ["/".join(["*"] * depth + ["config.sub"]) for depth in range(_DEPTH)]
    found = next((file for pattern in patterns for file in sorted(directory.glob(pattern))), None)
    if found is None:
        return TARGET
    for name in _HOSTS:
        done = subprocess.run(["sh", str(found), name], capture_output=True, check=False)
        if done.returncode == 0:
            return name
    raise BuildError(f"{found} knows no name for a machine without a system: replace it by a newer one")


def cmake(arguments: Sequence[str]) -> int:
    """Run CMake, with the tools where it configures, and give its status. Raises BuildError."""
    other = any(word in ("--build", "--install", "--open", "-E", "-P", "--find-package") for word in arguments)
    own = [] if other or not arguments else [f"-DCMAKE_TOOLCHAIN_FILE={CMAKE}"]
    return _run(["cmake", *own, *arguments], {"WSGI_WASM_TOOLS": str(tools()), "WSGI_WASM_SYSROOT": str(sysroot())})


def _run(command: Sequence[str], more: dict[str, str]) -> int:
    try:
        return subprocess.run(command, env={**environment(), **more}, check=False).returncode
    except FileNotFoundError:
        raise BuildError(f"{command[0]} is not installed: on Debian, run: apt install {command[0]}") from None
