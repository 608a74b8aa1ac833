"""Modules by path: loaded from the cache when first asked for, compiled in a child where they are
not there yet, and replaced when their file changes. The last good one goes on serving until its
successor is ready.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wsgi_wasm.engine.code.source import Compositions, ModuleSource
from wsgi_wasm.engine.linking import Linker
from wsgi_wasm.engine.module import Module
from wsgi_wasm.engine.supply import Links, ModuleSupply
from wsgi_wasm.files.host_file import HostFile

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import AnyApi

KEPT = 2048  # modules kept loaded; the least recently used goes first


class RouteModules(Protocol):
    """Where a route's modules come from."""

    def module(self, file: Path | HostFile) -> Module:
        """The entry of a file, of a path as the administrator names it; loading it is left to
        `Module.get`."""


class ModuleStore:
    """All modules of a process, or of a route whose guests run elsewhere."""

    def __init__(self, supply: ModuleSupply, compositions: Compositions) -> None:
        self.supply = supply
        self._compositions = compositions
        self._modules: OrderedDict[HostFile, Module] = OrderedDict()
        self._changing = threading.Lock()

    @classmethod
    def of(
        cls,
        directory: Path,
        features: frozenset[str],
        instances: int,
        apis: Callable[[], tuple[AnyApi, ...]],
        compositions: Compositions,
    ) -> ModuleStore:
        """Of this process. `apis` is as for `Linker`."""
        return cls(ModuleSupply(directory, features, Linker(features, instances, apis)), compositions)

    def module(self, file: Path | HostFile) -> Module:
        """As `RouteModules.module`."""
        file = file if isinstance(file, HostFile) else HostFile(file)
        with self._changing:
            module, source = self._modules.get(file), self.source(file)
            if module is None or module.source != source:
                module = self._modules[file] = Module(self.supply, source)
                if len(self._modules) > KEPT:
                    self._modules.popitem(last=False)
            else:
                self._modules.move_to_end(file)
        return module

    def linking(self, linker: Links) -> ModuleStore:
        """A store of the same cache whose modules are made ready by this linker."""
        return ModuleStore(self.supply.linking(linker), self._compositions)

    def compose(self, compositions: Compositions) -> None:
        """From now on modules are made of these plugs; those that are given out stay
        what they are."""
        self._compositions = compositions

    def source(self, file: HostFile) -> ModuleSource:
        """What the module of a file is made of."""
        return ModuleSource.of(file, self._compositions)
