"""What stays the same in a process when the configuration is read anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wsgi_wasm.config import Config
from wsgi_wasm.engine.code.budget import of_request
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.engine.runtime import guest_memory
from wsgi_wasm.files.locations import default_directory
from wsgi_wasm.gateway.admission import Admissions

if TYPE_CHECKING:
    from wsgi_wasm.engine.hostcalls.host_api import AnyApi


class Shared(NamedTuple):
    """The modules of a process, the requests that it has admitted, the directory of its cache, and
    what gives the APIs of the host."""

    modules: ModuleStore
    admissions: Admissions
    cache: Path
    apis: Callable[[], tuple[AnyApi, ...]]


def shared_by(config: Config) -> Shared:
    """What all configurations of this process share, by the settings of the first one."""
    engine = config.engine
    directory, features = default_directory(config.cache_dir, os.environ), frozenset(engine.features)
    modules = ModuleStore.of(directory, features, engine.instances, _host_apis, config.compose)
    guest_memory.bound = engine.memory
    modules.supply.budget = of_request(engine.compile_time, engine.compile_memory)
    return Shared(modules, Admissions(), directory, _host_apis)


def _host_apis() -> tuple[AnyApi, ...]:
    """What components may call of the host; sites without components need not load it."""
    from wsgi_wasm.hostapi import APIS

    return APIS
