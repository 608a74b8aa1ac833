"""`python -m tests.fuzz.python_run TARGET DIRECTORY... [-OPTION...]`: one target under Atheris, as libFuzzer takes it.

A process of its own, as libFuzzer never returns. The package is instrumented while it is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# Where coverage is looked at: what is ours, and what is written in Python among that which reads for us.
INSTRUMENTED = ["wsgi_wasm", "tomllib", "werkzeug"]

# What the package imports only when a request asks for it.
LATE = ["werkzeug.http"]


def main(arguments: list[str]) -> None:
    atheris: Any = import_module("atheris")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    with atheris.instrument_imports(include=INSTRUMENTED):
        for name in LATE:
            import_module(name)
        from fuzz.registry import targets

        target = targets()[arguments[0]]
    check = target.check

    def one(data: bytes) -> None:
        check(data)

    atheris.Setup([sys.argv[0], *arguments[1:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
