"""What requests need beyond gunicorn: `Cookie` fields joined as cookies are, an end of bodies that
nobody has read, and a line in the access log also for answers that were cut off."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from datetime import datetime
from typing import Any

from wsgi_wasm.errors import Cut
from wsgi_wasm.gateway.wsgi_server import ClientConnection

MOST = 64 << 20  # bytes of a body that are dropped; a proxy that sends more has to bear the reset
SILENCE = 2.0  # seconds without a byte after which a client is not waited for any longer
LONGEST = 15.0  # seconds that all of it may take
_PIECE = 1 << 16
_STEP = 0.05  # seconds between two looks at a connection that no longer tells when something comes
_ESTABLISHED = 1  # a state of TCP, as the first byte of `tcp_info`: neither side has closed


def join_cookies(settings: Any) -> None:
    """Have several `Cookie` fields of a request joined by `; ` (RFC 6265 4.2.1, RFC 9113 8.2.3).
    gunicorn joins repeated fields by commas, which are a part of cookies' values. `settings` are
    the worker's, whose own hook is called, too."""
    own = settings.pre_request

    def pre_request(worker: Any, req: Any) -> None:
        cookies = [value for name, value in req.headers if name == "COOKIE"]
        if len(cookies) > 1:
            others = [field for field in req.headers if field[0] != "COOKIE"]
            req.headers = [*others, ("COOKIE", "; ".join(filter(None, cookies)))]
        own(worker, req)

    settings.set("pre_request", pre_request)


def drop_rest_of_bodies(settings: Any) -> None:
    """Have what is left of a body read and dropped once the answer is out. gunicorn would close the
    connection after 64 KiB of it; the kernel then tells a client that still sends of a reset, and
    the client, a proxy for one, loses the answer with it."""
    own = settings.post_request

    def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
        try:
            own(worker, req, environ, resp)
        finally:
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                _drop_rest(req, environ, resp)

    settings.set("post_request", post_request)


def log_cut_answers(settings: Any) -> None:
    """Have answers that broke off, or whose client has left, in the access log, too. gunicorn logs
    none whose application raises an error after the head."""
    before, after = settings.pre_request, settings.post_request

    def pre_request(worker: Any, req: Any) -> None:
        req.began = datetime.now()
        before(worker, req)

    def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
        if isinstance(sys.exc_info()[1], Cut) and resp.headers_sent:
            worker.log.access(resp, req, environ, datetime.now() - req.began)
        after(worker, req, environ, resp)

    settings.set("pre_request", pre_request)
    settings.set("post_request", post_request)


def _drop_rest(req: Any, environ: Any, resp: Any) -> None:
    own = environ.get("gunicorn.socket")
    if own is None or own.fileno() < 0 or not getattr(resp, "headers_sent", False) or not hasattr(req, "unreader"):
        return  # an answer that broke off, or HTTP/2, whose streams end one by one
    connection = ClientConnection(environ)
    whole = not connection.gone()
    if whole and getattr(req.body.reader, "length", None) != 0:
        whole = _dropped(req.body, connection, own) and not connection.gone()
    if not whole:
        # Where the next request would begin is unknown.
        req.force_close()
        _linger(own)


def _dropped(body: Any, connection: ClientConnection, own: socket.socket) -> bool:
    """Whether the rest of the body has come, within the bounds above."""
    before = own.gettimeout()
    left = MOST
    try:
        own.settimeout(SILENCE)
        with connection.reading_until(time.monotonic() + LONGEST):
            while left > 0 and (data := body.read(_PIECE)):
                left -= len(data)
    except Exception:  # OSError, gunicorn's own for bad chunks, no thread to watch the clock
        return False
    finally:
        with contextlib.suppress(OSError):
            own.settimeout(before)
    return left > 0


def _linger(own: socket.socket) -> None:
    """Let the client have the answer although it still sends (RFC 9112 9.6).

    The sending side stays open: with both sides shut, the kernel answers what comes by a reset.
    """
    deadline = time.monotonic() + SILENCE
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline:
            try:
                if socket.socket.recv(own, _PIECE, socket.MSG_DONTWAIT):
                    continue
                if _has_ended(own):
                    return
            except BlockingIOError:
                pass
            time.sleep(_STEP)


def _has_ended(own: socket.socket) -> bool:
    """Whether the client has closed its side. Where ours is shut, a read finds an end anyway."""
    if own.family == socket.AF_UNIX:
        return True
    return own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
