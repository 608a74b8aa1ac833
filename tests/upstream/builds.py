"""Builds upstream's programs, each suite in its own way, below one directory and not in the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

from cargo import TARGET, toolchain  # noqa: E402
from componentize import python_component  # noqa: E402

from wsgi_wasm.errors import BuildError  # noqa: E402

from .cases import Case  # noqa: E402

CRATES = {"wasip2": "1.0.4+wasi-0.2.12", "wasi": "0.14.7+wasi-0.2.4", "wstd": "0.6.8"}
COMPONENTIZE = "componentize-py==0.17.2"
SPIN_SDK = "5.2.0"
OLD = ("integration-wasi-http-p2-streaming", "internal-http-streaming-back")  # need the SDK that they name
NEW_ERROR = ("http::Error::UnexpectedError(_)", "http::ErrorCode::HttpRequestDenied")  # its name in the newer one


@dataclass(frozen=True, slots=True)
class Built:
    """Where the programs of a suite are, and its Spin applications, if there are any."""

    find: Callable[[str], Path]
    apps: Path | None = None


def cargo(work: Path, place: Path, arguments: Iterable[str], target: Path) -> None:
    """`cargo build` for components in `place`. Raises BuildError."""
    tools = toolchain(work)
    command = ["nice", "-n", "10", str(tools.cargo), "build", "--quiet", "--ignore-rust-version", "--target", TARGET]
    environ = {**os.environ, **tools.environ, "CARGO_TARGET_DIR": str(target)}
    print(f"building in {place}", file=sys.stderr, flush=True)
    done = subprocess.run([*command, *arguments], cwd=place, env=environ, check=False)
    if done.returncode:
        raise BuildError(f"cargo build in {place} failed")


def wasmtime(checkout: Path | None, work: Path, cases: Sequence[Case]) -> Built:
    """The test programs of the Wasmtime repository. Upstream makes components of them with its adapter; built for
    WASI 0.2 they need none."""
    assert checkout is not None
    target = work / "wasmtime"
    wanted = [f"--bin={name}" for name in _names(cases)]
    cargo(work, checkout / "crates" / "test-programs", ["--release", "--package=test-programs", *wanted], target)
    return Built(lambda name: target / TARGET / "release" / f"{name}.wasm")


def spin(checkout: Path | None, work: Path, cases: Sequence[Case]) -> Built:
    """The test components of Spin. They are one workspace, of which some members depend on what is in no registry:
    those that are not wanted stay out. The SDK is a newer one than they name, which knows a draft of WASI 0.2 alone."""
    assert checkout is not None
    tests, target = checkout / "tests", work / "spin"
    copy = work / "spin-sources"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    sources = tests / "test-components"
    shutil.copytree(checkout / "wit", copy / "wit")
    inside = copy / "tests" / "test-components" / "components"
    inside.mkdir(parents=True)
    shutil.copytree(sources / "helper", inside.parent / "helper")
    shutil.copy(sources / "components" / "Cargo.toml", inside)
    manifests = [(tests / case.app / "spin.toml").read_text("utf-8") for case in cases if case.app is not None]
    named = re.findall(r"%\{source=([^}]+)\}", "".join(manifests))
    for name in sorted({*_names(cases), *named}):
        shutil.copytree(sources / "components" / name, inside / name)
        crate = inside / name / "Cargo.toml"
        if name not in OLD:
            text = re.sub(r'spin-sdk = "2[0-9.]*"', f'spin-sdk = "={SPIN_SDK}"', crate.read_text("utf-8"))
            crate.write_text(re.sub(r'^http = "0[0-9.]*"', 'http = "1"', text, flags=re.MULTILINE))
            code = inside / name / "src" / ("main.rs" if (inside / name / "src" / "main.rs").exists() else "lib.rs")
            code.write_text(code.read_text("utf-8").replace(*NEW_ERROR), encoding="utf-8")
    cargo(work, inside, ["--keep-going"], target)

    def find(name: str) -> Path:
        library = _said("name", inside / name / "Cargo.toml").replace("-", "_")
        return target / TARGET / "debug" / f"{library}.wasm"

    return Built(find, tests)


def spin_rust_sdk(checkout: Path | None, work: Path, cases: Sequence[Case]) -> Built:
    """The examples of Spin's SDK for Rust, as it was for WASI 0.2."""
    assert checkout is not None
    target = work / "spin-rust-sdk"
    manifests = [found for case in cases for found in (checkout / str(case.app)).rglob("Cargo.toml")]
    wanted = sorted({_said("name", manifest) for manifest in manifests})
    cargo(work, checkout, [f"--package={name}" for name in wanted], target)
    return Built(lambda name: target / TARGET / "debug" / f"{name}.wasm", checkout)


