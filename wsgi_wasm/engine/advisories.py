"""Versions of Wasmtime with known advisories: facts that `wsgi-wasm check` prints. A leaf.

To bring it up to date: read the upstream release notes since CONSIDERED, add what they fix to each
version that is affected and supported, and set the date. Versions outside `_capi.SUPPORTED` need no
entry: they are refused.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

CONSIDERED = "2026-11-23"  # upstream releases up to this day are in the table


class Advisory(NamedTuple):
    """One advisory: its id, the upstream release with the fix, what it needs, and what can happen.

    `needs` are engine features of which one must be on, or empty where no feature decides.
    `reaches` is False where, by upstream's notes, it takes something that guests do not get here:
    components, Windows, a build of another kind.
    """

    identity: str
    fixed_in: str
    text: str
    needs: tuple[str, ...] = ()
    reaches: bool = True


_GC = ("gc", "exceptions")  # both give a guest a heap of the collector

ADVISORIES: dict[str, tuple[Advisory, ...]] = {
    "50.0.1": (
        Advisory("GHSA-43j2-gcp4-m22g", "50.0.2", "a guest with GC objects can abort the process", needs=_GC),
        Advisory("GHSA-wvgq-g5hf-6gm6", "50.0.2", "an odd size of the GC heap aborts the process", needs=_GC),
        Advisory("GHSA-5m8g-xhq4-4h93", "50.0.2", "empty writes to an asynchronous stream grow host memory"),
        Advisory("GHSA-xrvr-8678-5wp8", "50.0.2", "components: cancelling a stream's wrong end panics", reaches=False),
        Advisory("GHSA-f8mm-ggr3-89wh", "50.0.2", "wasi:http: empty writes grow host memory", reaches=False),
        Advisory("GHSA-hj27-mpw9-ff4c", "50.0.2", "a call of the Rust interface panics", reaches=False),
        Advisory("GHSA-rc4p-x33f-vpr2", "50.0.2", "builds without the gc feature abort", reaches=False),
        Advisory("GHSA-2674-w29h-wqvj", "50.0.2", "builds without the threads feature abort", reaches=False),
        Advisory("GHSA-f2pq-268w-886c", "50.0.3", "Windows: a path leads out of a granted directory", reaches=False),
    ),
}

# Fixed upstream, and not published for Python by CONSIDERED: an update cannot be asked for yet.
NOT_ON_PYPI = frozenset({"50.0.2", "50.0.3"})


def concerning(version: str, features: Collection[str]) -> tuple[Advisory, ...]:
    """Those of a version that a site with these engine features may meet."""
    return tuple(
        advisory
        for advisory in ADVISORIES.get(version, ())
        if advisory.reaches and (not advisory.needs or any(feature in features for feature in advisory.needs))
    )
