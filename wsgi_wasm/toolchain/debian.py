"""Sources of Debian's packages, by the machine's own apt.

apt checks what it fetches by the keys that the machine trusts. What is written lies in a directory
of ours: the machine's own lists and settings stay as they are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.toolchain.runtime import kept_in

Waiting = Callable[[str, float], None]

_ETC = Path("/etc/apt")
_FRESH = 86400.0  # seconds for which a list of packages is used
_TOOLS = {"apt-get": "apt", "dpkg-source": "dpkg-dev"}
_LINE = re.compile(r"\s*deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)")


def fetch_source(package: str, work: Path, waiting: Waiting = lambda step, seconds: None) -> Path:
    """The directory in `work` with the unpacked sources of a package of Debian's, its patches
    applied: the newest version that the mirror has. Raises BuildError."""
    settings = _settings()
    _update(settings, waiting)
    waiting(f"fetching the sources of {package}", 0)
    wrong = ""
    for wanted in (package, *(f"{package}={version}" for version in _versions(package, settings))):
        done = _apt(["apt-get", "source", "-qq", wanted], settings, work)
        found = next((path for path in sorted(work.iterdir()) if path.is_dir()), None)
        if done.returncode == 0 and found is not None:
            return found
        wrong = wrong or done.stderr.strip()
    raise BuildError(f"the sources of Debian's package {package} cannot be had: {wrong}")


def _versions(package: str, settings: Path) -> Iterator[str]:
    """What else there is: a mirror may lack the newest for a while."""
    done = _apt(["apt-cache", "showsrc", package], settings, None)
    found = re.findall(r"^Version: (\S+)$", done.stdout, re.MULTILINE)
    yield from sorted(set(found), key=found.index)


def _settings() -> Path:
    """apt's settings for this directory, made where they are not there. Raises BuildError."""
    for tool, provided in _TOOLS.items():
        if shutil.which(tool) is None:
            raise BuildError(
                f"this is built from the sources of a Debian package, and {tool} is not installed: "
                f"use Debian or a system derived from it, with its package {provided}"
            )
    lines = sorted(set(_source_lines()))
    if not lines:
        raise BuildError(f"{_ETC} names no archive of Debian's for this release, so there are no sources to fetch")
    directory = kept_in() / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "sources.list").write_text("".join(f"{line}\n" for line in lines))
    settings = directory / "apt.conf"
    settings.write_text(
        f'Dir::Etc::SourceList "{directory}/sources.list";\nDir::Etc::SourceParts "/dev/null";\n'
        f'Dir::State::Lists "{directory}/lists";\nDir::Cache "{directory}/cache";\n'
        'APT::Sandbox::User "root";\n'
    )
    return settings


def _source_lines() -> Iterator[str]:
    """The machine's own archives of this release, as sources."""
    release = _release()
    for file in (_ETC / "sources.list", *sorted((_ETC / "sources.list.d").glob("*.list"))):
        for line in _text(file).splitlines():
            if (found := _LINE.match(line)) and found[3].startswith(release):
                yield f"deb-src {found[1] or ''}{found[2]} {found[3]} {found[4].strip()}"
    for file in sorted((_ETC / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", _text(file)):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
            suites = [suite for suite in fields.get("Suites", "").split() if suite.startswith(release)]
            signed = f"[signed-by={fields['Signed-By']}] " if fields.get("Signed-By", "").startswith("/") else ""
            for uri in fields.get("URIs", "").split():
                yield from (f"deb-src {signed}{uri} {suite} {fields.get('Components', '')}" for suite in suites)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def _release() -> str:
    """The name of this release, by which its suites begin. Raises BuildError."""
    known: dict[str, str] = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', _text(Path("/etc/os-release")), re.MULTILINE))
    name = known.get("VERSION_CODENAME", "")
    if not name or "debian" not in (known.get("ID"), *known.get("ID_LIKE", "").split()):
        raise BuildError("this is built from the sources of a Debian package, and this system is not Debian")
    return name


def _update(settings: Path, waiting: Waiting) -> None:
    lists = settings.parent / "lists"
    if any(lists.glob("*_Sources*")) and time.time() - lists.stat().st_mtime < _FRESH:
        return
    waiting("fetching Debian's list of sources", 0)
    done = _apt(["apt-get", "update", "-qq"], settings, None)
    if done.returncode:
        raise BuildError(f"Debian's list of sources cannot be had: {done.stderr.strip()}")
    os.utime(lists)


def _apt(command: list[str], settings: Path, folder: Path | None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "APT_CONFIG": str(settings), "LC_ALL": "C"}
    return subprocess.run(
        command, env=environ, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
