"""Where a component's binary is. The gateway fetches nothing: what a manifest names by URL must be
there already, and is known by its digest."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from wsgi_wasm.messages import quote
from wsgi_wasm.spin.tables import TomlTable, kind_of

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")

MISSING = Path("missing.wasm")  # stands in for a source that was reported


def read_source(table: TomlTable, name: str) -> Path:
    """The file that the key `name` means: a path, or `{url, digest}`. Reports what cannot be
    found without fetching."""
    value = table.value(name)
    if isinstance(value, str):
        return table.reading.base / value
    if isinstance(value, dict):
        source = TomlTable(value, table.at(name), table.reading)
        found = _remote(source) if "url" in source else _registry(source)
        source.close()
        return found
    if value is None:
        table.report("", f"needs the key {quote(name)}")
    else:
        table.report(name, f"expected a path or a table, found {kind_of(value)}")
    return MISSING


def _remote(source: TomlTable) -> Path:
    url, digest = source.text("url"), source.text("digest", required=True)
    source.ignore("export", "inherit_configuration")
    match = _DIGEST.fullmatch(digest)
    if match is None:
        if digest:
            source.report(
                "digest", f"{quote(digest)} is not a valid digest; write 'sha256:' and 64 lower-case hex digits"
            )
        return MISSING
    candidates = [*local_copies(match[1], source.reading.base, os.environ)]
    for candidate in candidates:
        if candidate.is_file():
            if _sha256(candidate) == match[1]:
                return candidate
            source.report("digest", f"{candidate} does not have this digest")
            return MISSING
    source.report(
        "url",
        f"files are not downloaded: fetch {quote(url)} and save it as {candidates[0]}, or let `spin up` fetch it once",
    )
    return MISSING


def _registry(source: TomlTable) -> Path:
    source.ignore("registry", "export", "inherit_configuration")
    package, version = source.text("package"), source.text("version")
    what = f"{package}@{version}" if package else version
    source.report(
        "", f"packages are not fetched from a registry: download {quote(what)} and name the file, such as 'app.wasm'"
    )
    return MISSING


def local_copies(digest: str, base: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where a component of this SHA-256 may lie: beside the manifest, and in the cache of
    Spin's own command."""
    yield base / ".spin" / "wasm" / f"{digest}.wasm"
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME") or "/nonexistent", ".cache")
    yield Path(cache) / "spin" / "registry" / "wasm" / f"sha256:{digest}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
