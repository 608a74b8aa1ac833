"""The strict YAML configuration: `load_config` and the frozen values that it gives."""

from __future__ import annotations

from wsgi_wasm.config.granted import Database, Endpoint, Grants, KeyValueStore, Variable
from wsgi_wasm.config.hardening import Hardening
from wsgi_wasm.config.load import load_config, parse_config, read_source
from wsgi_wasm.config.log import Log
from wsgi_wasm.config.model import (
    FEATURES,
    INTERFACES,
    Config,
    Dir,
    DirectoryTarget,
    EngineSettings,
    Interpreter,
    Limits,
    ModuleTarget,
    Route,
    RouteTarget,
    SpinTarget,
    all_routes,
    interpreters_of,
    spin_targets,
    with_routes,
)

__all__ = [
    "FEATURES",
    "INTERFACES",
    "Config",
    "Database",
    "Dir",
    "DirectoryTarget",
    "Endpoint",
    "EngineSettings",
    "Grants",
    "Hardening",
    "Interpreter",
    "KeyValueStore",
    "Limits",
    "Log",
    "ModuleTarget",
    "Route",
    "RouteTarget",
    "SpinTarget",
    "Variable",
    "all_routes",
    "interpreters_of",
    "load_config",
    "parse_config",
    "read_source",
    "spin_targets",
    "with_routes",
]
