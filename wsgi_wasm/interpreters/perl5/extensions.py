"""Perl's extensions in C: which are built in, and how their sources are made ready to compile."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.interpreters.perl5.host_perl import HostPerl
from wsgi_wasm.messages import escaped

_IN_PERL = """
    cpan/Compress-Raw-Bzip2 cpan/Compress-Raw-Zlib cpan/Digest-MD5 cpan/Digest-SHA cpan/Encode cpan/Encode/Byte
    cpan/Encode/CN cpan/Encode/EBCDIC cpan/Encode/JP cpan/Encode/KR cpan/Encode/Symbol cpan/Encode/TW
    cpan/Encode/Unicode cpan/Filter-Util-Call cpan/MIME-Base64 cpan/Math-BigInt-FastCalc cpan/Socket
    cpan/Sys-Syslog cpan/Time-Piece dist/Data-Dumper dist/IO dist/Storable dist/Time-HiRes
    dist/Unicode-Normalize ext/B ext/DynaLoader ext/Fcntl ext/File-DosGlob ext/File-Glob ext/Hash-Util
    ext/Hash-Util-FieldHash ext/I18N-Langinfo ext/Opcode ext/POSIX ext/PerlIO-encoding ext/PerlIO-scalar
    ext/PerlIO-via ext/SDBM_File ext/Sys-Hostname ext/attributes ext/mro ext/re
"""
IN_PERL = {re.sub("[-/]", "::", place.partition("/")[2]): place for place in _IN_PERL.split()} | {
    "Cwd": "dist/PathTools",
    "List::Util": "cpan/Scalar-List-Utils",
}
"""Those of Perl's own source by name, with their directories."""

LOADER = "DynaLoader"  # the one for systems that load no code, by which modules tell a whole Perl
_TRANSLATED = {LOADER: "dl_none.xs"}  # where it is not all `.xs` files
# Their C files, where it is not all of them.
_FILES = {
    LOADER: ("dl_none.c",),
    "Digest::SHA": ("SHA.c",),
    "HTML::Parser": ("Parser.c",),
    "SDBM_File": ("SDBM_File.c", "hash.c", "pair.c", "sdbm.c"),
    "re": ("re.c", "re_comp.c", "re_exec.c"),
}
# What a Makefile.PL finds out by compiling small programs.
_DEFINES = {
    "Time::HiRes": [
        *("-DATLEASTFIVEOHOHFIVE", "-DHAS_GETTIMEOFDAY", "-DHAS_NANOSLEEP", "-DHAS_USLEEP"),
        *("-DTIME_HIRES_CLOCKID_T", "-DTIME_HIRES_CLOCK_GETRES", "-DTIME_HIRES_CLOCK_GETTIME"),
        *("-DTIME_HIRES_NANOSLEEP", "-DTIME_HIRES_STAT_ST_XTIM", "-DTIME_HIRES_CLOCK"),
    ]
}
_UNASKED = {LOADER, *_DEFINES}  # whose Makefile.PL is not run

# Files that lie elsewhere: in which directory, which, and under which name.
_COPIES = {
    "Compress::Raw::Bzip2": [("fallback", "constants.*", ""), ("bzip2-src", "*.[ch]", "")],
    "Compress::Raw::Zlib": [("fallback", "constants.*", ""), ("zlib-src", "*.[ch]", "")],
    "Time::HiRes": [("fallback", "const-*.inc", "")],
    "re": [
        ("../..", "regcomp.c", "re_comp.c"),
        ("../..", "regexec.c", "re_exec.c"),
        ("../..", "dquote.c", ""),
        ("../..", "invlist_inline.h", ""),
    ],
}


@dataclass(frozen=True, slots=True)
class Extension:
    """One whose C files are there."""

    name: str
    directory: Path
    files: tuple[Path, ...]
    flags: tuple[str, ...]

    @property
    def boot(self) -> str:
        """The C function that makes it known to Perl."""
        return f"boot_{self.name.replace('::', '__')}"


def prepare(name: str, directory: Path, perl: HostPerl) -> Extension:
    """Have everything that an extension's sources generate generated. Raises BuildError."""
    said: dict[str, str] = {}
    if (directory / "Makefile.PL").exists() and name not in _UNASKED:
        perl.run(["Makefile.PL", "PERL_CORE=1"], directory)
        lines = (directory / "extension").read_text("utf-8").splitlines()
        said = dict(line.split(" ", 1) for line in lines)
    for place, pattern, target in _COPIES.get(name, ()):
        for file in (directory / place).glob(pattern):
            shutil.copyfile(file, directory / (target or file.name))
    for maker in directory.glob("mk[hp]*"):  # HTML::Parser's tables
        if maker.name in ("mkhctype", "mkpfunc"):
            (directory / f"{maker.name[2:]}.h").write_text(perl.run([maker.name], directory), encoding="utf-8")
    for tables in directory.glob("*.fnm"):
        program = "bin/enc2xs" if name == "Encode" else "../bin/enc2xs"
        perl.run([program, "-Q", "-O", "-o", f"{tables.stem}.c", "-f", tables.name], directory)
    if name == "Storable":
        _widen(directory / "Storable.xs")
    for source in directory.glob(_TRANSLATED.get(name, "*.xs")):
        if source.name != "constants.xs":  # which another one includes
            perl.translate(source)
    files = _FILES.get(name) or sorted(file.name for file in directory.glob("*.c"))
    version = _version(name, directory, perl)
    flags = [*said.get("DEFINE", "").split(), *_DEFINES.get(name, ()), f'-DVERSION="{version}"']
    flags += [f'-DXS_VERSION="{version}"', "-iquote", "."]
    if name.startswith("Encode"):
        flags.append(f"-I{perl.source / 'cpan' / 'Encode' / 'Encode'}")
    return Extension(name, directory, tuple(directory / file for file in files), tuple(flags))


def _widen(source: Path) -> None:
    """Have Storable write and read the files of a 64-bit system, whose head alone is another one
    than ours."""
    text = source.read_text("utf-8")
    for kind in ("sizeof(long)", "sizeof(char *)"):
        text = text.replace(kind, "8")
    source.write_text(text, encoding="utf-8")


_SAY_VERSION = r"""
open my $file, '<', $ARGV[0] or die $!;
while (<$file>) {
    if (/\bVERSION\s*=\s*(.*?;)/) { no strict; our $v = eval $1; print defined $v ? $v : 0; exit }
}
"""


def _version(name: str, directory: Path, perl: HostPerl) -> str:
    """That of its module, which the two halves compare with each other."""
    last = name.rpartition("::")[2]
    for module in (directory / f"{last}.pm", directory / "lib" / f"{name.replace('::', '/')}.pm"):
        if module.exists():
            version = perl.run(["-e", _SAY_VERSION, str(module)], directory)
            if re.fullmatch(r"v?[\d._]+", version):
                return version
    raise BuildError(f"{escaped(directory)} does not say its version")


def boot_file(extensions: list[Extension]) -> str:
    """C that makes all of them known to Perl."""
    lines = ['#include "EXTERN.h"', '#include "perl.h"', '#include "XSUB.h"']
    lines += [f"XS_EXTERNAL({extension.boot});" for extension in extensions]
    lines += ["void xs_init(pTHX)", "{"]
    for one in extensions:
        function = one.boot if one.name == LOADER else "bootstrap"
        lines.append(f'    newXS("{one.name}::{function}", {one.boot}, "{one.name}");')
    return "\n".join([*lines, "}", ""])
