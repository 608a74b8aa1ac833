"""Packages for Python scripts: wheels without their compiled parts, with bytecode for the guest's
Python."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from email.parser import HeaderParser
from pathlib import Path

from wsgi_wasm.errors import BuildError
from wsgi_wasm.interpreters import packages_at
from wsgi_wasm.interpreters.build import fetch, pip_install
from wsgi_wasm.interpreters.model import Install, Waiting
from wsgi_wasm.interpreters.trees import copy_tree
from wsgi_wasm.messages import escaped

VERSION = "3.14"
"""The guest's Python, which decides what wheels are for it."""

# Wheels with compiled parts are taken, since many work without; this is whom they are made for.
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")

# pip judges markers such as `python_version >= "3.13"` by the Python that it runs in, and has no
# option for another one.
_PIP = f"""
import sys
from pip._vendor.packaging import markers
ours = markers.default_environment
markers.default_environment = lambda: ours() | dict.fromkeys(
    ("python_full_version", "implementation_version"), "{VERSION}.0"
) | {{"python_version": "{VERSION}"}}
from pip._internal.cli.main import main
sys.exit(main())
"""

_COMPILED = re.compile(r".*\.(?:so(?:\.[0-9.]+)?|pyd|dylib|dll|a)")
_NONE_FOUND = re.compile(r"No matching distribution found for (\S+)")

Componentize = Callable[[str, list[Path], Path, Path, Callable[[float], None]], None]


def install_packages(own: tuple[str, ...], sources: Path, componentize: Componentize) -> Install:
    """What installs packages, as `model.Install` says: with componentize-py, which is in the
    packages `own`, and the guest code `sources`."""

    def install(packages: Path, work: Path, target: Path, waiting: Waiting) -> None:
        if packages.is_dir():
            copy_tree(packages, target)
        else:
            _fetch_all(packages, target, waiting)
        modules = _without_compiled_parts(target)
        tools, program = work / "tools", work / "compiler"
        fetch(own, tools, waiting)
        shutil.copytree(sources, program, ignore=shutil.ignore_patterns("__pycache__"))
        settings = {"packages": "/2", "later": packages_at("python"), "modules": modules}
        (program / "wsgi_wasm_settings.json").write_text(json.dumps(settings), encoding="ascii")
        folders = [program, tools, target]
        componentize("packages", folders, work / "unused.wasm", tools, lambda s: waiting("compiling the packages", s))
        failing = json.loads((program / "wsgi_wasm_result.json").read_text("ascii"))["failing"]
        if failing:
            raise BuildError(
                "\n".join(
                    f"{escaped(packages)}: {escaped(name)} has compiled parts, and does not work without them "
                    f"({escaped(error)}): no script can use it here, so remove it"
                    for name, error in failing.items()
                )
            )

    return install


def _fetch_all(requirements: Path, target: Path, waiting: Waiting) -> None:
    if not requirements.exists():
        raise BuildError(f"{escaped(requirements)}: No such file or directory")
    arguments = ["--implementation", "cp", "--python-version", VERSION]
    for abi in (f"cp{VERSION.replace('.', '')}", "abi3", "none"):
        arguments += ["--abi", abi]
    for platform in _PLATFORMS:
        arguments += ["--platform", platform]
    arguments += ["--requirement", str(requirements)]
    try:
        # Relative names in the file are the file's own.
        name = requirements.name
        pip_install(arguments, target, requirements.parent, lambda s: waiting(f"fetching {name}", s), ("-c", _PIP))
    except BuildError as error:
        found = _NONE_FOUND.search(str(error))
        if found is None:
            raise BuildError(f"{escaped(requirements)}: {error}") from None
        raise BuildError(
            f"{escaped(requirements)}: {found[1]} is not there as a wheel for Python {VERSION}: name a version that "
            f"is, or if it is pure Python, make a wheel (`pip wheel {found[1]}`) and name that file"
        ) from None
    target.mkdir(exist_ok=True)  # pip makes none for an empty file


def _without_compiled_parts(target: Path) -> dict[str, list[str]]:
    """Remove them; the distributions that had any, each with the modules that it is imported
    by."""
    compiled = [path for path in target.rglob("*") if path.is_file() and _COMPILED.fullmatch(path.name)]
    owners: dict[str, set[str]] = {}
    for path in compiled:
        name = path.relative_to(target).as_posix()
        path.unlink()
        if name.startswith("bin/"):
            continue
        owner = next((one for one, names in _records(target) if name in names), name.partition("/")[0])
        owners.setdefault(owner, set()).add(name.partition("/")[0].partition(".")[0])
    tops = {owner: _modules(target, owner, names) for owner, names in owners.items()}
    return {owner: names for owner, names in tops.items() if names}


def _modules(target: Path, owner: str, touched: set[str]) -> list[str]:
    """What a distribution is imported by, if it can be by a name."""
    names = {
        name.partition("/")[0].removesuffix(".py")
        for one, files in _records(target)
        if one == owner
        for name in files
        if name.endswith(".py")
    } or touched
    # What is left of a package whose modules were all compiled is nothing; it fails by its name.
    return sorted(name for name in names if name.isidentifier() and not name.startswith("_"))


def _records(target: Path) -> Iterator[tuple[str, set[str]]]:
    """The installed distributions, with the files of each."""
    for folder in sorted(target.glob("*.dist-info")):
        try:
            metadata = HeaderParser().parsestr((folder / "METADATA").read_text("utf-8", "replace"))
            lines = (folder / "RECORD").read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        yield str(metadata["Name"]), {line.split(",")[0].strip('"') for line in lines}
