"""Perl modules from Debian's packages: what CGI scripts use and Perl itself has not (any more).

apt fetches them and checks where they come from. Nothing is installed: where the machine's own
lists of packages are missing or old, lists of the build's own are made from the same sources.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.interpreters.build import run
from wsgi_wasm.interpreters.model import Waiting

NAMES = (
    *("libcgi-pm-perl", "libhtml-template-perl", "libhtml-tagset-perl", "libjson-perl", "libtimedate-perl"),
    *("liburi-perl", "libcgi-session-perl", "libtext-template-perl", "libdbi-perl"),
)
"""Packages of modules that are written in Perl. Perl's own modules come from a package whose name
has Perl's version."""

_PLACES = ("usr/share/perl5", "usr/share/perl/5.*", "usr/lib/*/perl5/5.*")
_LEFT_OUT = (
    *(
        "App/",
        "Bundle/",
        "CPAN",
        "DBD/",
        "DBI/Gofer/",
        "DBI/Proxy",
        "DBI/SQL/",
        "DBI/W32",
        "Dumpvalue.pm",
        "ExtUtils/",
        "Module/CoreList",
        "Perl/",
        "Pod/Perldoc",
        "TAP/",
        "Test",
        "Unicode/",
        "Win32/",
    ),
    *("auto/", "debian/", "pod/", "unicore/lib/", "perl5db.pl", "ok.pm"),
)
_IN_ENGLISH = {"LC_ALL": "C"}  # what apt says is read here
_TOOLS = ("apt-get", "apt-cache", "dpkg-deb")


def fetch_modules(work: Path, target: Path, waiting: Waiting) -> None:
    """Write the modules of the packages into the directory `target`. `work` is for this function's
    files. Raises BuildError, OSError."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise BuildError(f"CGI.pm and other modules for Perl are from Debian's packages, but there is no {missing[0]}")
    packages = work / "debian"
    packages.mkdir()
    try:
        _download([], packages, waiting)
    except BuildError:
        _download(_own_lists(work / "apt", waiting), packages, waiting)
    for package in sorted(packages.glob("*.deb")):
        run(["dpkg-deb", "-x", str(package), str(packages / "files")], {}, lambda seconds: None)
    for place in _PLACES:
        for folder in sorted((packages / "files").glob(place)):
            if not folder.is_symlink():
                _copy(folder, target)


def _download(options: Sequence[str], packages: Path, waiting: Waiting) -> None:
    names = [*NAMES, package_of_perl(options)]
    command = ["apt-get", "-q", *options, "download", *names]
    run(command, _IN_ENGLISH, lambda seconds: waiting("fetching Debian's modules for Perl", seconds), packages)


def package_of_perl(options: Sequence[str]) -> str:
    """The name of the package of Perl's own modules; `options` are apt's. Raises BuildError."""
    command = ["apt-cache", *options, "depends", "--important", "perl"]
    said = run(command, _IN_ENGLISH, lambda seconds: None)
    names = [line.split()[-1] for line in said.splitlines() if "Depends: perl-modules-" in line]
    if not names:
        raise BuildError("apt knows no package of Perl's own modules")
    return names[0]


def _own_lists(place: Path, waiting: Waiting) -> list[str]:
    """Options by which apt uses lists of packages in `place`, which this makes."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (place / folder).mkdir(parents=True)
    options = {
        "Dir::State": place / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": place / "cache",
        "Debug::NoLocking": "1",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    command = ["apt-get", "-q", *words, "update"]
    run(command, _IN_ENGLISH, lambda seconds: waiting("reading Debian's lists of packages", seconds))
    return words


def _copy(folder: Path, target: Path) -> None:
    for path in folder.rglob("*.p[lm]"):
        name = path.relative_to(folder).as_posix()
        copy = target / name
        if not name.startswith(_LEFT_OUT) and path.is_file() and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
