"""Paths for what is open already, for those who take nothing but a path.

What was opened and looked at is what they get, whatever has become of its name since.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from wsgi_wasm.logs import package_log

log = package_log("files")

_CLONE_FS = 0x200  # sched.h

T = TypeVar("T")


def with_path_of(directory: int, use: Callable[[bytes], T]) -> T:
    """What `use` gives for a path to the open directory, which leads there during the call alone.

    `use` may be called on another thread. Raises OSError where there is no such path.
    """
    if _has_proc():
        return use(b"/proc/self/fd/%d" % directory)
    return _standing_in(directory, use)


@cache
def _has_proc() -> bool:
    """Whether /proc shows this process's descriptors; said once where it does not."""
    descriptor = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        return os.path.samestat(os.stat(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor))
    except OSError as error:
        log.warning("/proc is missing (%s): a thread is started for each directory that a guest is given", error)
        return False
    finally:
        os.close(descriptor)


def _standing_in(directory: int, use: Callable[[bytes], T]) -> T:
    """Call it on a thread whose working directory, which is its own, is this one."""
    results: list[T] = []
    failures: list[BaseException] = []

    def stand_in() -> None:
        try:
            if _libc.unshare(_CLONE_FS):
                number = ctypes.get_errno()
                raise OSError(number, f"unshare: {os.strerror(number)}")
            os.fchdir(directory)
            results.append(use(b"."))
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=stand_in, name="wsgi_wasm-directory")
    thread.start()
    thread.join()
    try:
        if failures:
            raise failures[0]
    finally:
        failures.clear()  # an exception refers to this frame
    return results[0]


_libc = ctypes.CDLL(None, use_errno=True)
