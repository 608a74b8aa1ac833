"""Requests from a HAR file (HTTP Archive 1.2), as browsers save what they loaded."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from wsgi_wasm.messages import escaped, quote
from wsgi_wasm.migration.planned import BadRequests, Plan, PlannedRequest, planned_request


def looks_like_har(text: str) -> bool:
    """Whether it can be nothing else."""
    return text.lstrip()[:1] == "{"


def read_har(path: Path, text: str) -> Plan:
    """The requests to the host of the first entry: a page's pictures and scripts from elsewhere are
    no business of either site. Raises BadRequests."""
    try:
        entries = json.loads(text)["log"]["entries"]
        if not isinstance(entries, list):
            raise TypeError
    except (ValueError, RecursionError):
        raise BadRequests(f"{escaped(path)}: is no JSON, so it is no HAR file") from None
    except (KeyError, TypeError):
        raise BadRequests(f"{escaped(path)}: is no HAR file: it has no log.entries") from None
    plan = Plan()
    host = ""
    for number, entry in enumerate(entries):
        try:
            request = entry["request"]
            url = urlsplit(request["url"])
            if url.scheme not in ("http", "https"):
                raise ValueError(f"no web address: {quote(request['url'][:60])}")
            host = host or url.netloc
            if url.netloc != host:
                plan.leave_out(f"to other hosts than {host}")
                continue
            plan.add(_request(request, url.path or "/", url.query, f"{path.name}: entry {number + 1}"))
        except (KeyError, TypeError, AttributeError):
            plan.leave_out("entries that are no request")
        except ValueError as error:
            plan.leave_out(str(error))
    return plan


def _request(request: dict[str, Any], path: str, query: str, source: str) -> PlannedRequest:
    fields = tuple(_pairs(request.get("headers")))
    target = f"{path}?{query}" if query else path
    body = _body(request.get("postData") or {})
    names = {name.lower() for name, _ in fields}
    if body and "content-type" not in names and (kind := request["postData"].get("mimeType")):
        fields = (*fields, ("Content-Type", str(kind)))
    # The names of HTTP/2's pseudo fields begin with a colon.
    kept = tuple((name, value) for name, value in fields if not name.startswith(":"))
    return planned_request(request["method"].upper(), target, kept, body, source)


def _body(post: dict[str, Any]) -> bytes:
    text = post.get("text")
    if text and post.get("encoding") == "base64":
        return b64decode(text)
    if text:
        return str(text).encode("utf-8", "surrogatepass")
    return urlencode(list(_pairs(post.get("params")))).encode("ascii")


def _pairs(items: Any) -> Iterator[tuple[str, str]]:
    for item in items or ():
        yield str(item["name"]), str(item.get("value", ""))
