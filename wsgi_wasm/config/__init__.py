"""The strict YAML configuration: `load_config` and the frozen values that it gives."""

from __future__ import annotations

from wsgi_wasm.config.load import load_config, parse_config, read_source
from wsgi_wasm.config.model import (
    FEATURES,
    INTERFACES,
    Config,
    Database,
    Dir,
    Endpoint,
    EngineSettings,
    Grants,
    Interpreter,
    KeyValueStore,
    Limits,
    Route,
    SpinApp,
    Variable,
    all_routes,
    target_of,
)

__all__ = [
    "FEATURES",
    "INTERFACES",
    "Config",
    "Database",
    "Dir",
    "Endpoint",
    "EngineSettings",
    "Grants",
    "Interpreter",
    "KeyValueStore",
    "Limits",
    "Route",
    "SpinApp",
    "Variable",
    "all_routes",
    "load_config",
    "parse_config",
    "read_source",
    "target_of",
]
