"""Links modules for the children of a group."""

from __future__ import annotations

import hashlib
import os

from wsgi_wasm.binary.module_facts import Facts
from wsgi_wasm.engine.linking import Artefact, check_facts
from wsgi_wasm.isolation.connections import Connections
from wsgi_wasm.isolation.guest import RemoteCode, RemoteLinked, Settings


class RemoteLinker:
    """As `engine.linking.Linker`, for one group."""

    def __init__(self, connections: Connections, settings: Settings) -> None:
        self._connections = connections
        self._settings = settings

    def linked(self, facts: Facts, artefact: Artefact) -> RemoteLinked:
        """A module, ready to be run in a child. Raises ModuleError, OSError."""
        check_facts(facts)
        code = artefact.code
        if isinstance(code, bytes):
            name, held = hashlib.sha256(code).hexdigest(), code
            return RemoteLinked(facts, RemoteCode(name, lambda: _in_memory(held)), self._connections, self._settings)
        path = code
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        info = os.fstat(descriptor)
        os.close(descriptor)
        name = f"{path.name}-{info.st_ino}-{info.st_mtime_ns}"
        remote = RemoteCode(name, lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return RemoteLinked(facts, remote, self._connections, self._settings)


def _in_memory(code: bytes) -> int:
    descriptor = os.memfd_create("wsgi-wasm-code", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(code)
    return descriptor