def spin_python_sdk(checkout: Path | None, work: Path, cases: Sequence[Case]) -> Built:
    """Examples of Spin's SDK for Python, as it was for WASI 0.2, with the componentize-py of our own example."""
    assert checkout is not None
    built = {}
    for case in cases:
        app = checkout / str(case.app)
        wanted = [line.replace(" ", "") for line in (app / "requirements.txt").read_text("utf-8").splitlines()]
        packages = [COMPONENTIZE, *(line for line in wanted if line and not line.startswith("componentize-py"))]
        print(f"building {app.name}", file=sys.stderr, flush=True)
        built[case.run[0]] = python_component(app / "app.py", "spin-http", packages, work, f"{app.name}.wasm")
    return Built(built.__getitem__, checkout)


def crates(_checkout: Path | None, work: Path, cases: Sequence[Case], named: Collection[str] = tuple(CRATES)) -> Built:
    """Examples in published crates, `CRATE/EXAMPLE`: the crate is a dependency of one of ours, so that cargo fetches
    it; its examples are built where a copy of it lies."""
    built = {}
    for crate in named:
        wanted = [name.partition("/")[2] for name in _names(cases) if name.startswith(f"{crate}/")]
        if not wanted:
            continue
        place, target = work / "crates" / crate, work / "crates" / f"{crate}-target"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(_fetched(work, crate, CRATES[crate]), place)
        cargo(work, place, [f"--example={name}" for name in wanted], target)
        examples = target / TARGET / "debug" / "examples"
        for name in wanted:
            # A program keeps its name, and a library gets that of a Rust identifier.
            files = [examples / f"{spelled}.wasm" for spelled in (name, name.replace("-", "_"))]
            built[f"{crate}/{name}"] = next(file for file in files if file.exists())
    return Built(built.__getitem__)


def _fetched(work: Path, crate: str, version: str) -> Path:
    """Where cargo has put the source of a crate."""
    place = work / "crates" / f"fetch-{crate}"
    (place / "src").mkdir(parents=True, exist_ok=True)
    (place / "src" / "lib.rs").touch()
    (place / "Cargo.toml").write_text(
        f'[package]\nname = "fetch"\nedition = "2021"\n[dependencies]\n{crate} = "={version}"\n', encoding="utf-8"
    )
    tools = toolchain(work)
    command = [str(tools.cargo), "metadata", "--quiet", "--format-version=1", f"--manifest-path={place / 'Cargo.toml'}"]
    done = subprocess.run(command, env={**os.environ, **tools.environ}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"cargo metadata failed:\n{done.stderr}")
    packages = json.loads(done.stdout)["packages"]
    return Path(next(one["manifest_path"] for one in packages if one["name"] == crate)).parent


def _names(cases: Sequence[Case]) -> list[str]:
    return sorted({name for case in cases for name in case.run})


def _said(key: str, manifest: Path) -> str:
    found = re.search(rf'^{key} = "([^"]+)"$', manifest.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f"{manifest} does not set {key}")
    return found[1]


@dataclass(frozen=True, slots=True)
class Build:
    """How a suite is built: from a checkout, or from a registry by name."""

    build: Callable[[Path | None, Path, Sequence[Case]], Built]
    help: str
    needs_checkout: bool = True


SUITES: Mapping[str, Build] = {
    "wasmtime": Build(wasmtime, "a checkout of Wasmtime"),
    "spin": Build(spin, "a checkout of Spin"),
    "spin-rust-sdk": Build(spin_rust_sdk, "a checkout of Spin's SDK for Rust, of version 5"),
    "spin-python-sdk": Build(spin_python_sdk, "a checkout of Spin's SDK for Python, of version 3"),
    "crates": Build(crates, "examples in published crates, which cargo fetches", needs_checkout=False),
}
