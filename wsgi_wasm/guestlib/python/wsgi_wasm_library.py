"""The standard library, which has no files any more when scripts run: kept in memory, so that its
modules can be imported again, and their source can be read by `inspect` and in tracebacks."""

import importlib.machinery
import importlib.util
import marshal
import os
import sys
import zlib
from collections.abc import Iterable

_kept: dict[str, tuple[str, bool, bytes, bytes]] = {}
"""By a module's name: its file, whether it is a package, its code and its source, both packed."""


class Library:
    """Finds the modules that are kept, and loads them."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """As importlib.abc.MetaPathFinder."""
        if name not in _kept:
            return None
        file, is_package, _, _ = _kept[name]
        # A package of that name beside the script has not its modules.
        folder = os.path.dirname(os.path.dirname(file) if is_package else file)
        return _spec(name) if path is None or folder in path else None

    @staticmethod
    def invalidate_caches() -> None:
        """As importlib.abc.MetaPathFinder."""

    @staticmethod
    def create_module(spec):
        """As importlib.abc.Loader."""
        return

    @classmethod
    def exec_module(cls, module) -> None:
        """As importlib.abc.Loader."""
        exec(cls.get_code(module.__spec__.name), module.__dict__)

    @staticmethod
    def get_code(name):
        """As importlib.abc.InspectLoader."""
        return marshal.loads(zlib.decompress(_entry(name)[2]))

    @staticmethod
    def get_source(name) -> str:
        """As importlib.abc.InspectLoader."""
        return importlib.util.decode_source(zlib.decompress(_entry(name)[3]))

    @staticmethod
    def is_package(name) -> bool:
        """As importlib.abc.InspectLoader."""
        return _entry(name)[1]

    @staticmethod
    def get_filename(name) -> str:
        """As importlib.abc.ExecutionLoader."""
        return _entry(name)[0]

    @staticmethod
    def get_data(path) -> bytes:
        """As importlib.abc.ResourceLoader: there are no files but sources."""
        for file, _, _, source in _kept.values():
            if file == path:
                return zlib.decompress(source)
        raise FileNotFoundError(2, "No such file or directory", path)


def _entry(name: str):
    try:
        return _kept[name]
    except KeyError:
        raise ImportError(f"the standard library kept here has no {name!r}", name=name) from None


def _spec(name: str) -> importlib.machinery.ModuleSpec:
    file, is_package, _, _ = _kept[name]
    spec = importlib.machinery.ModuleSpec(name, Library, origin=file, is_package=is_package)
    if is_package:
        spec.submodule_search_locations.append(os.path.dirname(file))
    spec.has_location = True
    return spec


def keep(folder: str, left_out: Iterable[str], others: Iterable[str]) -> None:
    """Keep every module below `folder` and the files `others`, but for `left_out`, and have those
    that are imported belong to the finder."""
    for place, folders, names in os.walk(folder):
        if place == folder:
            folders[:] = [name for name in folders if name not in left_out]
        for file in names:
            name = file.removesuffix(".py")
            if file.endswith(".py") and (place != folder or name not in left_out):
                _keep(os.path.join(place, file), folder, left_out)
    for path in others:
        _keep(path, os.path.dirname(path), left_out)
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name in _kept and spec is not None and spec.origin == _kept[name][0]:
            module.__loader__ = spec.loader = Library
            spec.cached = None
    # Last, behind what lies beside a script.
    sys.meta_path.append(Library)


def _keep(path: str, folder: str, left_out: Iterable[str]) -> None:
    parts = os.path.relpath(path, folder).removesuffix(".py").split("/")
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    if name in left_out:
        return
    with open(path, "rb") as file:
        source = file.read()
    try:
        # From its bytecode, if it has been imported already.
        code = importlib.machinery.SourceFileLoader(name, path).get_code(name)
    except SyntaxError:
        return  # one of its own tests
    _kept[name] = path, is_package, zlib.compress(marshal.dumps(code), 1), zlib.compress(source)
