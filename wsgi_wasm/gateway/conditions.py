"""The preconditions of a request against the validators of a guest's answer (RFC 9110 13).

The guest has done its work when its answer is known. So only GET and HEAD are judged here, as httpd
does it for its own CGI programs: what other methods ask for has happened by then, and a 412 would
deny it. Programs that change things find the fields in their environment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from werkzeug.http import parse_date, parse_etags, unquote_etag

from wsgi_wasm.cgi.message import Head


def unmet_condition(environ: Mapping[str, Any], head: Head) -> int | None:
    """304 or 412 where the answer, a 200 to GET or HEAD, must not be sent; None where it may.

    The order is that of RFC 9110 13.2.2. Dates that are none are no condition, nor are those of an
    answer without `Last-Modified`.
    """
    values = {name.lower(): value for name, value in head.fields}
    etag, modified = values.get("etag"), values.get("last-modified")
    get = environ.get
    match = get("HTTP_IF_MATCH")
    if match is not None:
        if not _matches(match, etag, strongly=True):
            return 412
    elif _is_modified_since(get("HTTP_IF_UNMODIFIED_SINCE"), modified) is True:
        return 412
    none_match = get("HTTP_IF_NONE_MATCH")
    if none_match is not None:
        return 304 if _matches(none_match, etag, strongly=False) else None
    since = get("HTTP_IF_MODIFIED_SINCE")
    if _is_modified_since(since, modified) is False and not _is_in_future(since):
        return 304
    return None


def _matches(wanted: str, etag: str | None, *, strongly: bool) -> bool:
    """Whether a list of entity tags has that of the answer; `*` has any (RFC 9110 8.8.3.2)."""
    tags = parse_etags(wanted)
    if tags.star_tag:
        return True
    if etag is None:
        return False
    tag, weak = unquote_etag(etag)
    if strongly:
        return not weak and tags.is_strong(tag)
    return tags.contains_weak(tag)


def _is_modified_since(since: str | None, modified: str | None) -> bool | None:
    """None where one of the two is no date."""
    earlier, later = _date(since), _date(modified)
    return None if earlier is None or later is None else later > earlier


def _is_in_future(text: str | None) -> bool:
    """No answer was sent then, so that the date stands for nothing that the client has."""
    date = _date(text)
    return date is not None and date.timestamp() > time.time()


def _date(text: str | None) -> datetime | None:
    try:
        return parse_date(text)
    except (OverflowError, ValueError):
        return None  # numbers that no date has
