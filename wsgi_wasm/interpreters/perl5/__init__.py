"""Builds Perl for WASI from Debian's sources, with its extensions in C linked in.

Two things make the result small and fast: setjmp and longjmp are exceptions of WebAssembly, and the
library of modules is data of the module, from which guestlib/perl5/library.c serves files. There is
no run of Perl's Configure: guestlib/perl5 says what a guest of WASI has.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.files.locations import GUESTLIB
from wsgi_wasm.interpreters import debian_modules
from wsgi_wasm.interpreters.build import fetch, run
from wsgi_wasm.interpreters.model import Waiting
from wsgi_wasm.interpreters.perl5.compiling import Compilation, compile_all, link, zone_code
from wsgi_wasm.interpreters.perl5.extensions import IN_PERL, Extension, boot_file, prepare
from wsgi_wasm.interpreters.perl5.host_perl import PROGRAM, SOURCES, HostPerl
from wsgi_wasm.interpreters.perl5.library import archive, core_modules, text_of
from wsgi_wasm.toolchain.debian import fetch_source
from wsgi_wasm.toolchain.runtime import cached, host_files, kept_in
from wsgi_wasm.toolchain.zig import compiler, compiler_version, zig

PERL = "perl"
EXTENSIONS = {"HTML::Parser": "libhtml-parser-perl"}
"""Extensions in C by the source packages that have them."""
ZONES = "tzdata==2026.6"
_ZONES_DIGEST = "0a10eec6e13ef16b627fabed9a5f2ba61a62b1c67f327305f4e7e412a70b4aec"
_IN_PLACE = GUESTLIB / "perl" / "lib"
STAND_INS = ("DBD/MariaDB.pm", "DBD/Pg.pm", "DBD/SQLite.pm", "DBD/mysql.pm", "Template/Stash/XS.pm")
"""Modules that need no extension in C, for those that do; more for the Perl from npm. A script gets
them even where it would find the site's own."""
# With those of Debian's packages. CGI::Fast has one request for a script anyway.
_BESIDE = ("CGI/Fast.pm", "DBD/WsgiWasm.pm")
_TOOLS = {"apt-get": "apt", "dpkg-source": "dpkg-dev"}

_CORE = """
    av builtin caretx deb doio doop dquote dump globals gv hv keywords locale mathoms mg mro_core numeric op pad perl
    perlio perly pp pp_ctl pp_hot pp_pack pp_sort pp_sys reentr regcomp regexec run scope sv taint time64 toke
    universal utf8 util
""".split()  # noqa: SIM905
_OWN = ("ask.c", "clock.c", "commands.c", "host.c", "instead.c", "library.c", "start.c", "temporary.c", "zones.c")
# Functions of Perl's that fork, and the one that looks at owners, by the files that have them. What
# takes their place is in commands.c.
_REPLACED = {
    "doio": ("Perl_cando", "Perl_do_aexec5", "Perl_do_exec3"),
    "pp_sys": ("Perl_pp_system",),
    "util": ("Perl_my_pclose", "Perl_my_popen", "Perl_my_popen_list"),
}


def obstacle() -> str:
    """Why it cannot be built on this machine; "" where it can."""
    try:
        compiler()
    except BuildError as error:
        return str(error)
    if not PROGRAM.exists():
        return f"there is no {PROGRAM}"
    missing = [package for tool, package in _TOOLS.items() if not shutil.which(tool)]
    return f"the package {missing[0]} is not installed, or this is not Debian" if missing else ""


def inputs() -> list[Path]:
    """Files of this package's that a module is made of."""
    files = (path for folder in (SOURCES, Path(__file__).parent) for path in sorted(folder.rglob("*")))
    found = [path for path in files if path.is_file() and path.suffix != ".pyc"]
    return [*found, *(_IN_PLACE / name for name in (*STAND_INS, *_BESIDE)), Path(debian_modules.__file__)]


def kept_module(work: Path, waiting: Waiting) -> bytes:
    """A module that starts Perl in `wizer-initialize` and runs a script in `_start`; made once for
    each version of the machine's own Perl, and kept where compiled parts of programs are.

    Takes some minutes of processor time then, and downloads. `work` is for this function's files.
    Raises BuildError, OSError.
    """

    def make(output: Path) -> None:
        shutil.move(make_module(work, waiting), output)

    return cached(kept_in(), "perl.wasm", [compiler_version(), PROGRAM, *inputs(), *host_files()], make).read_bytes()


def make_module(work: Path, waiting: Waiting) -> Path:
    """As `kept_module`, made anew. Raises BuildError, OSError."""
    perl = HostPerl(_source(PERL, work, waiting))
    waiting("preparing Perl's sources", 0)
    _configure(perl)
    _generate(perl, work, waiting)
    extensions = [prepare(name, perl.source / place, perl) for name, place in sorted(IN_PERL.items())]
    others = {name: _source(package, work, waiting) for name, package in EXTENSIONS.items()}
    extensions += [prepare(name, directory, perl) for name, directory in others.items()]
    (perl.source / "extensions.c").write_text(boot_file(extensions), encoding="ascii")
    objects = work / "objects"
    objects.mkdir()
    jobs = _jobs(perl, extensions, objects)
    compile_all(jobs, waiting)
    library, output = work / "library.bin", work / "perl.wasm"
    modules = work / "modules"
    debian_modules.fetch_modules(work, modules, waiting)
    found = _library(perl, [modules, *(at / "lib" for at in others.values())]) | _zones(work, waiting)
    library.write_bytes(archive(found))
    waiting("linking Perl", 0)
    link([job.output for job in jobs], library, work, output)
    return output


