"""A project folder of Wasm Workers Server as a route that serves it in place: `interface: wws`
reads the folder as it is, and what has to be said here is what its workers may keep, and which
variables of the server they get."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.config.scalars import LABEL, MODULE_SUFFIXES, variable
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.files.beneath import read_beneath
from wsgi_wasm.files.text import decoded
from wsgi_wasm.importers.imported import NO_OPTIONS, Imported, Options
from wsgi_wasm.importers.report import ImportReport
from wsgi_wasm.importers.yaml_text import comment, host_path, scalar, value
from wsgi_wasm.messages import reason
from wsgi_wasm.wws.layout import Layout, is_worker
from wsgi_wasm.wws.sidecar import Sidecar, SidecarError, read_sidecar

_SCRIPTS = (".js", ".py", ".rb")  # what its published runtimes run
_DEFAULT = "default"  # the namespace of workers that name none

_HEAD = (
    "Keys and values were in memory; here they are stored in `state_dir`.",
    "The front server must serve the files in `public`.",
)


def convert(file: Path, base: Path, options: Options = NO_OPTIONS) -> Imported:
    """See the package; `file` is a folder."""
    root = Path(os.path.realpath(file))
    if not root.is_dir():
        raise ConfigError([Problem(str(file), 0, 0, "is not a directory")])
    files = sorted(_files(root))
    environ = _Environ()
    sidecars = _sidecars(root, Layout(name for name in files if name.endswith(MODULE_SUFFIXES)).files, environ)
    kept = sorted({sidecar.namespace or _DEFAULT for sidecar in sidecars.values()})
    labels = [name for name in kept if re.fullmatch(LABEL, name)]
    lines = comment(f"from {file}")
    for remark in (*_HEAD, *_project_remarks(root, files)):
        lines += comment(remark)
    lines.append("state_dir: state")
    if labels:
        lines += ["key_value:", *(f"  {scalar(name)}: {{}}" for name in labels)]
    lines += ["routes:", "  /:", f"    directory: {scalar(host_path(root, base))}", "    interface: wws"]
    if labels:
        lines.append(f"    key_value: {value(labels)}")
    lines += _env(environ)
    for name, sidecar in sidecars.items():
        for remark in _remarks(root, name, sidecar):
            lines += comment(f"{name} {remark}", "    ")
    return Imported("\n".join(lines) + "\n", ImportReport())


def _files(root: Path) -> Iterator[str]:
    for directory, below, names in os.walk(root):
        below[:] = [name for name in below if is_worker(name)]
        for name in filter(is_worker, names):
            yield (Path(directory).relative_to(root) / name).as_posix()


class _Environ(dict[str, str]):
    """Has every variable, and remembers which were asked for: they need not be set where a
    site is written."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        self[name] = ""
        return ""


def _sidecars(root: Path, workers: list[str], environ: _Environ) -> dict[str, Sidecar]:
    """What the `.toml` files beside workers say, by worker. Raises ConfigError with the mistakes of
    all of them."""
    found, problems = {}, []
    for worker in workers:
        beside = Path(worker).with_suffix(".toml")
        try:
            # As the worker would have it: not by a link to what lies outside of the project.
            found[worker] = read_sidecar(read_beneath(root, str(beside)), environ)
        except FileNotFoundError:
            found[worker] = Sidecar()
        except (OSError, SidecarError) as error:
            problems.append(Problem(str(root / beside), 0, 0, reason(error)))
    if problems:
        raise ConfigError(problems)
    return found


def _env(environ: _Environ) -> list[str]:
    """The server's variables that workers ask for; here the route has to have them."""
    names, others = [], []
    for name in sorted(environ):
        try:
            names.append(variable(name))
        except ValueError:
            others.append(name)
    lines = []
    if names:
        lines = comment("Some .toml files read these from the server's environment. All workers see them.", "    ")
        lines.append("    env: {" + ", ".join(f'{scalar(name)}: "${{{name}}}"' for name in names) + "}")
    if others:
        lines += comment(f".toml files also request {', '.join(map(repr, others))}, which no route can have.", "    ")
    return lines


def _project_remarks(root: Path, files: list[str]) -> Iterator[str]:
    scripts = [name for name in files if name.endswith(_SCRIPTS)]
    if scripts:
        yield (
            f"Not carried over, because the runtime that wrapped them does not exist here: "
            f"{', '.join(scripts)}. You can serve a script that reads and prints the JSON itself with `interpreters`."
        )
    project = root / ".wws.toml"
    if project.exists():
        try:
            tomllib.loads(decoded(read_beneath(root, project.name)))
        except (OSError, ValueError) as error:
            raise ConfigError([Problem(str(project), 0, 0, reason(error))]) from None
        yield "The runtimes that .wws.toml lists are not used."


def _remarks(root: Path, worker: str, sidecar: Sidecar) -> Iterator[str]:
    beside = (root / worker).parent
    for source, target in sidecar.folders:
        if Path(os.path.realpath(beside / source)).is_relative_to(root):
            yield f"could write to {source!r} and can only read it now; to change that, list {target} in `dirs`"
        else:
            yield f"is disabled until you remove the folder {source!r} from its .toml; `dirs` can give {target} to all"
    if sidecar.namespace is not None and not re.fullmatch(LABEL, sidecar.namespace):
        yield f"stores nothing: {sidecar.namespace!r} is not a valid store label"
    for name in sidecar.ignored:
        yield f"requests {name}, which is not supported"
