"""What lies in the directories that the hostile guests are granted, and the heads that they print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LEAKED = "leaked-from-a-refused-head"
"""Stands in every head that must be refused whole."""


def _lines(count: int) -> bytes:
    return b"".join(b"X-%d: %s\n" % (number, LEAKED.encode()) for number in range(count)) + b"\nbody"


def _sized(size: int) -> bytes:
    """A head of so many bytes, its empty line too, of lines that every server takes."""
    head = b"Content-Type: text/plain\n"
    while size - len(head) > 2002:
        head += b"X-Long: " + b"a" * 991 + b"\n"
    return head + b"X-Last: " + b"a" * (size - len(head) - 10) + b"\n\nbody"


PLAIN = b"Content-Type: text/plain\nX-Field: leaked-from-a-refused-head\n"

HEADS: Mapping[str, bytes] = {
    "many-fields": _lines(100_000),
    "fields-101": _lines(101),
    "long-name": b"X" * 1_000_000 + b": y\n" + PLAIN + b"\nbody",
    "no-newline": LEAKED.encode() * 40_000,
    "size-64k": _sized(65536),
    "size-64k-1": _sized(65535),
    "size-64k+1": _sized(65537),
    "cr-only": PLAIN.replace(b"\n", b"\r") + b"\r\rbody",
    "nul": PLAIN + b"X-Nul: a\0b\n\nbody",
    "utf-16": (PLAIN + b"\nbody").decode().encode("utf-16"),
    "bom": b"\xef\xbb\xbf" + PLAIN + b"\nbody",
    "nothing-but-newlines": b"\n" * 1000,
    "transfer-encoding": PLAIN + b"Transfer-Encoding: chunked\n\n0\r\n\r\n",
    "length-no-number": PLAIN + b"Content-Length: +5\n\nhello",
    "two-lengths": PLAIN + b"Content-Length: 5\nContent-Length: 6\n\nhello",
    "transfer-encoding-with-underscore": PLAIN + b"Transfer_Encoding: chunked\n\n0\r\n\r\n",
    "length-with-underscore": PLAIN + b"Content_Length: +5\n\nhello",
    "split-cr": PLAIN + b"X-Split: a\rSet-Cookie: b=1\n\nbody",
}


DROPPED: Mapping[str, bytes] = {
    name: b"Content-Type: text/plain\n" + name.encode() + b": /etc/leaked-from-a-refused-head\n\nbody"
    for name in ("X_Sendfile", "X-Sendfile", "X_Accel_Redirect", "X-LIGHTTPD_send-file", "Keep_Alive", "Trailer")
}
"""Heads that are taken, without this field."""


def make_tree(place: Path) -> list[Path]:
    """Lay the directories out below `place`. Returns those that the server's user must be able to write to."""
    heads, read_only, writable = place / "heads", place / "tree" / "ro", place / "tree" / "rw"
    for folder in (heads, read_only / "folder", writable):
        folder.mkdir(parents=True)
    for name, data in {**HEADS, **DROPPED}.items():
        (heads / name).write_bytes(data)
    (place / "tree" / "secret").write_text("a secret of the host\n")
    (read_only / "file").write_text("bytes of the host\n")
    (read_only / "folder" / "file").write_text("bytes of the host\n")
    (read_only / "up").symlink_to("../..")
    (read_only / "out").symlink_to("../secret")
    for path in (place / "heads", *(place / "tree").rglob("*"), place / "tree"):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)  # nothing but the gateway keeps a guest from writing
    for path in heads.iterdir():
        path.chmod(0o644)
    return [writable]


def snapshot(place: Path) -> dict[str, bytes | str]:
    """Every name, link and byte of the tree outside the writable directory."""
    found: dict[str, bytes | str] = {}
    for path in sorted((place / "tree").rglob("*")):
        if path.is_symlink():
            found[str(path)] = str(path.readlink())
        elif not path.is_relative_to(place / "tree" / "rw"):
            found[str(path)] = path.read_bytes() if path.is_file() else f"{path.stat().st_mtime_ns}"
    return found
