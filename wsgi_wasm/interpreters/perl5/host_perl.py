"""The machine's own `perl`, which every Debian has: it translates and generates sources."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB

PROGRAM = Path("/usr/bin/perl")
SOURCES = GUESTLIB / "perl5"

# What generates sources needs these modules, which Perl's smallest package does not have.
_LIBRARIES = (
    *("dist/ExtUtils-ParseXS/lib", "cpan/ExtUtils-Constant/lib", "cpan/File-Path/lib", "ext/File-Find/lib"),
    *("cpan/ExtUtils-Install/lib", "cpan/Text-Tabs/lib", "cpan/version/lib", "dist/PathTools/lib", "lib"),
)


class HostPerl:
    """It, for Perl's own sources in the directory `source`. Raises BuildError unless both are of
    one version: what is generated depends on it."""

    def __init__(self, source: Path) -> None:
        self.source = source
        libraries = [SOURCES / "build", *(source / library for library in _LIBRARIES)]
        self._environ = {**os.environ, "LC_ALL": "C", "PERL_CORE": "1", "PERL_USE_UNSAFE_INC": "1"}
        self._environ["PERL5LIB"] = ":".join(map(str, libraries))
        level = (source / "patchlevel.h").read_text("utf-8")
        found = [re.search(rf"#define {name}\s+(\d+)", level) for name in ("PERL_VERSION", "PERL_SUBVERSION")]
        self.version = ".".join(["5", *(one[1] for one in found if one)])
        own = self.run(["-e", "printf '%vd', $^V"], source)
        if own != self.version:
            raise BuildError(f"{PROGRAM} is of version {own}, and Debian's source of {self.version}: upgrade it")

    @property
    def series(self) -> str:
        """The version without its last part."""
        return self.version.rpartition(".")[0]

    def run(self, arguments: list[str], at: Path, environ: dict[str, str] | None = None) -> str:
        """What it writes to standard output. Raises BuildError with what it says when it fails."""
        try:
            done = subprocess.run(
                [PROGRAM, *arguments],
                cwd=at,
                env=self._environ | (environ or {}),
                capture_output=True,
                text=True,
                errors="surrogateescape",
                check=False,
            )
        except OSError as error:
            raise BuildError(f"{PROGRAM} cannot be started: {error}") from None
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[-10:])
            raise BuildError(f"perl {arguments[0]} in {at} ended with {done.returncode}:\n{said}")
        return done.stdout

    def translate(self, source: Path) -> None:
        """C of an extension's `.xs` file, beside it."""
        program = self.source / "dist" / "ExtUtils-ParseXS" / "lib" / "ExtUtils" / "xsubpp"
        types = [self.source / "lib" / "ExtUtils" / "typemap", source.with_name("typemap")]
        words = [word for file in types if file.exists() for word in ("-typemap", str(file))]
        text = self.run([str(program), "-noprototypes", *words, source.name], source.parent)
        source.with_suffix(".c").write_text(text, encoding="utf-8", errors="surrogateescape")
