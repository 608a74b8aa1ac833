"""What a worker reads: one JSON object (Wasm Workers Server 1.7, crates/worker/src/io.rs)."""

from __future__ import annotations

import base64
import codecs
import io
import json
from collections.abc import Iterable, Mapping

_PIECE = 1 << 16  # bytes of a body that are text at a time: as text it may take 24 times its memory


def request_stream(
    *,
    url: str,
    method: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    kv: Mapping[str, str],
    params: Mapping[str, str],
) -> io.BytesIO:
    """The request as JSON in UTF-8, without a newline, to be read from its beginning.

    A body that is not UTF-8 goes in base64, with `"base64": true` beside it as in answers; the
    original has no way to say it, and hands over an empty body.
    """
    stream = io.BytesIO()
    stream.write(_json({"url": url, "method": method, "headers": dict(headers)})[:-1])
    before = stream.tell()
    try:
        stream.write(b',"body":"')
        _write_text(stream, body)
        stream.write(b'"')
    except UnicodeDecodeError:
        stream.seek(before)
        stream.truncate()
        stream.write(b',"body":"%b","base64":true' % base64.b64encode(body))
    stream.write(b"," + _json({"kv": kv, "params": params})[1:])
    stream.seek(0)
    return stream


def _write_text(stream: io.BytesIO, body: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(body), _PIECE):
        text = decoder.decode(body[start : start + _PIECE], start + _PIECE >= len(body))
        stream.write(_json(text)[1:-1])


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
