"""Components for tests, built from the sources beside this file as the examples are: `component("conformance")`."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from guests.build import cache as guest_cache

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
PYTHON_SDK = ("spin-sdk==3.3.1", "componentize-py==0.17.2")


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
    made = tools().python_component(folder / name / "app.py", "spin-http", PYTHON_SDK, guest_cache(), f"{name}.wasm")
    return Path(made)