def _source(package: str, work: Path, waiting: Waiting) -> Path:
    place = work / "sources" / package
    place.mkdir(parents=True)
    return fetch_source(package, place, waiting)


def _configure(perl: HostPerl) -> None:
    """Write config.sh and config.h."""
    features = (SOURCES / "features").read_text("utf-8").splitlines()
    names = " ".join(line for line in features if not line.startswith("#")).split()
    answers = (SOURCES / "config.sh").read_text("utf-8")
    answers = answers.replace("{version}", perl.series).replace("{full}", perl.version)
    answers += "".join(f"{name}='define'\n" for name in names)
    base = (perl.source / "uconfig.sh").read_text("utf-8")
    (perl.source / "config.sh").write_text(f"{base}\n{answers}", encoding="utf-8")
    (perl.source / "git_version.h").write_text("#define PERL_GIT_UNPUSHED_COMMITS\n", encoding="ascii")
    (perl.source / "lib" / "Config_git.pl").write_text("$Config::Git_Data = '';\n1;\n", encoding="ascii")
    run(["sh", "config_h.SH"], {"CONFIG_SH": "config.sh", "CONFIG_H": "config.h"}, lambda seconds: None, perl.source)


def _generate(perl: HostPerl, work: Path, waiting: Waiting) -> None:
    """Have the files written that Perl's Makefile has written."""
    source = perl.source
    zig(["cc", "-w", "-o", str(source / "generate_uudmap"), str(source / "generate_uudmap.c")])
    run(["./generate_uudmap", "uudmap.h", "bitcount.h", "mg_data.h"], {}, lambda seconds: None, source)
    perl.run(["configpm"], source)
    waiting("making tables of Unicode", 0)
    perl.run(["lib/unicore/mktables", "-C", "lib/unicore", "-P", "pod", "-makelist", "-p"], source)
    target = work / "target"  # where these find the configuration of what is built
    target.mkdir()
    for name in ("Config.pm", "Config_heavy.pl", "Config_git.pl"):
        shutil.copyfile(source / "lib" / name, target / name)
    for generator in ("dist/XSLoader/XSLoader_pm.PL", "dist/lib/lib_pm.PL", "ext/DynaLoader/DynaLoader_pm.PL"):
        path = source / generator
        perl.run([f"-I{target}", path.name], path.parent)
    perl.run(
        [f"-I{SOURCES / 'build' / 'errno'}", "Errno_pm.PL"],
        source / "ext" / "Errno",
        {"TARGET_CC": f"{compiler()} cc --target=wasm32-wasi"},
    )


def _jobs(perl: HostPerl, extensions: list[Extension], objects: Path) -> list[Compilation]:
    own = ("-DPERL_CORE", f"-I{perl.source}")
    jobs = []
    for name in (*_CORE, "extensions"):
        renamed = tuple(f"-D{function}=unused_{function}" for function in _REPLACED.get(name, ()))
        jobs.append(Compilation(perl.source / f"{name}.c", (*own, *renamed), objects / f"{name}.o"))
    jobs += [Compilation(SOURCES / name, own, objects / f"own_{name}.o") for name in _OWN]
    jobs.append(zone_code(objects / "own_tz.o"))
    for extension in extensions:
        for file in extension.files:
            output = objects / f"{extension.name.replace('::', '-')}--{file.stem}.o"
            jobs.append(Compilation(file, (*extension.flags, f"-I{perl.source}"), output))
    return jobs


def _zones(work: Path, waiting: Waiting) -> dict[str, bytes]:
    fetch([ZONES], work / "zones", waiting, digests=[_ZONES_DIGEST])
    folder = work / "zones" / "tzdata" / "zoneinfo"
    files = [file for file in folder.rglob("*") if file.is_file()]
    read = ((file, file.read_bytes()) for file in files)
    return {f"/zoneinfo/{file.relative_to(folder)}": data for file, data in read if data.startswith(b"TZif")}


def _library(perl: HostPerl, others: list[Path]) -> dict[str, bytes]:
    """Perl's own modules, and those of other directories that are none of them."""
    own = {name: text_of(file) for name, file in core_modules(perl.source)}
    files = {f"/{perl.series}/{name}": text for name, text in own.items()}
    for folder in others:
        found = ((str(file.relative_to(folder)), file) for file in folder.rglob("*.p[lm]"))
        files |= {f"5/{name}": text_of(file) for name, file in found if name not in own}
    return files | {f"5/{name}": (_IN_PLACE / name).read_bytes() for name in _BESIDE} | _stand_ins()


def _stand_ins() -> dict[str, bytes]:
    """`STAND_INS`, for instead.c. Each says at its end that what it stands for is loaded."""
    texts = {name: (_IN_PLACE / name).read_bytes() for name in STAND_INS}
    return {f"/instead/{name}": text + f"\n$INC{{{name!r}}} = __FILE__;\n1;\n".encode() for name, text in texts.items()}
