"""Landlock (landlock(7)): what files a process may still open, which TCP ports it may connect to,
and whom it may send signals.

A ruleset names what it handles, and everything handled is refused unless a rule allows it. Each
version of the interface (ABI) handles more. What Landlock does not handle in any version: status,
mode, owner, times and attributes of files by path, and sockets that are not TCP. The filter of
system calls (`seccomp`) closes of that what it can.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from wsgi_wasm.syscalls import call

# linux/landlock.h, with the ABI that brought each
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FILE_RIGHTS = ((1, (1 << 13) - 1), (2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_PORTS_FROM = 4
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1
_SCOPES_FROM = 6
_TSYNC, _TSYNC_FROM = 1 << 3, 8

_VERSION = 1 << 0
_RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 2

# What a rule about a file, rather than a directory, can allow.
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


class Rights(Enum):
    """What a rule allows, beneath a directory or of a file. Devices, sockets and pipes can be made
    nowhere."""

    READ = _READ_FILE | _READ_DIR
    WRITE = READ | _WRITE_FILE | _TRUNCATE | _MAKE_REG | _MAKE_DIR | _MAKE_SYM | _REMOVE_FILE | _REMOVE_DIR | _REFER
    APPEND = _WRITE_FILE | _MAKE_REG
    """For logs that are opened again: neither read, nor removed, nor emptied."""
    RUN = READ | _EXECUTE
    LIST = _READ_DIR


@dataclass(frozen=True, slots=True)
class PathRule:
    """What is allowed beneath a directory, or of a file. `path` may be a descriptor, for a place
    that was opened before."""

    path: Path | int
    rights: Rights


class _RulesetAttr(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _NetPortAttr(ctypes.Structure):
    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


@cache
def abi() -> int:
    """The version of Landlock that this kernel has; 0 where it has none or it is switched off."""
    try:
        return call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def confines_ports() -> bool:
    """Whether connections can be confined to some ports."""
    return abi() >= _PORTS_FROM


def confines_every_thread() -> bool:
    """Whether a process that has threads can be confined; else only the calling thread would be."""
    return abi() >= _TSYNC_FROM


def missing() -> list[str]:
    """What this kernel's Landlock cannot do, one sentence each."""
    version = abi()
    if not version:
        return [
            "Landlock is not available (it needs Linux 5.13, and `landlock` in the kernel's list of security "
            "modules): processes can open every file that their user can"
        ]
    lacks = (
        (2, "files cannot be moved from one directory to another, and wherever that is tried it fails (Linux 5.19)"),
        (_PORTS_FROM, "connections cannot be confined to ports (Linux 6.7)"),
        (_SCOPES_FROM, "abstract Unix sockets and signals are not confined (Linux 6.12)"),
    )
    return [f"Landlock is version {version}: {text}" for needed, text in lacks if version < needed]


def _handled(version: int) -> int:
    return sum(rights for since, rights in _FILE_RIGHTS if since <= version)


class Ruleset:
    """What a process will be confined to. Paths are opened here, so that this can come before the
    process changes its user; nothing is confined before `restrict`.

    `ports` are those that TCP may connect to, and then none can be listened on; None leaves TCP
    alone. `absent` are the paths of rules that do not exist: nothing is allowed there. Raises
    OSError.
    """

    def __init__(self, rules: Iterable[PathRule], ports: Iterable[int] | None) -> None:
        version = abi()
        self._handled = _handled(version)
        with_ports = ports is not None and confines_ports()
        attributes = _RulesetAttr(
            handled_access_fs=self._handled,
            handled_access_net=_BIND_TCP | _CONNECT_TCP if with_ports else 0,
            scoped=_SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if version >= _SCOPES_FROM else 0,
        )
        self.absent: list[Path] = []
        # An older kernel takes a longer structure if what it does not know is zero.
        self._ruleset = call("landlock_create_ruleset", attributes, ctypes.sizeof(attributes), 0)
        try:
            for rule in rules:
                self._allow(rule)
            for port in ports if with_ports and ports is not None else ():
                allowed = _NetPortAttr(_CONNECT_TCP, port)
                call("landlock_add_rule", self._ruleset, _RULE_NET_PORT, allowed, 0)
        except BaseException:
            self.close()
            raise

    def _allow(self, rule: PathRule) -> None:
        if isinstance(rule.path, int):
            self._allow_opened(rule.path, rule.rights)
            return
        try:
            opened = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            # A place that cannot be reached needs no rule.
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
                raise
            self.absent.append(rule.path)
            return
        try:
            self._allow_opened(opened, rule.rights)
        finally:
            os.close(opened)

    def _allow_opened(self, descriptor: int, rights: Rights) -> None:
        allowed = rights.value & self._handled
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            allowed &= _OF_FILES
        call("landlock_add_rule", self._ruleset, _RULE_PATH_BENEATH, _PathBeneathAttr(allowed, descriptor), 0)

    def restrict(self, *, every_thread: bool) -> None:
        """Confine the calling thread, and what it starts; with `every_thread`, the whole process.
        Needs no_new_privs. Raises OSError."""
        call("landlock_restrict_self", self._ruleset, _TSYNC if every_thread else 0)
        self.close()

    def close(self) -> None:
        """Give up the ruleset, applied or not."""
        if self._ruleset >= 0:
            with suppress(OSError):
                os.close(self._ruleset)
            self._ruleset = -1
