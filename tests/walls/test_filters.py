"""The filters of system calls as programs: run here call by call, for both processors, whatever this machine is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wsgi_wasm.syscalls import numbers
from wsgi_wasm.walls import Role
from wsgi_wasm.walls.calls import CHECKED, GROUPS, Extent, checks, kept, known
from wsgi_wasm.walls.seccomp import (
    ALLOW,
    AND,
    ARCHITECTURES,
    AT_LEAST,
    EQUAL,
    KILL,
    LOAD,
    REFUSE,
    RETURN,
    UNKNOWN,
    Instruction,
    program,
)

PROCESSORS = sorted(ARCHITECTURES)
EXTENTS = [Extent(role, connect, programs) for role in Role for connect in (False, True) for programs in (False, True)]


def answer(filter_: list[Instruction], architecture: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the filter says, by the rules of classic BPF (linux/filter.h)."""
    data = {0: number, 4: architecture}
    for position in range(6):
        value = arguments[position] if position < len(arguments) else 0
        data[16 + 8 * position] = value & 0xFFFFFFFF
    accumulator, place = 0, 0
    while True:
        code, if_true, if_false, value = filter_[place]
        place += 1
        if code == LOAD:
            accumulator = data[value]
        elif code == AND:
            accumulator &= value
        elif code == EQUAL:
            place += if_true if accumulator == value else if_false
        elif code == AT_LEAST:
            place += if_true if accumulator >= value else if_false
        else:
            assert code == RETURN
            return value


@pytest.mark.parametrize("extent", EXTENTS, ids=str)
@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_call_gets_its_answer(processor: str, extent: Extent) -> None:
    filter_, found = program(extent, processor), numbers(processor)
    assert len(filter_) < 4096
    checked, allowed = {check.call for check in checks(extent)}, kept(extent)
    for name, number in found.items():
        if name not in checked:
            expected = ALLOW if name in allowed else REFUSE if name in known() else UNKNOWN
            assert answer(filter_, ARCHITECTURES[processor], number) == expected, name
    taken = set(found.values())
    for number in {*range(max(taken) + 50), 10_000, 0x3FFFFFFF} - taken:
        assert answer(filter_, ARCHITECTURES[processor], number) == UNKNOWN, number


@pytest.mark.parametrize("processor", PROCESSORS)
def test_other_conventions(processor: str) -> None:
    filter_, found = program(EXTENTS[0], processor), numbers(processor)
    for architecture in (0x40000003, 0x40000028, *(ARCHITECTURES[other] for other in PROCESSORS if other != processor)):
        assert answer(filter_, architecture, found["getpid"]) == KILL
    x32 = 0x40000000 | found["getpid"]
    expected = KILL if processor == "x86_64" else UNKNOWN
    assert answer(filter_, ARCHITECTURES[processor], x32) == expected


ME = os.getpid()
CHILD, CONNECTING = Extent(Role.CHILD), Extent(Role.CHILD, connect=True)
WORKER, COMPILING = Extent(Role.WORKER), Extent(Role.WORKER, programs=True)

