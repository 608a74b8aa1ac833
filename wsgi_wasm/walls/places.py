"""Where things lie that every Python process goes on reading: its own code, the C library's files,
the kernel's answers. As rules, for the process that calls."""

from __future__ import annotations

import os
import ssl
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from wsgi_wasm.files.python import interpreters
from wsgi_wasm.walls.landlock import PathRule, Rights

# For the C library: shared libraries that are loaded late, locales, zones.
_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib")
_SYSTEM = (
    *_LIBRARIES,
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/locale.alias"),
    *("/usr/share/zoneinfo", "/usr/share/locale", "/usr/share/i18n", "/usr/share/mime", "/etc/mime.types"),
    *("/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg", "/proc/uptime"),
    *("/proc/sys/vm", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/cap_last_cap", "/proc/sys/crypto"),
    *("/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup", "/sys/kernel/mm"),
    *("/dev/urandom", "/dev/random", "/dev/zero"),
)
_WRITTEN = ("/dev/null", "/dev/full")

# For names of servers and of users. Most of these are replaced by a rename when they change, and a
# rule is about the file that it was made for; where all are kept in a directory of their own, the
# rule is about that.
_NETWORK = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"),
    *("/etc/protocols", "/etc/passwd", "/etc/group", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ssl/cert.pem", "/etc/pki/tls", "/etc/pki/ca-trust"),
    *("/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/ssl"),
)


def existing(paths: Iterable[str | Path], rights: Rights) -> Iterator[PathRule]:
    """Rules for those that are there."""
    return (PathRule(Path(path), rights) for path in dict.fromkeys(map(str, paths)) if path and os.path.exists(path))


def system_places() -> list[PathRule]:
    """What the C library, Python and the engine read of the system, and the devices that everybody
    uses."""
    return [*existing(_SYSTEM, Rights.READ), *existing(_WRITTEN, Rights.WRITE)]


def network_places() -> list[PathRule]:
    """What it takes to find servers by name, and to trust their certificates."""
    found = ssl.get_default_verify_paths()
    certificates = (found.cafile, found.capath, found.openssl_cafile, found.openssl_capath)
    return list(existing((*_NETWORK, *(path for path in certificates if path)), Rights.READ))


def python_places() -> list[PathRule]:
    """The standard library, installed packages, and those packages from elsewhere of which a module
    is loaded, so that the rest of them can be imported later.

    Not every directory of `sys.path`: servers put the working directory there, which may be
    anything, up to `/`.
    """
    installed = {path for name, path in sysconfig.get_paths().items() if name not in ("data", "scripts", "include")}
    installed |= {path for path in sys.path if path.endswith(("site-packages", "dist-packages", ".zip"))}
    packages = set()
    for name, module in list(sys.modules.items()):
        if "." not in name:
            packages |= {str(path) for path in _paths(module)}
    places = (*sorted(installed), *_linked(installed), *sorted(packages), *_loaded_libraries())
    return list(existing(places, Rights.READ))


def _paths(module: object) -> Iterable[object]:
    """The directories of a package, a module's own file."""
    paths = getattr(module, "__path__", None) or [getattr(module, "__file__", None)]
    try:
        return [path for path in paths if isinstance(path, str) and path not in ("", "/")]
    except TypeError:
        return []


def _linked(directories: Iterable[str]) -> Iterator[str]:
    """Where packages really lie that are installed as links."""
    for directory in directories:
        with suppress(OSError), os.scandir(directory) as entries:
            yield from sorted(entry.path for entry in entries if entry.is_symlink())


def _loaded_libraries() -> list[str]:
    """The directories of shared libraries that are in use, wherever they were installed."""
    try:
        maps = Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    files = (line.split(None, 5)[5] for line in maps if "/" in line)
    return sorted({os.path.dirname(file) for file in files if ".so" in os.path.basename(file)} - {"/"})


def interpreter_places() -> list[PathRule]:
    """What it takes to start another Python process with this package: the interpreter and the
    loader of programs, which may be run, and what they look at to find the package."""
    loaders = [str(entry) for folder in _loaded_libraries() for entry in Path(folder).glob("ld-*")]
    loaders += ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"]
    package = Path(__file__).parents[2]
    return [
        *existing((*interpreters(), *loaders), Rights.RUN),
        *existing((f"{prefix}/pyvenv.cfg" for prefix in (sys.prefix, f"{sys.prefix}/bin")), Rights.READ),
        *existing((package,) if package != Path("/") else (), Rights.LIST),
    ]
