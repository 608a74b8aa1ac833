"""What hostile clients send, byte by byte, and the statuses that are right.

Where servers differ and both are right, both are listed. A request that is refused must not have reached a guest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .client_site import MAX_BODY

CLOSED = 0
"""No answer at all: the connection is closed."""

BROKEN_OFF = (400, 408, 413, 500, CLOSED)
"""For a body that does not end; Apache says 500 whatever the application answers."""

RAN = "GATEWAY_INTERFACE"
"""In what the guest `env` prints."""

ECHOED = "octet-stream"
"""In what the guest `echo` prints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Bytes on a connection, and what comes back.

    `statuses` are those that are right for the first answer. `absent` must be in no answer, `body` in the first.
    """

    row: str
    name: str
    data: bytes
    statuses: tuple[int, ...]
    half_close: bool = False
    body: str = ""
    absent: str = ""

    @property
    def id(self) -> str:
        return f"{self.row}-{self.name}"


def get(target: bytes, *fields: bytes, method: bytes = b"GET", host: bytes = b"Host: x") -> bytes:
    """A request without a body, the last of its connection."""
    lines = [method + b" " + target + b" HTTP/1.1", *filter(None, [host]), b"Connection: close", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(fields: Iterable[bytes], body: bytes = b"", target: bytes = b"/c/echo") -> bytes:
    return get(target, *fields, method=b"POST") + body


CHUNKED = b"Transfer-Encoding: chunked"


def framing() -> Iterator[Sent]:
    """Lengths and codings: answered once, by the server or by the gateway, and never read in two ways."""
    refused: dict[str, tuple[list[bytes], bytes]] = {
        "two-lengths": ([b"Content-Length: 4", b"Content-Length: 5"], b"12345"),
        "length-list": ([b"Content-Length: 5, 6"], b"12345"),
        "length-plus": ([b"Content-Length: +5"], b"12345"),
        "length-minus": ([b"Content-Length: -1"], b""),
        "length-underscore": ([b"Content-Length: 1_0"], b"1234567890"),
        "length-hex": ([b"Content-Length: 0x5"], b"12345"),
        "length-2-to-the-63rd": ([b"Content-Length: 9223372036854775808"], b"1"),
        "length-wraps": ([b"Content-Length: 18446744073709551621"], b"12345"),
        "length-empty": ([b"Content-Length:"], b""),
        "space-before-colon": ([b"Content-Length : 5"], b"12345"),
        "chunk-extension-with-cr": ([CHUNKED], b"1;a=\r\r\na\r\n0\r\n\r\n"),
        "chunk-minus": ([CHUNKED], b"-1\r\nab\r\n0\r\n\r\n"),
        "chunk-0x": ([CHUNKED], b"0x2\r\nab\r\n0\r\n\r\n"),
        "chunk-plus": ([CHUNKED], b"+2\r\nab\r\n0\r\n\r\n"),
        "coding-with-vt": ([b"Transfer-Encoding: \x0bchunked"], b"1\r\na\r\n0\r\n\r\n"),
        "coding-unknown": ([b"Transfer-Encoding: xchunked"], b""),
        "coding-not-last": ([b"Transfer-Encoding: chunked, identity"], b"1\r\na\r\n0\r\n\r\n"),
        "coding-gzip": ([b"Transfer-Encoding: gzip, chunked"], b"1\r\na\r\n0\r\n\r\n"),
        "coding-twice": ([CHUNKED, CHUNKED], b"1\r\na\r\n0\r\n\r\n"),
        "nul-in-a-field": ([b"X-Nul: a\0b"], b""),
        "cr-in-a-field": ([b"X-Cr: a\rContent-Length: 5"], b""),
        "no-colon": ([b"X-Nothing"], b""),
    }
    for name, (fields, body) in refused.items():
        yield Sent(row="C4", name=name, data=post(fields, body), statuses=(400, 411, 413, 501), absent=ECHOED)
    both = post([b"Content-Length: 4", CHUNKED], b"1\r\na\r\n0\r\n\r\n")
    # RFC 9112 6.1: refused, or the length is forgotten and the connection ends; never the length
    yield Sent(row="C4", name="length-and-chunked", data=both, statuses=(400, 200), absent="POST 4")
    same = post([b"Content-Length: 5", b"Content-Length: 5"], b"12345")
    yield Sent(row="C4", name="length-twice-the-same", data=same, statuses=(400, 200), absent="POST 10")
    for name, body in {
        "truncated": b"5\r\nab",
        "larger-than-sent": b"fffffff\r\nab",
        "bare-lf": b"2\nab\n0\n\n",
    }.items():
        yield Sent(row="C4", name=f"chunk-{name}", data=post([CHUNKED], body), statuses=BROKEN_OFF,
                   half_close=True, absent=ECHOED)  # fmt: skip
    trailers = b"2\r\nab\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n"
    yield Sent(row="C4", name="trailers", data=post([CHUNKED], trailers), statuses=(200, 400), absent="POST 9")
    under = post([b"Transfer_Encoding: chunked", b"Content-Length: 2"], b"ab")
    yield Sent(row="C4", name="coding-with-underscore", data=under, statuses=(200, 400), absent="POST 0")


def lengths() -> Iterator[Sent]:
    yield Sent(
        row="C5",
        name="longer-than-sent",
        data=post([b"Content-Length: 100"], b"half of it"),
        half_close=True,
        statuses=BROKEN_OFF,
        absent=ECHOED,
    )
    yield Sent(
        row="C5",
        name="shorter-than-sent",
        data=post([b"Content-Length: 2"], b"abGET /c/env HTTP/1.1\r\n\r\n"),
        statuses=(200,),
        body="POST 2\nab",
        absent=RAN,
    )
    yield Sent(
        row="C5",
        name="expect-continue-unread",
        statuses=(200,),
        body=RAN,
        data=get(b"/c/env", b"Expect: 100-continue", b"Content-Length: 5", method=b"POST") + b"12345",
    )
    yield Sent(
        row="C5",
        name="expect-something-else",
        data=post([b"Expect: more", b"Content-Length: 2"], b"ab"),
        statuses=(417, 400),
        absent=ECHOED,
    )
    yield Sent(
        row="C6",
        name="exact",
        data=post([b"Content-Length: %d" % MAX_BODY], b"x" * MAX_BODY),
        statuses=(200,),
        body=f"POST {MAX_BODY}\n",
    )
    yield Sent(
        row="C6",
        name="one-more",
        data=post([b"Content-Length: %d" % (MAX_BODY + 1)], b"x" * (MAX_BODY + 1)),
        statuses=(413,),
        absent=ECHOED,
    )
    chunk = b"100000\r\n" + b"x" * MAX_BODY + b"\r\n"
    yield Sent(row="C6", name="chunked", data=post([CHUNKED], chunk * 3 + b"0\r\n\r\n"), statuses=(413,), absent=ECHOED)
    yield Sent(
        row="C6",
        name="chunked-without-end",
        data=post([CHUNKED], chunk * 3),
        half_close=True,
        statuses=BROKEN_OFF,
        absent=ECHOED,
    )
    yield Sent(row="C6", name="ten-gigabytes-announced", data=post([b"Content-Length: 10000000000"], b"x"),
               statuses=(413,), absent=ECHOED)  # fmt: skip


PATHS_OF_SCRIPTS = {
    "plain": b"hello.wat",
    "sub": b"sub/hello.wat",
}
PATHS_OF_NOTHING = {
    "nul": b"hello.wat%00", "nul-suffix": b"hello.wat%00.txt", "backslash": b"sub\\..\\hello.wat",
    "encoded-backslash": b"sub%5chello.wat", "hidden": b".hidden.wasm", "link": b"link.wasm",
    "link-of-a-folder": b"folder/evil.wasm", "encoded-dots": b"%2e%2e/outside/evil.wasm",
    "encoded-slash": b"..%2foutside%2fevil.wasm", "encoded-twice": b"%252e%252e/outside/evil.wasm",
    "overlong": b"%c0%ae%c0%ae/outside/evil.wasm", "semicolon": b"hello.wat;x", "space": b"hello.wat%20",
    "dot": b"hello.wat.", "another-case": b"hello.WAT", "no-utf-8": b"%ff%fe.wat", "newline": b"hello.wat%0a",
    "crlf": b"hel%0d%0alo", "long": b"a" * 3000, "half-an-escape": b"hello.wat%2", "a-colon": b"hello.wat:x",
}  # fmt: skip
DOTS = {
    "dots": b"/c/files/../files/hello.wat", "dots-out": b"/c/files/../../outside/evil.wasm",
    "double-slash": b"/c/files//hello.wat", "dot-segment": b"/c/files/./hello.wat",
    "encoded-slash-inside": b"/c/files/sub%2fhello.wat", "encoded-letter": b"/%63/files/hello.wat",
    "after-the-script": b"/c/files/hello.wat/../../../../outside/evil.wasm", "double-slash-first": b"//c/env",
}  # fmt: skip


def paths() -> Iterator[Sent]:
    for name, path in PATHS_OF_SCRIPTS.items():
        yield Sent(row="C7", name=name, data=get(b"/c/files/" + path), statuses=(200,), body="hello")
    for name, path in PATHS_OF_NOTHING.items():
        yield Sent(row="C7", name=name, data=get(b"/c/files/" + path), statuses=(404, 400), absent="\n[")
    for name, target in DOTS.items():
        # Apache joins and removes segments, gunicorn leaves them: the same script, or none
        yield Sent(row="C7", name=name, data=get(target), statuses=(404, 400, 200), absent="\n[")
    yield Sent(row="C7", name="longer-than-a-line", data=get(b"/c/files/" + b"a" * 65_000), statuses=(414, 400, CLOSED))
    yield Sent(row="C7", name="hidden-in-the-host", data=get(b"http://x@y/c/files/.hidden.wasm"), statuses=(404, 400))


def variables() -> Iterator[Sent]:
    for name in (b"SCRIPT_NAME", b"PATH_INFO", b"Script_Name", b"Path_Info", b"SCRIPT-NAME", b"REMOTE_USER", b"Proxy",
                 b"Remote_User", b"REQUEST_METHOD", b"Transfer_Encoding"):  # fmt: skip
        yield Sent(
            row="C8",
            name=name.decode(),
            data=get(b"/c/env/info", name + b": forged"),
            statuses=(200, 400),
            absent="\nSCRIPT_NAME=forged" if b"-" in name else "=forged",
        )
    yield Sent(
        row="C8",
        name="Content_Length",
        data=get(b"/c/env", b"Content_Length: 5"),
        statuses=(200,),
        absent="CONTENT_LENGTH=5",
    )
    yield Sent(row="C8", name="twin-of-another", data=get(b"/c/env", b"X-Real: good", b"X_Real: forged"),
               statuses=(200,), body="HTTP_X_REAL=good", absent="forged")  # fmt: skip


ADMIN = "VHOST=the admin's"


def hosts() -> Iterator[Sent]:
    for name in (b"admin.example", b"ADMIN.Example", b"admin.example:8080", b"admin.example."):
        yield Sent(row="C9", name=name.decode(), data=get(b"/", host=b"Host: " + name), statuses=(200,), body=ADMIN)
    for name in (b"a@admin.example", b"a, admin.example", b"admin.example, a", b"[::1]", b"[::1", b"", b"a b",
                 b"admin.example/a", b"/admin.example", b"admin.example\x7f", b"x.admin.example", b"admin.example\\a",
                 b"admin.example#a", b"admin.example?a"):  # fmt: skip
        label = name.decode().replace("/", "slash").replace("\x7f", "DEL").replace("\\", "backslash") or "empty"
        yield Sent(
            row="C9",
            name=label.replace(" ", "_"),
            data=get(b"/", host=b"Host: " + name),
            statuses=(400, 404),
            absent=ADMIN,
        )
    yield Sent(row="C9", name="no-host", data=get(b"/", host=b""), statuses=(400, 404), absent=ADMIN)
    two = b"Host: x\r\nHost: admin.example"
    yield Sent(row="C9", name="two-hosts", data=get(b"/", host=two), statuses=(400, 404), absent=ADMIN)
    http10 = b"GET /c/env HTTP/1.0\r\n\r\n"
    yield Sent(row="C9", name="http-1.0-without-one", data=http10, statuses=(200,), body=RAN)  # fmt: skip


def methods() -> Iterator[Sent]:
    for method in (b"OPTIONS", b"DELETE", b"PROPFIND", b"ANYTHING"):
        yield Sent(
            row="C10",
            name=method.decode(),
            data=get(b"/c/env", method=method),
            statuses=(200,),
            body=f"REQUEST_METHOD={method.decode()}",
        )
    yield Sent(row="C10", name="no-method", data=get(b"/c/env", method=b"G@T"), statuses=(400,), absent=RAN)
    yield Sent(row="C10", name="lower-case", data=get(b"/c/env", method=b"get"), statuses=(200, 400))
    yield Sent(
        row="C10", name="options-of-the-server", data=get(b"*", method=b"OPTIONS"), statuses=(200, 400, 404), absent=RAN
    )
    yield Sent(row="C10", name="HEAD", data=get(b"/c/env", method=b"HEAD"), statuses=(200,), absent=RAN)
    yield Sent(
        row="C10", name="HEAD-of-nothing", data=get(b"/c/files/x", method=b"HEAD"), statuses=(404,), absent="Request ID"
    )
    for name, field in {"range": b"Range: bytes=0-3", "ranges": b"Range: bytes=" + b"0-1," * 500 + b"0-1",
                        "since": b"If-Modified-Since: Sat, 01 Jan 2095 00:00:00 GMT",
                        "te": b"TE: trailers", "upgrade": b"Upgrade: websocket"}.items():  # fmt: skip
        yield Sent(row="C10", name=name, data=get(b"/c/env", field), statuses=(200,), body=RAN)
    # Whatever is there matches (RFC 9110 13.1.2), as httpd has it for programs, too.
    yield Sent(row="C10", name="match", data=get(b"/c/env", b"If-None-Match: *"), statuses=(304,), absent=RAN)


def refused() -> Iterator[Sent]:
    """Methods that no guest gets, and targets that are whole URLs, whose host decides."""
    for method in (b"CONNECT", b"TRACE", b"TRACK"):
        # Apache answers TRACE itself, unless TraceEnable is off, and takes CONNECT for no path
        yield Sent(
            row="F13", name=method.decode(), data=get(b"/c/env", method=method), statuses=(405, 400, 200), absent=RAN
        )
    yield Sent(
        row="F13",
        name="connect-to-a-host",
        data=get(b"x:80", method=b"CONNECT", host=b"Host: x:80"),
        statuses=(405, 400),
        absent=RAN,
    )
    yield Sent(row="F13", name="the-targets-host", data=get(b"http://admin.example/"), statuses=(200,), body=ADMIN)
    yield Sent(
        row="F13",
        name="not-the-fields-host",
        data=get(b"http://x/", host=b"Host: admin.example"),
        statuses=(400, 404),
        absent=ADMIN,
    )
    yield Sent(row="F13", name="a-user-in-the-target", data=get(b"http://x@admin.example/"), statuses=(400, 404),
               absent=ADMIN)  # fmt: skip


SENT: list[Sent] = [*framing(), *lengths(), *paths(), *variables(), *hosts(), *methods(), *refused()]