# A call with its arguments, and who may make it.
ARGUMENTS = [
    ("clone", (0x003D0F00,), (CHILD, CONNECTING, WORKER, COMPILING)),  # as glibc makes threads
    ("clone", (0x01200011,), (COMPILING,)),  # as glibc forks
    ("clone", (0x10000000 | 0x003D0F00,), ()),
    ("clone", (0x20000000 | 17,), ()),
    ("kill", (ME, 9), (CHILD, CONNECTING, WORKER, COMPILING)),
    ("kill", (ME + 1, 9), (COMPILING,)),
    ("kill", (0, 9), (COMPILING,)),
    ("kill", (-1, 9), (COMPILING,)),
    ("kill", (-ME, 9), (COMPILING,)),
    ("tgkill", (ME, ME, 6), (CHILD, CONNECTING, WORKER, COMPILING)),
    ("tgkill", (1, 1, 6), (COMPILING,)),
    ("prctl", (15,), (CHILD, CONNECTING, WORKER, COMPILING)),
    ("prctl", (4,), ()),  # PR_SET_DUMPABLE
    ("prctl", (0x59616D61,), ()),  # PR_SET_PTRACER
    ("prctl", (28,), ()),  # PR_SET_SECUREBITS
    ("prlimit64", (0, 7), (CHILD, CONNECTING, WORKER, COMPILING)),
    ("prlimit64", (1, 7), ()),
    ("ioctl", (0, 0x5401), (CHILD, CONNECTING, WORKER, COMPILING)),  # TCGETS
    ("ioctl", (0, 0x5412), ()),  # TIOCSTI
    ("ioctl", (0, 0x100005412), ()),  # the kernel takes 32 bits
    ("ioctl", (0, 0x541C), ()),  # TIOCLINUX
    ("ioctl", (0, 0x5423), ()),  # TIOCSETD
    ("ioctl", (0, 0x8902), ()),  # SIOCSPGRP
    ("fcntl", (0, 1030), (CHILD, CONNECTING, WORKER, COMPILING)),  # F_DUPFD_CLOEXEC
    ("fcntl", (0, 8), ()),
    ("fcntl", (0, 15), ()),
    ("fcntl", (0, 1024), ()),
    ("sendto", (0, 0, 0, 0x4000), (CHILD, CONNECTING, WORKER, COMPILING)),
    ("sendto", (0, 0, 0, 0x20004000), ()),
    ("sendmsg", (0, 0, 0x20000000), ()),
    ("sendmmsg", (0, 0, 1, 0x20000000), ()),
    ("fchmod", (0, 0o600), (CHILD, CONNECTING, WORKER, COMPILING)),
    ("fchmod", (0, 0o644), (CHILD, CONNECTING, WORKER, COMPILING)),
    ("fchmod", (0, 0o4755), (WORKER, COMPILING)),
    ("fchmod", (0, 0o602), (WORKER, COMPILING)),
    ("socket", (2, 0x80801, 0), (CONNECTING, WORKER, COMPILING)),
    ("socket", (10, 1, 6), (CONNECTING, WORKER, COMPILING)),
    ("socket", (2, 1, 262), ()),
    ("socket", (2, 1, 132), ()),
    ("socket", (2, 2, 0), (WORKER, COMPILING)),
    ("socket", (1, 1, 0), (WORKER, COMPILING)),
    ("socket", (1, 5, 0), (WORKER, COMPILING)),
    ("socket", (2, 5, 0), ()),
    ("socket", (2, 3, 1), ()),
    ("socket", (16, 3, 0), ()),
    ("socket", (17, 3, 0), ()),
    ("socket", (38, 5, 0), ()),
    ("socket", (40, 1, 0), ()),
    ("connect", (), (CONNECTING, WORKER, COMPILING)),
    ("execve", (), (COMPILING,)),
    ("execveat", (), (COMPILING,)),
]


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize(("call", "arguments", "allowed"), ARGUMENTS, ids=lambda value: str(value)[:40])
def test_arguments(processor: str, call: str, arguments: tuple[int, ...], allowed: tuple[Extent, ...]) -> None:
    number = numbers(processor)[call]
    for extent in (CHILD, CONNECTING, WORKER, COMPILING):
        found = answer(program(extent, processor), ARCHITECTURES[processor], number, arguments)
        assert found == (ALLOW if extent in allowed else REFUSE), extent


def test_each_call_stands_once() -> None:
    names = [name for one in (*GROUPS, *CHECKED) for name in one.names.split()]
    assert len(names) == len(set(names))
    everywhere = {name for processor in PROCESSORS for name in numbers(processor)}
    assert set(names) <= everywhere
    checked = {check.call for extent in EXTENTS for check in checks(extent)}
    assert checked | {"connect"} == {name for one in CHECKED for name in one.names.split()}


@pytest.mark.parametrize("processor", PROCESSORS)
def test_numbers(processor: str, tmp_path: Path) -> None:
    """As the kernel's own headers have them, which the C compiler of the tests brings along."""
    source = tmp_path / "calls.c"
    source.write_text("#include <asm/unistd.h>\n")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", f"{processor}-linux-musl", "-E", "-dM", str(source)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    defined = dict(re.findall(r"#define (__NR\w+) (\S+)", text))
    found = {}
    for name, value in defined.items():
        while value in defined:
            value = defined[value]
        if value.isdecimal() and not re.fullmatch("__NR_(syscalls|arch_specific_syscall|3264_.*)", name):
            found[name.removeprefix("__NR_")] = int(value)
    own = numbers(processor)
    assert {name: own.get(name) for name in found} == found
