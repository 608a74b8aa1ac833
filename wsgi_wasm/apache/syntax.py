"""Texts of others in a configuration file of httpd.

httpd has no quoting that keeps everything as it is: it replaces `${NAME}` in every argument, and a
directive ends where its line does. So a path that is matched becomes a regular expression of
letters, digits and escapes (PCRE), and any other text is refused if a character of it could mean
something.
"""

from __future__ import annotations

import os
import re

from wsgi_wasm.errors import WsgiWasmError
from wsgi_wasm.messages import printable, quote

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_-")
_REFUSED = (('"', "a quotation mark"), ("\\", "a backslash"), ("${", "`${`"), ("%{", "`%{`"))


class NotWritable(WsgiWasmError):
    """A text that httpd could not read back as it is; the text says which, and why."""


def pattern(text: str) -> str:
    """The regular expression that matches exactly the bytes of `text`."""
    return "".join(map(_escape, os.fsencode(text)))


def _escape(byte: int) -> str:
    if byte in _PLAIN:
        return chr(byte)
    return "\\." if byte == ord(".") else f"\\x{byte:02x}"


def host_pattern(host: str) -> str:
    """The regular expression for a key of `hosts`: a name, or `*.example` for every name below."""
    return rf".+\.{pattern(host[2:])}" if host.startswith("*.") else pattern(host)


def quoted(what: str, text: str) -> str:
    """`text` as an argument. Raises NotWritable; `what` it is begins the message."""
    for characters, which in _REFUSED:
        if characters in text:
            raise NotWritable(f"{what} {quote(text, 200)} cannot be written to Apache's configuration: it has {which}")
    if not text.isprintable():
        raise NotWritable(
            f"{what} {quote(text, 200)} cannot be written to Apache's configuration: it has a character that is not "
            "printable"
        )
    return f'"{text}"'


def comment(text: str) -> str:
    """A line of comment. It ends with a dot, as httpd takes a backslash there for more to come."""
    text = printable(text)
    return f"# {text}" if re.search(r"[.:]$", text) else f"# {text}."
