"""Local time for guests: what a value of `TZ` says of a moment, from the host's time zone data.

A guest asks for one moment and gets the offset with the span in which it holds, so that it need not
ask again for the next one.
"""

from __future__ import annotations

import datetime
import io
import struct
from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.channel.service import Service, Words

_MOST = 128  # bytes of a name or a rule
_EPOCH = datetime.datetime(1970, 1, 1)
_DAY = 86400
# Seconds since then: years that `datetime` has, but for the first and the last.
_FIRST, _LAST = -62_000_000_000, 253_000_000_000
# Where the ends of such a span agree, all of it does: nowhere are two changes as close, and clocks
# change on a quarter of an hour.
_SPANS = (10 * _DAY, 900)
_SEASONS = (91 * _DAY, -91 * _DAY, 182 * _DAY, -182 * _DAY)

# from, until, offset, whether it is summer time, offset of the other season
_ANSWER = struct.Struct("<qqiIi")
# TZif (RFC 8536) of version 2: no transitions, one type; it comes twice, first for old readers.
_TYPE = struct.pack(">4sc15x6I", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + b"\0\0\0\0\0\0UTC\0"

_State = tuple[int, int, str]  # offset in seconds, whether it is summer time, name


class Zones:
    """The service in one run."""

    def __init__(self, host: HostState, _granted: bool) -> None:
        self._host_state = host

    def at(self, request: bytes) -> bytes:
        """Whether the moment is in local time (u32), the moment (i64, seconds since 1970), and `TZ`
        (a text)."""
        fields = Words(request)
        local, moment, name = fields.number() != 0, fields.number("<q"), fields.text()
        if len(name) > _MOST:
            raise Declined(Errno.INVAL)
        zone = _zone(name)
        at = _local if local else _universal
        moment = min(max(moment, _FIRST), _LAST)
        state = at(zone, moment)
        begin = until = moment
        for span in _SPANS:
            begin = moment - moment % span
            until = begin + span
            if at(zone, begin) == at(zone, until - 1) == state:
                break
        else:
            begin, until = moment, moment + 1
        return _ANSWER.pack(begin, until, state[0], state[1], _other(zone, moment, state)) + state[2].encode() + b"\0"


def _universal(zone: ZoneInfo, moment: int) -> _State:
    when = (_EPOCH + datetime.timedelta(seconds=moment)).replace(tzinfo=zone)
    return _state(zone.fromutc(when))


def _local(zone: ZoneInfo, moment: int) -> _State:
    return _state((_EPOCH + datetime.timedelta(seconds=moment)).replace(tzinfo=zone))


def _state(when: datetime.datetime) -> _State:
    offset, saving = when.utcoffset(), when.dst()
    return round(offset.total_seconds()) if offset else 0, int(bool(saving)), when.tzname() or "UTC"


def _other(zone: ZoneInfo, moment: int, state: _State) -> int:
    """The offset of the season that it is not; the same where there is none near."""
    for step in _SEASONS:
        there = _universal(zone, min(max(moment + step, _FIRST), _LAST))
        if there[1] != state[1]:
            return there[0]
    return state[0]


@lru_cache(64)
def _zone(value: bytes) -> ZoneInfo:
    """What a value of TZ names: a zone, or a rule as POSIX has it. Raises Declined."""
    name = value.decode("ascii", "replace").removeprefix(":")
    if not name.isprintable():
        raise Declined(Errno.NOENT)
    for make in (_named, _ruled):
        try:
            return make(name)
        except (ZoneInfoNotFoundError, ValueError, OSError, struct.error):
            continue
    raise Declined(Errno.NOENT)


def _named(name: str) -> ZoneInfo:
    # `ZoneInfo` refuses paths, and names that lead out of its folders.
    return ZoneInfo(name)


def _ruled(rule: str) -> ZoneInfo:
    return ZoneInfo.from_file(io.BytesIO(_TYPE + _TYPE + b"\n" + rule.encode("ascii") + b"\n"))


def _bind(_grants: Grants) -> bool:
    # It is data that anybody may have.
    return True


_OPERATIONS: dict[int, Callable[[Zones, bytes], bytes]] = {0: Zones.at}

SERVICE = Service(name="zones", number=6, operations=_OPERATIONS, bind=_bind, begin=Zones)
