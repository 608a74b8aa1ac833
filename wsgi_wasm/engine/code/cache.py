"""The directory of compiled modules, shared by all workers and by restarts.

An artefact is native code that this process will run, so a file is used only if root or this
process's own user owns it and nobody else can write to it or to its directory, and only if its
digest is the one that was written down when it was made. Files are replaced by rename and never
changed in place: another process may have one mapped.

Names: `<digest of the module>-<fingerprint>.cwasm` and beside it `.json` (the artefact's digest,
its stat identity when that digest was last checked, and the module's facts). `<identity>.source`
remembers a module's digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from wsgi_wasm.binary.module_facts import Facts, from_json, to_json
from wsgi_wasm.engine.capi import core as c
from wsgi_wasm.engine.code.adapter import adapter_digest
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.errors import CacheError, UntrustedFile
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.locks import locked_file
from wsgi_wasm.files.stamp import identity
from wsgi_wasm.files.trust import check_file, check_in_place
from wsgi_wasm.messages import escaped, reason

# raised when the engine's settings or this layout change in a way that the fingerprint does not see
FORMAT = 1


DAY = 86400.0  # seconds
UNUSED = 30 * DAY  # seconds after which what nobody has loaded counts as no longer used


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

    def _digest_of(self, source: Path) -> str:
        info = source.stat()
        note = self.directory / f"{identity(info)}.source"
        with contextlib.suppress(OSError, UntrustedFile, ValueError):
            known = self.read(note).decode("ascii").strip()
            if len(known) == 64:
                _touch(note)
                return known
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.write(note, digest.encode())
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
                found = check_file(artefact)
                check_file(note)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise CacheError(f"{escaped(artefact)} cannot be read: {reason(error)}") from None
        try:
            known = json.loads(note.read_text("ascii"))
            facts = from_json(known["facts"])
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
        except (ValueError, KeyError, TypeError, OSError, RecursionError):
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
            self._note(artefact, hashlib.sha256(code).hexdigest(), artefact.stat(), facts, module)
        except OSError as error:
            raise CacheError(f"{escaped(artefact)} cannot be written: {reason(error)}") from None

    def forget(self, artefact: Path) -> None:
        """Have an artefact made anew: it was whole, and yet Wasmtime refused it (made for
        another processor, say)."""
        with contextlib.suppress(OSError):
            artefact.with_suffix(".json").unlink()

    @contextlib.contextmanager
    def lock(self, artefact: Path) -> Iterator[None]:
        """Held by the one process of this machine that makes the artefact; the kernel frees it if
        that one dies."""
        with locked_file(artefact.with_suffix(".lock")):
            yield

    def _note(self, artefact: Path, digest: str, info: os.stat_result, facts: Facts, module: str) -> None:
        note = {"sha256": digest, "checked": identity(info), "wasmtime": c.VERSION, "facts": to_json(facts)}
        note["module"] = module
        self.write(artefact.with_suffix(".json"), json.dumps(note).encode())
