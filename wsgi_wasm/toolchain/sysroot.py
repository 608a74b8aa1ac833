"""Libraries for WebAssembly that programs are linked with: built from Debian's sources once, and
found by the compiler, by pkg-config and by CMake."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.messages import escaped
from wsgi_wasm.toolchain.debian import Waiting, fetch_source
from wsgi_wasm.toolchain.runtime import sysroot
from wsgi_wasm.toolchain.wrappers import environment


@dataclass(frozen=True, slots=True)
class Library:
    """A library: Debian's source package, the commands that build and install it to `$PREFIX`, what
    it needs of the others, and the header that tells that it is there."""

    package: str
    header: str
    commands: tuple[str, ...]
    needs: tuple[str, ...] = ()


_EXPAT = "-DXML_DTD=1 -DXML_NS=1 -DXML_GE=1 -DXML_CONTEXT_BYTES=1024 -DHAVE_MEMMOVE -DHAVE_ARC4RANDOM_BUF"

LIBRARIES: Mapping[str, Library] = {
    "zlib": Library(
        "zlib",
        "zlib.h",
        ('CHOST=wasm32-wasi ./configure --static --prefix="$PREFIX"', "make libz.a", "make install"),
    ),
    "libpng": Library(
        "libpng1.6",
        "png.h",
        (
            'wsgi-wasm configure --prefix="$PREFIX"',
            "make libpng16.la",
            "make install-libLTLIBRARIES install-pkgincludeHEADERS install-nodist_pkgincludeHEADERS "
            "install-pkgconfigDATA install-header-links install-library-links install-libpng-pc",
        ),
        ("zlib",),
    ),
    "expat": Library(
        "expat",
        "expat.h",
        (
            "cd expat/lib && : >expat_config.h && for part in xmlparse xmlrole xmltok; do "
            f"$CC -O2 -I. {_EXPAT} -c $part.c || exit 1; done && "
            'mkdir -p "$PREFIX/lib" "$PREFIX/include" && $AR cr "$PREFIX/lib/libexpat.a" xmlparse.o xmlrole.o xmltok.o '
            '&& cp expat.h expat_external.h "$PREFIX/include"',
        ),
    ),
    "pcre2": Library(
        "pcre2",
        "pcre2.h",
        (
            'wsgi-wasm configure --prefix="$PREFIX" --disable-jit',
            "make libpcre2-8.la",
            "make install-libLTLIBRARIES install-includeHEADERS install-nodist_includeHEADERS install-pkgconfigDATA",
        ),
    ),
}


def installed(name: str) -> bool:
    """Whether a library is there."""
    return (sysroot() / "include" / LIBRARIES[name].header).exists()


def add(names: Sequence[str], waiting: Waiting = lambda step, seconds: None, *, force: bool = False) -> list[str]:
    """Build libraries that are not there, after what they need; those that were built. Raises
    BuildError."""
    built = []
    for name in names:
        library = LIBRARIES[name]
        built += add([needed for needed in library.needs if not installed(needed)], waiting)
        if force or not installed(name):
            _build(name, library, waiting)
            built.append(name)
    return built


def _build(name: str, library: Library, waiting: Waiting) -> None:
    environ = {**environment(), "PREFIX": str(sysroot())}
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-sysroot-") as work:
        source = fetch_source(library.package, Path(work), waiting)
        waiting(f"compiling {name}", 0)
        for command in library.commands:
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=source,
                env=environ,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            if done.returncode:
                raise BuildError("\n".join((done.stdout + done.stderr).strip().splitlines()[-20:]))
    if not installed(name):
        where = sysroot() / "include"
        raise BuildError(f"{escaped(name)} has been built, and {escaped(library.header)} is not in {escaped(where)}")
