"""Local time of C programs is what TZ says, from the host's data: the same as that of native programs."""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from werkzeug.test import Client

from conftest import SiteMaker
from guests.build import guest, native

ZONES = (
    "Europe/Berlin", ":America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
    "UTC", "", "GMT0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT", "<+0545>-5:45", "NZST-12NZDT,M9.5.0,M4.1.0/3",
)  # fmt: skip

MOMENTS = (
    0, 1_700_000_000, 1_720_000_000, 1_711_846_799, 1_711_846_800, 1_729_990_799, 1_729_990_800, 4_000_000_000,
    -1_000_000_000, 86_399, 1_325_239_200,
)  # fmt: skip


@pytest.fixture
def client(make_client: SiteMaker) -> Client:
    module = str(guest("zone"))
    return make_client({f"/{i}": {"module": module, "env": {"TZ": zone}} for i, zone in enumerate(ZONES)})


@pytest.mark.parametrize("zone", ZONES)
def test_as_natively(client: Client, zone: str) -> None:
    program: Path = native("zone")
    for moment in MOMENTS:
        if moment < 0 and "," in zone:
            continue  # rules have no beginning, but in glibc they do
        query = f"t={moment}"
        said = subprocess.run([program], env={"TZ": zone, "QUERY_STRING": query}, capture_output=True, check=True)
        expected = said.stdout.partition(b"\r\n\r\n")[2].decode().splitlines()
        got = client.get(f"/{ZONES.index(zone)}?{query}").text.splitlines()
        if zone:  # without a zone the host has the machine's
            assert got[0].rsplit(" ", 1)[0] == expected[0].rsplit(" ", 1)[0], moment
            # An hour that comes twice may be the first or the second.
            assert abs(int(got[0].split()[-1])) in (0, 1800, 3600)


OTHERS = (
    "Mars/Olympus",
    "../../etc/passwd",
    "/etc/localtime",
    "Europe",
    "x" * 500,
    "CET-1CEST,M99.5.0,M10.5.0/3",
    "ÄÖ",
    "CET-1\nCEST",
)


@pytest.mark.parametrize("zone", OTHERS)
def test_what_is_no_zone(make_client: SiteMaker, zone: str) -> None:
    client = make_client({"/x": {"module": str(guest("zone")), "env": {"TZ": zone}}})
    answer = client.get("/x?t=0")
    assert answer.text.startswith("1970-01-01 00:00:00 ")


def test_moments_that_no_calendar_has(client: Client) -> None:
    for moment in (1 << 60, -(1 << 60), (1 << 63) - 1, -(1 << 63)):
        assert client.get(f"/0?t={moment}").text == "none\n"
    assert client.get("/0?t=1000000000000000").text.startswith("+31690708-")


def test_many_moments(client: Client) -> None:
    """One question serves all of a span."""
    assert client.get("/0?t=1700000000&n=3650").text == f"{_hours()}\n"


def _hours() -> int:
    zone = ZoneInfo("Europe/Berlin")
    return sum(datetime.fromtimestamp(1_700_000_000 + 86_400 * i, zone).hour for i in range(3650))
