"""Components for tests, built from the sources beside this file as the examples are: `component("conformance")`."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from guests.build import cache as guest_cache

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"


@cache
def tools() -> Any:
    """The examples' `componentize` module, which is in no package."""
    spec = importlib.util.spec_from_file_location("componentize", EXAMPLES / "componentize.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def component(name: str, folder: Path = HERE) -> Path:
    """The component of the Spin application in the directory `name`. Raises BuildError."""
    app, packages = folder / name / "app.py", tools().pinned("spin-python")
    return Path(tools().python_component(app, "spin-http", packages, guest_cache(), f"{name}.wasm"))
