"""What becomes of foreign text in messages: one line, of bounded length, with nothing that a terminal obeys."""

from __future__ import annotations

import pytest

from wsgi_wasm.messages import did_you_mean, escaped, listed, printable, quote, reason, shorten, size_text

HOSTILE = {
    "a line end": "\n",
    "a carriage return": "\r",
    "a terminal's sequence": "\x1b[31m",
    "C1": "\x9b31m",
    "next line": "\x85",
    "delete": "\x7f",
    "NUL": "\0",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "override": "\u202e",
    "isolate": "\u2067",
    "mark": "\u200f",
    "Arabic mark": "\u061c",
    "byte order mark": "\ufeff",
    "a byte of a name": "\udcff",
    "half a pair": "\ud83d",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_nothing_hostile_is_left(case: str) -> None:
    text = f"before{HOSTILE[case]}after"
    for shown in (quote(text), escaped(text), printable(text), printable(text, tabs=True), listed([text])):
        assert shown.isprintable()
        shown.encode("utf-8")
        assert "before" in shown
        assert "after" in shown


@pytest.mark.parametrize(
    ("text", "quoted", "shown"),
    [
        ("plain", "'plain'", "plain"),
        ("", "''", ""),
        ("caf\xe9 \u65e5\u672c", "'caf\xe9 \u65e5\u672c'", "caf\xe9 \u65e5\u672c"),
        ("it's", "'it's'", "it's"),
        ("a\\b", "'a\\b'", "a\\b"),
        ("a\nb", "'a\\nb'", "a\\x0ab"),
        ("a\x1b[m", "'a\\x1b[m'", "a\\x1b[m"),
        ("a\tb", "'a\\tb'", "a\\x09b"),
        ("\u202eexe", "'\\u202eexe'", "\\u202eexe"),
        ("caf\udce9", "'caf\\udce9'", "caf\\udce9"),
    ],
)
def test_how_text_is_shown(text: str, quoted: str, shown: str) -> None:
    assert quote(text) == quoted
    assert escaped(text) == shown


def test_what_guests_print_keeps_its_tabs() -> None:
    assert printable("a\tb\x07", tabs=True) == "a\tb\\x07"
    assert printable("x" * 100_000) == "x" * 100_000


def test_length_is_bounded() -> None:
    assert shorten("x" * 60) == "x" * 60
    assert shorten("x" * 61) == "x" * 57 + "..."
    assert len(quote("x" * 1000)) == 62
    assert len(quote("\x1b" * 1000)) < 300
    assert len(quote("x" * 1000, 200)) == 202
    assert len(escaped("x" * 100_000)) == 1000
    assert len(listed(["x" * 100] * 100_000)) < 3000


def test_near_names() -> None:
    assert did_you_mean("modul", ["module", "path"]) == "; did you mean 'module'?"
    assert did_you_mean("zzz", ("module",)) == ""
    assert did_you_mean("m" * 100_000, ("module",)) == ""


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
        (["a\nFORGED"], "a\\x0aFORGED"),
    ],
)
def test_lists(items: list[str], text: str) -> None:
    assert listed(items, most=3) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "a\nb"), "No such file or directory"),
        (OSError("no number"), "no number"),
        (ValueError("embedded\nline"), "embedded\\x0aline"),
    ],
)
def test_reasons(error: Exception, text: str) -> None:
    assert reason(error) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1 << 27, "128MiB"), (35_400, "34.6 KiB"), (1023, "1023 B"), (3 << 30, "3GiB")]
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text
