"""Log lines about what a route does not allow its guests, with the key that would allow it.

A guest can ask a million times, for as many servers: a line comes at most once a minute for each
route and server, and for at most so many servers of a route.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsgi_wasm.hostapi.destinations import Destination
from wsgi_wasm.hostapi.log import about
from wsgi_wasm.logs import Seldom, package_log
from wsgi_wasm.messages import escaped, listed, quote

log = package_log("guest")

_LONGEST = 300  # characters of a server; names of the DNS have 255


class Refusals:
    """What one route refuses of one kind: `key` is the route's key that would allow it, and
    `of_manifest` tells that a Spin manifest does that instead. One for each route in a process."""

    def __init__(self, key: str, of_manifest: bool) -> None:
        self._key = key
        self._of_manifest = of_manifest
        self._seldom = Seldom(log)

    def say(self, server: str, entry: str, why: str = "", *, label: str = "") -> None:
        """A connection to `server` is refused; `entry` in a list of servers would allow it, "" for
        one that nothing can allow. `label` is the run's where that is not this thread's."""
        server = escaped(server, _LONGEST)
        self._seldom.warning(
            (server, why),
            f"{label or about()} a connection to {server} is refused{escaped(why)}"
            + (f"; to allow it: {self._allowing(entry)}" if entry else ""),
        )

    def _allowing(self, entry: str) -> str:
        entry = escaped(entry, _LONGEST)
        if self._of_manifest:
            return f'allowed_outbound_hosts = ["{entry}"] in the Spin manifest'
        # in YAML brackets would be a list
        return f'{self._key}: ["{entry}"]' if "[" in entry else f"{self._key}: [{entry}]"


_not_granted = Seldom(log, most=200)


def for_address(wanted: Destination, addresses: Sequence[str]) -> tuple[Destination, str]:
    """What would allow a server, and why it is refused: for the addresses that its name has, if any
    are given."""
    if not addresses:
        return wanted, ""
    return wanted._replace(host=addresses[0].partition("%")[0]), f": its address is not public: {listed(addresses)}"


def say_not_granted(noun: str, label: str, keys: str) -> None:
    """A guest asks for something by a label that its route does not grant: `keys` would."""
    whom = about()
    program = whom.rpartition(" [")[0]  # without the request's id
    what = f"the {noun} {quote(label)}"
    _not_granted.warning((program, what), f"{whom} {what} is not granted; to grant it, add it to {keys}")
