"""The directory of compiled modules, shared by all workers and by restarts.

An artefact is native code that this process will run, so a file is used only if root or this
process's own user owns it and nobody else can write to it or to its directory, and only if its
digest is the one that was written down when it was made. Files are replaced by rename and never
changed in place: another process may have one mapped.

Names: `<digest of the module>-<fingerprint>.cwasm` and beside it `.json` (the artefact's digest,
its own name, its stat identity when that digest was last checked, and the module's facts), or
`.failed` where it could not be made (see `failures`). `<identity>.source` remembers a module's
digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.binary.module_facts import Facts, from_json, to_json
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.code.adapter import adapter_digest
from wsgi_wasm.engine.code.budget import CompileBudget
from wsgi_wasm.engine.code.failures import Failure
from wsgi_wasm.engine.code.source import ModuleSource, is_settled, open_module
from wsgi_wasm.errors import CacheError, UntrustedFile
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.host_file import HostFile
from wsgi_wasm.files.locks import locked_file
from wsgi_wasm.files.stamp import identity
from wsgi_wasm.files.trust import check_file, check_in_place, check_owner
from wsgi_wasm.messages import escaped, reason

# raised when the engine's settings or this layout change in a way that the fingerprint does not see
FORMAT = 3


DAY = 86400.0  # seconds
UNUSED = 30 * DAY  # seconds after which what nobody has loaded counts as no longer used

_SHA256 = re.compile(r"[0-9a-f]{64}")


def fingerprint(features: frozenset[str]) -> str:
    """Of everything besides the module itself that decides what its artefact is."""
    text = f"{FORMAT} {c.VERSION} {os.uname().machine} {adapter_digest()} {' '.join(sorted(features))}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _touch(note: Path) -> None:
    """Say that what this note is about is used, once a day: the times of notes tell what is not."""
    with contextlib.suppress(OSError):
        if note.stat().st_mtime < time.time() - DAY:
            os.utime(note)


def check_ours(file: Path) -> None:
    """Raises CacheError unless nobody but root and this user can change a file or put another in
    its place; OSError."""
    with _untrusted_is_cache_error():
        check_in_place(file)


@contextlib.contextmanager
def _untrusted_is_cache_error() -> Iterator[None]:
    try:
        yield
    except UntrustedFile as error:
        raise CacheError(str(error)) from None


class Cache(TrustedDirectory):
    """A trusted cache directory. Raises CacheError where it cannot be made or trusted."""

    def __init__(self, directory: Path) -> None:
        with _untrusted_is_cache_error():
            super().__init__(directory)

    # --- digests of modules ---

    def digest(self, source: ModuleSource) -> str:
        """SHA-256 of what a module is made of; a file is read only if it is not the one that
        was read before.

        Raises OSError.
        """
        return source.digest(self._digest_of)

    def _digest_of(self, file: HostFile) -> str:
        note = self.directory / f"{identity(file.stat())}.source"
        with contextlib.suppress(OSError, UntrustedFile, ValueError):
            known = self.read(note).decode("ascii").strip()
            if _SHA256.fullmatch(known):
                _touch(note)
                return known
        with open_module(file) as opened:
            # Of what is read, which may be another file by now.
            info = os.fstat(opened.fileno())
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            unchanged = identity(os.fstat(opened.fileno())) == identity(info)
        # A file that has just changed may change again and still look the same.
        if unchanged and is_settled(info):
            self.write(self.directory / f"{identity(info)}.source", digest.encode())
        return digest

    # --- artefacts ---

    def artefact(self, digest: str, features: frozenset[str]) -> Path:
        """Where the artefact of a module is, or will be."""
        return self.directory / f"{digest}-{fingerprint(features)}.cwasm"

    def find(self, artefact: Path) -> Facts | None:
        """The facts of the module whose artefact is there, whole and ours; None where it
        has to be made.

        Raises CacheError for a foreign or loose file, which would otherwise be run as native code,
        and for one that this process may not read.
        """
        note = artefact.with_suffix(".json")
        try:
            with _untrusted_is_cache_error():
                check_owner(self.directory, self.directory.stat())
                found = check_file(artefact)
                check_file(note)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CacheError(f"{escaped(artefact)} cannot be read: {reason(error)}") from None
        try:
            known = json.loads(note.read_text("ascii"))
            facts = from_json(known["facts"])
            if known.get("artefact", artefact.name) != artefact.name:
                return None  # whole, and another module's
            if not os.access(artefact, os.R_OK):
                raise CacheError(f"{escaped(artefact)} cannot be read: Permission denied")
            if known["checked"] != identity(found):
                with artefact.open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != known["sha256"]:
                        return None
                self._note(artefact, known["sha256"], found, facts, str(known.get("module", "")))
            else:
                _touch(note)
        except PermissionError as error:
            raise CacheError(f"{escaped(note)} cannot be read: {reason(error)}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError):
            return None
        return facts

    def say_used(self, source: ModuleSource, features: frozenset[str]) -> None:
        """Note that a process goes on using the artefact of a module that it loaded long ago."""
        with contextlib.suppress(OSError):
            _touch(self.artefact(self.digest(source), features).with_suffix(".json"))

    def store(self, artefact: Path, code: bytes, facts: Facts, module: str) -> None:
        """Put an artefact in place; `module` says to people what it was made of. Raises CacheError
        where it cannot be written."""
        try:
            self.replace(artefact, code)
            digest = hashlib.sha256(code).hexdigest()
            self.replace(
                artefact.with_suffix(".json"), self._note_text(artefact, digest, artefact.stat(), facts, module)
            )
        except OSError as error:
            # Without its note an artefact is of no use, and takes the room of others.
            self._unlink(artefact)
            self._unlink(artefact.with_suffix(".json"))
            raise CacheError(f"{escaped(artefact)} cannot be written: {reason(error)}") from None
        self.forget_failure(artefact)

    def forget(self, artefact: Path) -> None:
        """Have an artefact made anew: it was whole, and yet Wasmtime refused it (made for
        another processor, say)."""
        self._unlink(artefact.with_suffix(".json"))
        self.forget_failure(artefact)

    @staticmethod
    def _unlink(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()

    # --- failures ---

    def failure(self, artefact: Path) -> Failure | None:
        """What is remembered of the last attempt to make an artefact, if that failed."""
        with contextlib.suppress(OSError, UntrustedFile):
            return Failure.from_json(self.read(artefact.with_suffix(".failed")))
        return None

    def keep_failure(self, artefact: Path, failure: Failure) -> None:
        """Remember it for every process; where it cannot be written, they find out by
        themselves."""
        self.write(artefact.with_suffix(".failed"), failure.to_json())

    def forget_failure(self, artefact: Path) -> None:
        """Have it tried again at once."""
        self._unlink(artefact.with_suffix(".failed"))

    # --- turns ---

    @contextlib.contextmanager
    def turn(self, artefact: Path, budget: CompileBudget) -> Iterator[bool]:
        """Held by the one process of this machine that makes the artefact, and that compiles for
        the owner of the budget; the kernel frees it if that process dies. False where another one
        has had it for longer than is worth waiting for.

        Where there can be no locks (a full disk, a file system without them), work may be done
        twice.
        """
        names = [artefact.with_suffix(".lock")]
        if budget.owner:
            owner = hashlib.sha256(budget.owner.encode("utf-8", "surrogateescape")).hexdigest()[:32]
            names.insert(0, self.directory / f"owner-{owner}.lock")
        deadline = time.monotonic() + budget.patience
        with contextlib.ExitStack() as held:
            try:
                for name in names:
                    with contextlib.suppress(_NoLock):
                        held.enter_context(_locked(name, deadline))
            except TimeoutError:
                yield False
            else:
                yield True

    def _note(self, artefact: Path, digest: str, info: os.stat_result, facts: Facts, module: str) -> None:
        self.write(artefact.with_suffix(".json"), self._note_text(artefact, digest, info, facts, module))

    @staticmethod
    def _note_text(artefact: Path, digest: str, info: os.stat_result, facts: Facts, module: str) -> bytes:
        note = {
            "artefact": artefact.name,
            "sha256": digest,
            "checked": identity(info),
            "wasmtime": c.VERSION,
            "facts": to_json(facts),
            "module": module,
        }
        return json.dumps(note).encode()


class _NoLock(Exception):
    """A lock file cannot be had."""


@contextlib.contextmanager
def _locked(path: Path, deadline: float) -> Iterator[None]:
    """Raises TimeoutError after the deadline, by the monotonic clock; _NoLock."""
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(locked_file(path, wait=False))
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError from None
                time.sleep(0.05)
            except OSError:
                raise _NoLock from None
        yield
