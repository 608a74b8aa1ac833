"""What is asked of each server. A workload has one right answer, whoever gives it."""

from __future__ import annotations

from dataclasses import dataclass

SIZE = 10_000_000  # of the large bodies, in bytes
PAGE = b"<p>A line of a page that lies in a file.</p>\n" * 364  # 16 KiB
FORM = b"&".join(b"field%d=one+%%3Cvalue%%3E+of+%d" % (number, number) for number in range(530))[:16384]
LINES = b"".join(b"line %03d of a thousand\n" % line for line in range(1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`expected` is the body of the answer, or its least length where servers differ. `clients` are numbers of
    connections; `weight` multiplies the seconds of a round, for answers that take long."""

    name: str
    title: str
    path: str
    method: str = "GET"
    body: bytes | None = None
    expected: bytes | int
    clients: tuple[int, ...] = (1,)
    weight: int = 1


def _form_answer() -> bytes:
    pairs = [pair.split(b"=") for pair in FORM.split(b"&")]
    values = [value.replace(b"%3C", b"<").replace(b"%3E", b">") for _, value in pairs]
    return b"%d fields, %d bytes\n" % (len(values), sum(map(len, values)))


WORKLOADS = (
    Workload(
        name="hello",
        title="one line of text",
        path="/hello?world",
        expected=b"hello world\n",
        clients=(1, 8, 64),
    ),
    Workload(name="environment", title="all meta-variables", path="/environment", expected=100),
    Workload(name="form", title="16 KiB form, POST", path="/form", method="POST", body=FORM, expected=_form_answer()),
    Workload(name="out", title="10 MB out", path="/out", expected=SIZE, weight=2),
    Workload(
        name="in",
        title="10 MB in",
        path="/in",
        method="POST",
        body=b"x" * SIZE,
        expected=b"%d bytes\n" % SIZE,
        weight=2,
    ),
    Workload(name="file", title="a file of 16 KiB, read", path="/file", expected=PAGE),
    Workload(name="flushed", title="1,000 lines, each flushed", path="/flushed?flush", expected=LINES),
    Workload(name="lines", title="the same 1,000 lines at once", path="/lines", expected=LINES),
    Workload(
        name="python",
        title="a Python script",
        path="/page?name=world",
        expected=b"<h1>Hello, world!</h1>\n",
        clients=(1,),
        weight=3,
    ),
)
BY_NAME = {workload.name: workload for workload in WORKLOADS}
HELLO = BY_NAME["hello"]
