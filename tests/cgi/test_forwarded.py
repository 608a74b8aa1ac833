"""What fields say of the hops that a request has come over, as tables; read from the end, whatever stands before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgi_wasm.cgi.forwarded import (
    MOST_HOPS,
    Hop,
    client,
    forwarded_hops,
    last_entry,
    listed_hops,
    normal_address,
)


def trusted(address: str) -> bool:
    return address.startswith(("10.", "fd00:"))


# X-Forwarded-For, and the client's address and port
LISTED = {
    "203.0.113.9": ("203.0.113.9", ""),
    " 203.0.113.9\t": ("203.0.113.9", ""),
    "203.0.113.9:4711": ("203.0.113.9", "4711"),
    "2001:db8::9": ("2001:db8::9", ""),
    "2001:DB8:0::9": ("2001:db8::9", ""),
    "[2001:db8::9]": ("2001:db8::9", ""),
    "[2001:db8::9]:4711": ("2001:db8::9", "4711"),
    "::ffff:203.0.113.9": ("203.0.113.9", ""),
    "[::ffff:cb00:7109]:1": ("203.0.113.9", "1"),
    # a client's own entries stand before the proxy's
    "10.0.0.1, 203.0.113.9": ("203.0.113.9", ""),
    "127.0.0.1,203.0.113.9": ("203.0.113.9", ""),
    'junk "\\, ;;,203.0.113.9': ("203.0.113.9", ""),
    # trusted hops are passed by
    "198.51.100.1, 203.0.113.9, 10.0.0.2, 10.0.0.1": ("203.0.113.9", ""),
    "203.0.113.9, [fd00::1]:80, ::ffff:10.0.0.1": ("203.0.113.9", ""),
    "10.0.0.3, 10.0.0.2, 10.0.0.1": ("10.0.0.3", ""),
    "10.0.0.1": ("10.0.0.1", ""),
    # empty entries are none (RFC 9110 5.6.1)
    "203.0.113.9,": ("203.0.113.9", ""),
    ", ,203.0.113.9, ,\t,": ("203.0.113.9", ""),
    # what is no address is nobody, also behind trusted hops
    "unknown": ("", ""),
    "203.0.113.9, unknown": ("", ""),
    "203.0.113.9, junk, 10.0.0.1": ("", ""),
    "unix:": ("", ""),
    "203.0.113": ("", ""),
    "203.0.113.09": ("", ""),
    "203.0.113.256": ("", ""),
    "203.0.113.9.": ("", ""),
    "203.0.113.9:": ("", ""),
    "203.0.113.9:x": ("", ""),
    "203.0.113.9:0": ("", ""),
    "203.0.113.9:99999": ("", ""),
    "203.0.113.9 10.0.0.1": ("", ""),
    "203.0.113.9;10.0.0.1": ("", ""),
    "\u0661.1.1.1": ("", ""),
    "0xcb.0.113.9": ("", ""),
    "[203.0.113.9]": ("", ""),
    "[::1": ("", ""),
    "[::1]:x": ("", ""),
    "[fe80::1%25eth0]": ("", ""),
    "fe80::1%<b>": ("", ""),
    "2001:db8::9:": ("", ""),
    '"203.0.113.9"': ("", ""),
    "for=203.0.113.9": ("", ""),
    "shop.example": ("", ""),
}


@pytest.mark.parametrize("text", LISTED)
def test_the_first_hop_from_the_end_that_is_not_trusted(text: str) -> None:
    hop = client(listed_hops(text), trusted)
    assert hop is not None
    assert (hop.address, hop.port) == LISTED[text]


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_a_list_without_entries(text: str) -> None:
    assert client(listed_hops(text), trusted) is None
    assert last_entry(text) == ""


@pytest.mark.parametrize(
    ("text", "last"), [("https", "https"), ("http, https", "https"), ("https,,", "https"), ("evil , shop:1 ", "shop:1")]
)
def test_the_last_entry_counts(text: str, last: str) -> None:
    assert last_entry(text) == last


V4, V6 = "203.0.113.9", "2001:db8::9"

# Forwarded, and the client: address, port, scheme, host
ELEMENTS = {
    f"for={V4}": (V4, "", "", ""),
    f'For="{V4}:4711";Proto=HTTPS;host="shop.example:81"': (V4, "4711", "https", "shop.example:81"),
    f'for="[{V6}]"': (V6, "", "", ""),
    f'for="[{V6}]:4711" ; by=_front ;proto=https': (V6, "4711", "https", ""),
    f'for="\\[{V6}\\]"': (V6, "", "", ""),
    f'for="[::ffff:{V4}]"': (V4, "", "", ""),
    f'for="{V4}:_hidden"': (V4, "", "", ""),
    f"for={V4};;proto=https;": (V4, "", "https", ""),
    f";for={V4}": (V4, "", "", ""),
    f"for={V4},": (V4, "", "", ""),
    f"for={V4},,;,": (V4, "", "", ""),
    f'for={V4};ext="a, b; c";proto=https': (V4, "", "https", ""),
    # unknown and hidden ones (RFC 7239 6.2, 6.3)
    "for=unknown;proto=https": ("", "", "https", ""),
    'for="_secret:_4711"': ("", "", "", ""),
    "for=_secret;host=shop.example": ("", "", "", "shop.example"),
    f"for={V4}, for=_secret": ("", "", "", ""),
    "proto=https": ("", "", "https", ""),
    # a client's own elements stand before the proxy's, whole or not
    f"for=10.0.0.1;proto=https;host=evil, for={V4};proto=http": (V4, "", "http", ""),
    f'for="10.0.0.1, for={V4}': (V4, "", "", ""),
    f'x=", for="[{V6}]"': (V6, "", "", ""),
    f'for=6.6.6.6;x=", for="[{V6}]";host="shop.example"': (V6, "", "", "shop.example"),
    f'for=6.6.6.6;x="\\", for={V4}': (V4, "", "", ""),
    f"{',' * 5000}for={V4}": (V4, "", "", ""),
    # trusted hops are passed by, and the hop nearest to the client says scheme and host
    f"for=6.6.6.6;proto=http, for={V4};proto=https;host=shop.example, for=10.0.0.1;proto=http;host=inner": (
        *(V4, "", "https", "shop.example"),
    ),
    f'for={V4}, for="[fd00::1]";proto=https;host=outer, for=10.0.0.1;proto=http;host=inner': (
        *(V4, "", "https", "outer"),
    ),
    f"for={V4};proto=https, for=10.0.0.1;host=inner": (V4, "", "https", "inner"),
    "for=10.0.0.2;proto=https, for=10.0.0.1": ("10.0.0.2", "", "https", ""),
    # what is no element is nobody
    'for="[::1]:x"': ("", "", "", ""),
    f"for={V4};for=10.0.0.1": ("", "", "", ""),
    f"for={V4};FOR={V4}": ("", "", "", ""),
    f"for=[{V6}]": ("", "", "", ""),
    f'for="{V6}"': ("", "", "", ""),
    f'for="{V4}': ("", "", "", ""),
    f"for = {V4}": ("", "", "", ""),
    f"for={V4} proto=https": ("", "", "", ""),
    f"for={V4}:4711": ("", "", "", ""),
    V4: ("", "", "", ""),
    "for=": ("", "", "", ""),
    "=": ("", "", "", ""),
    '"': ("", "", "", ""),
    "junk, for=10.0.0.1": ("", "", "", ""),
    f"for={V4};x={'y' * 2000}": ("", "", "", ""),
    f'for={V4};x="{"," * 20}"': ("", "", "", ""),
}


@pytest.mark.parametrize("text", ELEMENTS)
def test_elements(text: str) -> None:
    hop = client(forwarded_hops(text), trusted)
    assert hop is not None
    assert (hop.address, hop.port, hop.scheme, hop.host) == ELEMENTS[text]


@pytest.mark.parametrize("text", ["", ",", " , ,", ";", " ; ;,"])
def test_no_elements(text: str) -> None:
    assert client(forwarded_hops(text), trusted) is None


def test_chains_have_an_end() -> None:
    """Whoever is behind more hops than anybody has is nobody."""
    for read, entry, first in ((listed_hops, "10.0.0.1", V4), (forwarded_hops, "for=10.0.0.1", f"for={V4}")):
        for hops, found in ((MOST_HOPS - 1, V4), (MOST_HOPS + 1, ""), (1000, "")):
            hop = client(read(",".join([first, *[entry] * hops])), trusted)
            assert hop is not None
            assert hop.address == found
        hop = client(read(first + "," * 1000), trusted)
        assert hop is not None
        assert hop.address == ""


HOSTILE = [
    *("," * 800_000, "x" * 800_000, '"' * 800_000, "10.0.0.1," * 90_000, "for=10.0.0.1," * 60_000, " " * 800_000),
    *("; " * 400_000, 'a="' * 200_000, 'a="\\' * 200_000, '="",' * 200_000, "\\" * 800_000, "for=" * 200_000),
    *(
        ";" + " " * 1000,
        ("; " * 500) + "!",
        'x="' + "\\a" * 500,
        ("; " + " " * 20) * 40 + '"',
        "a=b" + " " * 1000 + "x",
    ),
]


@pytest.mark.parametrize("read", [listed_hops, forwarded_hops])
def test_hostile_fields_do_not_hang(read: Callable[[str], Iterator[Hop]]) -> None:
    """As much as servers take of a head; no pattern goes back and forth over it."""
    for text in HOSTILE:
        client(read(text), trusted)


@given(st.text(alphabet=st.sampled_from('for=10.9,;"\\[]:_ \tproto') | st.characters(max_codepoint=255)))
def test_anything_is_some_hops(text: str) -> None:
    for read in (listed_hops, forwarded_hops):
        for hop in islice(read(text), 1000):
            assert isinstance(hop, Hop)
            assert hop.address == "" or str(normal_address(hop.address)) == hop.address
            assert re.fullmatch(r"[1-9]?[0-9]{0,4}", hop.port)
        own = client(read(f"{text},for={V4}" if read is forwarded_hops else f"{text},{V4}"), trusted)
        assert own is not None
        assert own.address == V4, "what a client sends cannot hide it"
