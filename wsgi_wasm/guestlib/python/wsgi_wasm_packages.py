"""Compiles installed packages for this Python, and looks which of those that had compiled parts do
without: run once, when they are installed, by componentize-py, whose result nobody needs."""

import importlib._bootstrap_external as importing
import importlib.util
import json
import os
import sys
import warnings

RESULT = "wsgi_wasm_result.json"  # beside this file


def compile_all(folder: str, later: str) -> None:
    """Write the bytecode of every module below `folder`, which scripts see as `later`."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py"):
                _compile(os.path.join(place, name), later + os.path.join(place, name)[len(folder) :])


def _compile(path: str, seen_as: str) -> None:
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, seen_as, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # a template, or for another Python: whoever imports it is told
    # Nobody changes the files, so nothing has to be looked at again.
    data = importing._code_to_hash_pyc(code, importlib.util.source_hash(source), checked=False)
    cached = importlib.util.cache_from_source(path)
    os.makedirs(os.path.dirname(cached), exist_ok=True)
    with open(cached, "wb") as file:
        file.write(data)


def failing(modules: dict[str, list[str]]) -> dict[str, str]:
    """Of distributions with their modules, those that cannot be imported, with the reason."""
    found = {}
    for distribution, names in modules.items():
        for name in names:
            try:
                importlib.import_module(name)
            except BaseException as error:
                found[distribution] = f"{type(error).__name__}: {error}"
                break
    return found


def main() -> None:
    """The arguments are in the file that the builder has written."""
    own = os.path.dirname(__file__)
    with open(os.path.join(own, "wsgi_wasm_settings.json"), encoding="ascii") as file:
        settings = json.load(file)
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    compile_all(settings["packages"], settings["later"])
    result = {"failing": failing(settings["modules"])}
    with open(os.path.join(own, RESULT), "w", encoding="ascii") as file:
        json.dump(result, file)


main()
