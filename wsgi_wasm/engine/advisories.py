"""Versions of Wasmtime with known advisories: facts that `wsgi-wasm check` prints. A leaf.

To bring it up to date: read the upstream release notes since CONSIDERED, add what they fix to each version that is
affected and supported, and set the date. Versions outside `_capi.SUPPORTED` need no entry: they are refused.
"""

from __future__ import annotations

from typing import NamedTuple

CONSIDERED = "2026-11-23"  # upstream releases up to this day are in the table


class Advisory(NamedTuple):
    """One advisory: its id, the upstream release with the fix, what it needs, and what can happen.

    `needs` is an engine feature of the configuration, or empty where no feature decides; `reaches` is False where
    nothing that this package offers to guests leads there.
    """

    identity: str
    fixed_in: str
    text: str
    needs: str = ""
    reaches: bool = True


ADVISORIES: dict[str, tuple[Advisory, ...]] = {
    "50.0.1": (
        Advisory("GHSA-43j2-gcp4-m22g", "50.0.2", "a guest with GC objects can abort the process", needs="gc"),
        Advisory("GHSA-wvgq-g5hf-6gm6", "50.0.2", "an odd size of the GC heap aborts the process", needs="gc"),
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


def advisories(version: str) -> tuple[Advisory, ...]:
    """What is known of a version of Wasmtime by CONSIDERED."""
    return ADVISORIES.get(version, ())
