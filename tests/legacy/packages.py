"""Debian's packages, unpacked in a directory: nothing is installed on the machine."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
KEPT = PROJECT / "build" / "debian-packages"
"""Where what was downloaded stays for the next run."""


def fetch(names: Sequence[str]) -> dict[str, Path]:
    """The files of packages, by name, in the version that apt would install. Raises CalledProcessError."""
    KEPT.mkdir(parents=True, exist_ok=True)
    found = _kept()
    missing = [name for name in names if name not in found]
    if missing and _download(missing):
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "download", "-qq", *missing], cwd=KEPT, check=True)
    found = _kept()
    return {name: found[name] for name in names}


def _download(names: Sequence[str]) -> int:
    return subprocess.run(["apt-get", "download", "-qq", *names], cwd=KEPT, capture_output=True, check=False).returncode


def _kept() -> dict[str, Path]:
    return {path.name.partition("_")[0]: path for path in sorted(KEPT.glob("*.deb"))}


def unpack(packages: Sequence[Path], tree: Path) -> None:
    """Their files, where they would be installed, below `tree`. Raises CalledProcessError."""
    tree.mkdir(exist_ok=True)
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, tree], check=True)
    tree.chmod(0o755)


def upstream_version(package: Path) -> str:
    """The version of the program in a package: without Debian's revision, which changes with each repair."""
    version = subprocess.run(
        ["dpkg-deb", "-f", package, "Version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return version.rpartition(":")[2]
