"""Capabilities (capabilities(7)): what root may do besides owning files."""

from __future__ import annotations

import ctypes
import os

from wsgi_wasm.syscalls import call

_VERSION_3 = 0x20080522  # linux/capability.h
_WORDS = 2  # of 32 bits each

# linux/prctl.h
_CAPBSET_DROP, _AMBIENT, _AMBIENT_CLEAR_ALL = 24, 47, 4

# What reading and writing the files of others takes: CAP_CHOWN, CAP_DAC_OVERRIDE,
# CAP_DAC_READ_SEARCH, CAP_FOWNER. A server that runs as root serves them, and goes on doing so.
OF_ROOT = 0b1111


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop() -> None:
    """Give up every capability of this thread for good; root keeps those for files. Raises
    OSError."""
    for capability in range(64):
        try:
            call("prctl", _CAPBSET_DROP, capability, 0, 0, 0)
        except OSError:
            # EINVAL: there are no more; EPERM: what this process lacks, no program can give it,
            # as it gains no new privileges.
            break
    _clear_ambient()
    kept = OF_ROOT & _permitted() if os.geteuid() == 0 else 0
    sets = (_Sets * _WORDS)(_Sets(kept, kept, 0))
    call("capset", _Header(_VERSION_3, 0), sets)


def held() -> int:
    """The capabilities that this thread can use, as bits."""
    low, high = (int(one.permitted) for one in _read())
    return low | high << 32


def _permitted() -> int:
    return int(_read()[0].permitted)


def _read() -> ctypes.Array[_Sets]:
    sets = (_Sets * _WORDS)()
    call("capget", _Header(_VERSION_3, 0), sets)
    return sets


def _clear_ambient() -> None:
    call("prctl", _AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0)
