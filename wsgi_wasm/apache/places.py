"""Where httpd's configuration lies, and the commands that look at it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.files.beneath import resolved
from wsgi_wasm.messages import escaped, printable_lines, reason

_KNOWN = (Path("/etc/apache2"), Path("/etc/httpd/conf.d"), Path("/etc/httpd/conf/extra"))
_COMMANDS = ("apachectl", "apache2ctl", "httpd")
_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # where a user's PATH often does not lead
_PATIENCE = 120.0  # seconds


class ApacheError(WsgiWasmError):
    """Something about httpd that keeps a command from its work; in several lines where httpd has
    said something."""

    def __str__(self) -> str:
        return printable_lines(Exception.__str__(self))


@dataclass(frozen=True, slots=True)
class ConfPlaces:
    """Directories without links: files go into `available`, and links to those that httpd shall
    read into `enabled`, None where httpd reads all of `available`."""

    available: Path
    enabled: Path | None

    def directories(self) -> list[Path]:
        """Those in which something is written."""
        return [self.available] if self.enabled is None else [self.available, self.enabled]

    def link(self, name: str) -> tuple[Path, str] | None:
        """The link that enables a file, and what is in it."""
        if self.enabled is None:
            return None
        return self.enabled / name, os.path.relpath(self.available / name, self.enabled)


def find_places(directory: Path | None) -> ConfPlaces:
    """The places in or below `directory`; None looks at the usual ones. Raises ApacheError."""
    for root in (directory,) if directory is not None else _KNOWN:
        available, enabled = root / "conf-available", root / "conf-enabled"
        if available.is_dir() and enabled.is_dir():
            return ConfPlaces(resolved(available), resolved(enabled))
        if root.is_dir() and (directory is not None or root != _KNOWN[0]):
            return ConfPlaces(resolved(root), None)
    if directory is not None:
        raise ApacheError(f"{escaped(directory)} is not a directory")
    looked = ", ".join(map(str, _KNOWN))
    raise ApacheError(
        f"Apache's configuration is not in {looked}: name the directory whose *.conf files Apache reads with --conf-dir"
    )


def find_command(wanted: str | None) -> str:
    """The program that controls httpd. Raises ApacheError."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_PATH}"
    for name in (wanted,) if wanted else _COMMANDS:
        found = shutil.which(name, path=path)
        if found:
            return found
    if wanted:
        raise ApacheError(f"{escaped(wanted)}: there is no such program")
    raise ApacheError("apachectl is not found: name it with --apachectl")


def mistakes(command: str) -> str:
    """What `configtest` says is wrong with the configuration; "" where nothing is. Raises
    ApacheError."""
    try:
        ran = subprocess.run(
            [command, "configtest"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ApacheError(f"`{escaped(command)} configtest`: {reason(error)}") from None
    if ran.returncode == 0:
        return ""
    text = (ran.stderr + ran.stdout).decode("utf-8", "replace").strip()
    return text or f"`{command} configtest` ended with status {ran.returncode}"
