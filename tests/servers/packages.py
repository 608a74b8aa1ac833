"""A Python home for mod_wsgi: the packages under test, for the Python that mod_wsgi was built for.

mod_wsgi brings its own libpython (Debian's), which need not be the interpreter that runs the tests, and as root Apache
runs as another user, who may not enter the directory that the tests' virtualenv lies in. So a virtualenv of Debian's
Python is laid out by hand where needed, with links to the packages, or copies where links would lead nowhere.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import sys
from pathlib import Path

from .process import ServerError

PACKAGES = ("wsgi_wasm", "wasmtime", "yaml", "_yaml", "werkzeug", "markupsafe")
DISTRIBUTIONS = ("wsgi_wasm", "wasmtime", "PyYAML", "Werkzeug", "MarkupSafe")


def package_parent() -> Path:
    """The directory that the `wsgi_wasm` under test is imported from."""
    spec = importlib.util.find_spec("wsgi_wasm")
    if spec is None or not spec.submodule_search_locations:
        raise ServerError("wsgi_wasm cannot be imported by the tests")
    return Path(spec.submodule_search_locations[0]).resolve().parent


def others_reach(path: Path) -> bool:
    """Whether a user who is not the owner of anything on the way can read what lies at `path`."""
    path = path.resolve()
    if any(not parent.stat().st_mode & stat.S_IXOTH for parent in path.parents):
        return False
    wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    return path.stat().st_mode & wanted == wanted


def python_of(module: Path) -> str:
    """The Python version ("3.11") whose library a mod_wsgi.so is linked with. Raises ServerError when none is found."""
    found = re.search(rb"libpython(3\.\d+)", module.read_bytes())
    if found is None:
        raise ServerError(f"{module}: linked with no libpython3")
    return found[1].decode("ascii")


def python_home(module: Path, place: Path, *, foreign_user: bool) -> Path:
    """A directory for mod_wsgi's `python-home`: the tests' own virtualenv if it fits, else one laid out in `place`.

    Raises ServerError when the tests run on another minor version of Python than mod_wsgi's.
    """
    theirs, ours = python_of(module), f"{sys.version_info[0]}.{sys.version_info[1]}"
    if theirs != ours:
        raise ServerError(
            f"{module} is made for Python {theirs}, the tests run on {ours}: "
            f"make the virtualenv with python{theirs} to test under Apache"
        )
    prefix = Path(sys.prefix)
    debian = sys.base_prefix == "/usr" and sys.prefix != sys.base_prefix
    if debian and package_parent().is_relative_to(prefix.resolve()) and (not foreign_user or others_reach(prefix)):
        return prefix
    return lay_out(place, theirs, foreign_user=foreign_user)


def lay_out(place: Path, version: str, *, foreign_user: bool) -> Path:
    """What `python3 -m venv` would make of Debian's Python, with the packages that serving needs."""
    site = place / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True)
    (place / "bin").mkdir()
    (place / "bin" / "python").symlink_to(f"/usr/bin/python{version}")
    (place / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n", encoding="utf-8"
    )
    for source in sorted(_sources()):
        target = site / source.name
        if not foreign_user or _all_reach(source):
            target.symlink_to(source)
        elif source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    _open(place)
    return place


def _sources() -> set[Path]:
    """Package directories and their metadata (`importlib.metadata` shall work there too)."""
    found = set()
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            found.add(Path(spec.submodule_search_locations[0]).resolve())
    for name in DISTRIBUTIONS:
        try:
            files = importlib.metadata.distribution(name).files or []
        except importlib.metadata.PackageNotFoundError:
            continue  # run from a checkout
        tops = {file.parts[0]: file for file in files if file.parts[0].endswith(".dist-info")}
        found |= {Path(str(file.locate())).resolve().parent for file in tops.values() if len(file.parts) == 2}
    return found


def _all_reach(source: Path) -> bool:
    return others_reach(source) and all(others_reach(path) for path in source.rglob("*") if path.exists())


def _open(place: Path) -> None:
    """Read and search for everyone, whatever the umask and the sources' modes were."""
    for folder, names, files in os.walk(place):
        for entry in (*names, *files):
            path = Path(folder, entry)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    place.chmod(0o755)
