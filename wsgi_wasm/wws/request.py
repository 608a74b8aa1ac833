"""What a worker reads: one JSON object (Wasm Workers Server 1.7, crates/worker/src/io.rs)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping


def request_text(
    *,
    url: str,
    method: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    kv: Mapping[str, str],
    params: Mapping[str, str],
) -> bytes:
    """The request as JSON in UTF-8, without a newline.

    A body that is not UTF-8 goes in base64, with `"base64": true` beside it as in answers; the original has no way to
    say it, and hands over an empty body.
    """
    told: dict[str, object] = {"url": url, "method": method, "headers": dict(headers)}
    try:
        told["body"] = body.decode("utf-8")
    except UnicodeDecodeError:
        told["body"] = base64.b64encode(body).decode("ascii")
        told["base64"] = True
    told |= {"kv": kv, "params": params}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
