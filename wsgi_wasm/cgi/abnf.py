"""The grammar of RFC 3875 and RFC 9110 as compiled patterns over latin-1 strings.

Each matches in linear time: no two neighbouring repetitions can take the same character.
"""

from __future__ import annotations

import re

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"

# field-content of RFC 9110 5.5 with its white space: visible characters, SP, HT, and obs-text (0x80
# to 0xFF).
_VALUE = r"[\t -~\x80-\xff]*"

FIELD_NAME = re.compile(_TOKEN)
FIELD_VALUE = re.compile(_VALUE)

# End of a head: an empty line after another one. Lines end in LF or CRLF, also mixed (RFC 3875
# 6.2: NL).
HEAD_END = re.compile(rb"\n\r?\n")

# One header line with its end. An obs-fold begins with white space, so it is no token and does
# not match.
FIELD_LINE = re.compile(rf"^({_TOKEN}):({_VALUE})\r?\n", re.MULTILINE)

# A meta-variable name that every shell and language can spell.
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# What a header's name becomes after `HTTP_`.
HEADER_VARIABLE = re.compile(r"[A-Z0-9_]+")

# `Status`: three digits and, after a space, a reason phrase. Final answers only: a guest has no use
# for 1xx.
_CODE_AND_REASON = r"([2-5][0-9][0-9])(?: ([ -~\x80-\xff]*))?"
STATUS = re.compile(_CODE_AND_REASON)

# The status line of a guest that speaks HTTP itself (nph, RFC 3875 5), line end included.
STATUS_LINE = re.compile(rf"HTTP/[0-9](?:\.[0-9])? {_CODE_AND_REASON}\r?\n")

DIGITS = re.compile(r"[0-9]+")

# local-pathquery of RFC 3875 6.3.2: one leading slash, URI characters only, no fragment.
LOCAL_PATH_QUERY = re.compile(r"/(?!/)(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")

# The scheme and authority of an absolute-form request target (RFC 9112 3.2.2).
SCHEME_AND_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*://[^/?#]*")
