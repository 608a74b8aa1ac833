"""Filters of system calls (seccomp(2)), as programs of the kernel's classic BPF."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Mapping
from itertools import groupby

from wsgi_wasm.syscalls import AARCH64, X86_64, call, machine, numbers
from wsgi_wasm.walls.calls import Check, Extent, checks, kept, known

# linux/seccomp.h, linux/audit.h
_SET_MODE_FILTER, _GET_ACTION_AVAIL, _TSYNC = 1, 2, 1
_KILL_PROCESS, _ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
REFUSE = _ERRNO | errno.EPERM
UNKNOWN = _ERRNO | errno.ENOSYS
KILL = _KILL_PROCESS
ARCHITECTURES: Mapping[str, int] = {X86_64: 0xC000003E, AARCH64: 0xC00000B7}
_X32 = 0x40000000  # numbers from here on are those of x32 (asm/unistd.h)

# struct seccomp_data: nr, arch, instruction_pointer, args[6]; both processors are little-endian
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

# linux/filter.h: codes of the few instructions that are used
LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06

Instruction = tuple[int, int, int, int]
"""The code, how many instructions to skip where a comparison holds, and where not, and a value."""


class _Filter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _FilterProgram(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter)))


def missing() -> list[str]:
    """What this kernel or processor cannot do, one sentence each."""
    if machine() not in ARCHITECTURES:
        return [f"system calls are not filtered: their numbers on {machine()} are not known"]
    try:
        call("seccomp", _GET_ACTION_AVAIL, 0, ctypes.c_uint32(_ERRNO))
    except OSError:
        return ["system calls are not filtered: this kernel, or what the server runs in, has no seccomp filters"]
    return []


def install(extent: Extent, *, every_thread: bool) -> None:
    """Filter the calls of this thread and of what it starts; with `every_thread`, of the whole
    process. Needs no_new_privs. Raises OSError."""
    instructions = program(extent, machine())
    array = (_Filter * len(instructions))(*(_Filter(*one) for one in instructions))
    other = call("seccomp", _SET_MODE_FILTER, _TSYNC if every_thread else 0, _FilterProgram(len(array), array))
    if other:
        raise OSError(errno.EBUSY, f"thread {other} has a filter of its own")


def program(extent: Extent, processor: str) -> list[Instruction]:
    """The filter for a processor."""
    found = numbers(processor)
    result = [(LOAD, 0, 0, _ARCHITECTURE), (EQUAL, 1, 0, ARCHITECTURES[processor]), (RETURN, 0, 0, KILL)]
    result.append((LOAD, 0, 0, _NUMBER))
    if processor == X86_64:
        result += [(AT_LEAST, 0, 1, _X32), (RETURN, 0, 0, KILL)]
    checked = sorted(checks(extent), key=lambda check: check.call)
    for name, of_call in groupby(checked, key=lambda check: check.call):
        block = _checked(list(of_call))
        result += [(EQUAL, 0, len(block), found[name]), *block]
    actions = {found[name]: REFUSE for name in known() if name in found}
    actions |= {found[name]: ALLOW for name in kept(extent) if name in found}
    return result + _search(_ranges(actions))


def _checked(all_of: list[Check]) -> list[Instruction]:
    """Instructions that end with an answer."""
    result: list[Instruction] = []
    for check in all_of:
        block = _check(check)
        if check.unless is not None:
            argument, value = check.unless
            result += [(LOAD, 0, 0, _ARGUMENTS + 8 * argument), (EQUAL, len(block), 0, value)]
        result += block
    return [*result, (RETURN, 0, 0, ALLOW)]


def _check(check: Check) -> list[Instruction]:
    """Instructions that end with a refusal, or go on behind them."""
    result: list[Instruction] = [(LOAD, 0, 0, _ARGUMENTS + 8 * check.argument)]
    if check.mask != 0xFFFFFFFF:
        result.append((AND, 0, 0, check.mask))
    # Each value but the last leads over those that follow: behind the refusal, or to it.
    behind = 1 if check.only else 0
    for left, value in zip(reversed(range(len(check.values))), check.values, strict=True):
        result.append((EQUAL, left + behind, 0, value))
    if not check.only:
        result[-1] = (EQUAL, 0, 1, check.values[-1])
    return [*result, (RETURN, 0, 0, REFUSE)]


def _ranges(actions: Mapping[int, int]) -> list[tuple[int, int]]:
    """Numbers from which on another answer holds, in order, each with the answer."""
    result: list[tuple[int, int]] = []
    for number in range(max(actions) + 2):
        action = actions.get(number, UNKNOWN)
        if not result or result[-1][1] != action:
            result.append((number, action))
    return result


def _search(ranges: list[tuple[int, int]]) -> list[Instruction]:
    """A binary search for the range of a number."""
    if len(ranges) == 1:
        return [(RETURN, 0, 0, ranges[0][1])]
    middle = len(ranges) // 2
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    if len(below) > 255:  # more than a jump can skip
        raise OverflowError("too many ranges of system calls for one filter")
    return [(AT_LEAST, len(below), 0, ranges[middle][0]), *below, *above]
