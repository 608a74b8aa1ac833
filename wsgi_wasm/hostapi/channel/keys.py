"""Keys derived from passwords, by PBKDF2 (RFC 8018) and scrypt (RFC 7914), and the hashes of
crypt(3).

A guest would compute them a hundred times slower. They are meant to take long, so that each is made
in a thread of its own, which the run waits for no longer than it may last.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable
from functools import cache

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.run import current
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.channel.service import Service, Words

MOST_ITERATIONS = 10_000_000  # of PBKDF2, for all blocks of the key together: seconds
MOST_MEMORY = 64 << 20  # bytes, of scrypt
MOST_WORK = 1 << 22  # n * r * p of scrypt: seconds
MOST_BYTES = 4096  # of a key

# What crypt(3) may be asked for, none of which takes more than a second: DES, MD5, SHA-2 with up to
# 99,999 rounds, bcrypt up to a cost of 12, yescrypt as Debian has it.
_SETTING = re.compile(
    rb"[./0-9A-Za-z]{2}|\$1\$|\$[56]\$(?:rounds=\d{1,5}\$|(?!rounds=))|\$2[aby]\$(?:0\d|1[0-2])\$|\$y\$j[./0-9A]T\$"
)

_SLICE = 0.01  # seconds
# A thread cannot be ended. One whose run has ended goes on, and is one of these until it is done.
_running = threading.BoundedSemaphore(max(os.cpu_count() or 1, 2))


class Keys:
    """The service in one run."""

    def __init__(self, host: HostState, _granted: bool) -> None:
        self._host_state = host

    def pbkdf2(self, request: bytes) -> bytes:
        """Iterations, bytes of the key, bytes of the password; then the name of the hash function,
        password and salt."""
        fields = Words(request)
        iterations, size, length = fields.number(), fields.number(), fields.number()
        name, rest = fields.text().decode("ascii", "replace"), fields.rest()
        password, salt = _split(rest, length)
        try:
            block = hashlib.new(name).digest_size
        except (ValueError, TypeError):
            raise Declined(Errno.INVAL) from None
        if not (0 < size <= MOST_BYTES and iterations > 0) or not block:
            raise Declined(Errno.INVAL)
        if iterations * -(-size // block) > MOST_ITERATIONS:
            raise Declined(Errno.TOOBIG)
        return self._aside(lambda: hashlib.pbkdf2_hmac(name, password, salt, iterations, size))

    def scrypt(self, request: bytes) -> bytes:
        """n (64 bits), r, p, the most memory (bytes, 64 bits; 0 for OpenSSL's 32 MiB), bytes of the
        key and of the password; then password and salt."""
        fields = Words(request)
        n, r, p, most = fields.number("<Q"), fields.number(), fields.number(), fields.number("<Q")
        size, length = fields.number(), fields.number()
        password, salt = _split(fields.rest(), length)
        if not 0 < size <= MOST_BYTES:
            raise Declined(Errno.INVAL)
        if 128 * r * (n + p) > MOST_MEMORY or n * r * p > MOST_WORK:
            raise Declined(Errno.TOOBIG)
        memory = min(most, 2 * MOST_MEMORY)
        return self._aside(lambda: hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=size))

    def crypt(self, request: bytes) -> bytes:
        """Password and setting, which is a salt or a whole hash (each a text)."""
        fields = Words(request)
        password, setting = fields.text(), fields.text()
        if not _SETTING.match(setting) or len(password) > MOST_BYTES:
            raise Declined(Errno.INVAL)
        return self._aside(lambda: _hashed(password, setting))

    def _aside(self, make: Callable[[], bytes]) -> bytes:
        while not _running.acquire(timeout=_SLICE):
            self._host_state.look()
        work = _Work(make)
        thread = threading.Thread(target=work.run, name="wsgi-wasm key", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there is no room for a thread
            _running.release()
            raise Declined(Errno.AGAIN) from None
        while not work.done.wait(_SLICE):
            self._host_state.look()
        if current.run is not None:
            current.run.cpu_end -= work.seconds  # its time is the guest's
        self._host_state.look()
        if work.key is None:
            raise Declined(Errno.INVAL)
        return work.key


class _Work:
    """One key that is made in another thread; None where the parameters do not go together."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self.done = threading.Event()
        self.key: bytes | None = None
        self.seconds = 0.0

    def run(self) -> None:
        """All that the thread does."""
        began = time.thread_time()
        try:
            self.key = self._make()
        except (ValueError, OverflowError, MemoryError):
            pass
        finally:
            self.seconds = time.thread_time() - began
            _running.release()
            self.done.set()


def _hashed(password: bytes, setting: bytes) -> bytes:
    """By the system's libcrypt. Raises ValueError."""
    data = ctypes.create_string_buffer(1 << 18)  # struct crypt_data, the largest of all libraries
    found: bytes | None = _libcrypt().crypt_r(password, setting, data)
    if not found or found.startswith(b"*"):
        raise ValueError("no such setting")
    return found


@cache
def _libcrypt() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libcrypt.so.1")
    except OSError:
        raise ValueError("there is no libcrypt") from None
    library.crypt_r.restype = ctypes.c_char_p
    library.crypt_r.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p]
    return library


def _split(data: bytes, length: int) -> tuple[bytes, bytes]:
    if length > len(data):
        raise Declined(Errno.INVAL)
    return data[:length], data[length:]


def _bind(_grants: Grants) -> bool:
    # It gives a guest nothing that it could not compute by itself.
    return True


SERVICE = Service(
    name="keys", number=7, operations={0: Keys.pbkdf2, 1: Keys.scrypt, 2: Keys.crypt}, bind=_bind, begin=Keys
)
