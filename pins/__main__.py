"""`python -m pins [NAME ...]`: takes the newest versions that fit what is wanted, and writes them down.

Run it in `.venv-test`. Names are those of the files: `test`, `javascript`, `http-rust`, ...; all of them by default.
Versions that are wanted exactly are renewed by hand first: in `NAME.in`, `package.json`, `Cargo.toml`, setup.cfg and
`rust-toolchain.toml`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PINS = Path(__file__).resolve().parent
PROJECT = PINS.parent
EXAMPLES = PROJECT / "examples"
sys.path.insert(0, str(EXAMPLES))

from cargo import new_lock, toolchain, without_sources  # noqa: E402

# What lock files of npm tell of packages besides: addresses, and what was true on the day.
REMARKS = ("resolved", "funding", "deprecated")


def renew_python(name: str, work: Path) -> str:
    """What pip installs now for `NAME.in`. Of pip and setuptools themselves only where they are wanted there."""
    wanted = PINS / f"{name}.in"
    subprocess.run([sys.executable, "-m", "venv", work], check=True)
    pip = [work / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--upgrade", "pip"], check=True)
    subprocess.run([*pip, "install", "-qq", "-r", wanted], cwd=PROJECT, check=True)
    freeze = [*pip, "freeze", "--exclude", "wsgi-wasm", *(["--all"] if "\npip\n" in wanted.read_text("utf-8") else [])]
    frozen = subprocess.run(freeze, capture_output=True, text=True, check=True)
    return f"# Made by python -m pins from {wanted.name}\n{frozen.stdout}"


def renew_crates(name: str, work: Path) -> str:
    """What cargo takes now for the example of this name."""
    shutil.copytree(EXAMPLES / name / "src", work / "src")
    manifest = Path(shutil.copy(EXAMPLES / name / "Cargo.toml", work))
    return without_sources(new_lock(manifest, toolchain(PROJECT / "build" / "guests")))


def renew_javascript(name: str, work: Path) -> str:
    """What npm takes now for `package.json`."""
    shutil.copy(PINS / name / "package.json", work)
    npm = shutil.which("npm") or str(Path(sys.executable).parent / "npm")
    command = [npm, "install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"]
    subprocess.run([*command, "--no-audit", "--no-fund"], cwd=work, check=True)
    lock: dict[str, Any] = json.loads((work / "package-lock.json").read_text("utf-8"))
    for package in lock["packages"].values():
        for remark in REMARKS:
            package.pop(remark, None)
    return json.dumps(lock, indent=2) + "\n"


Renew = Callable[[str, Path], str]

FILES: Mapping[Path, tuple[str, Renew]] = {
    **{path.with_suffix(".txt"): (path.stem, renew_python) for path in sorted(PINS.glob("*.in"))},
    **{PINS / f"{path.parent.name}.lock": (path.parent.name, renew_crates) for path in EXAMPLES.glob("*/Cargo.toml")},
    PINS / "javascript" / "package-lock.json": ("javascript", renew_javascript),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pins", description="Renew the versions in pins/.")
    known = sorted(name for name, _ in FILES.values())
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(known)} (default: all)")
    names = parser.parse_args().names or known
    if unknown := set(names) - set(known):
        parser.error(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    for path, (name, renew) in FILES.items():
        if name in names:
            print(path.relative_to(PROJECT), flush=True)
            with tempfile.TemporaryDirectory() as work:
                path.write_text(renew(name, Path(work)), encoding="utf-8")


if __name__ == "__main__":
    main()
