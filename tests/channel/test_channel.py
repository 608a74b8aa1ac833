"""The channel: one function for everything that a guest may ask of its host."""

from __future__ import annotations

import pytest

from conftest import SiteMaker

NOSYS = 52

# query, what the guest prints
CALLS = [
    ("op=2", f"{NOSYS} 0 "),
    ("op=32767", f"{NOSYS} 0 "),
    ("op=4294967295", f"{NOSYS} 0 "),
    ("op=0", "28 0 "),
    ("op=1280&request=abc", "28 0 "),
    ("op=far", "21 21 21 21 21 21 35"),
]


@pytest.mark.parametrize(("query", "printed"), CALLS)
def test_a_call(make_client: SiteMaker, query: str, printed: str) -> None:
    assert make_client({"/c": {"module": "channel"}}).get(f"/c?{query}").text == f"{printed}\n"


def test_what_is_offered(make_client: SiteMaker) -> None:
    client = make_client({"/c": {"module": "channel"}})
    whole = client.get("/c?op=1").text
    assert "syslog" in whole.split()
    assert "commands" not in whole.split()
    assert client.get("/c?op=1&room=3").text == client.get("/c?op=1&room=1").text == whole


def test_syslog_is_standard_error(make_client: SiteMaker, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client({"/c": {"module": "channel"}})
    assert client.get("/c?op=1280&request=%0A%01%01%01shop: over%0Awsgi_wasm fake").text == "0 0 \n"
    assert "syslog crit: shop: over wsgi_wasm fake" in caplog.text


def test_a_guest_that_does_nothing_but_ask_keeps_its_limits(make_client: SiteMaker) -> None:
    client = make_client({"/c": {"module": "channel", "timeout": "300ms"}})
    assert client.get("/c?op=flood").status_code == 504
