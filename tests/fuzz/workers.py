"""Workers of Wasm Workers Server: what they print, what they read, and which of them a path is for."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import yaml

from fuzz.target import Draw, Target, check_message
from wsgi_wasm.cgi.head import HeadParser
from wsgi_wasm.errors import BadGateway
from wsgi_wasm.protocols.wws import AnswerReader
from wsgi_wasm.wws.answer import WorkerAnswer, read_answer
from wsgi_wasm.wws.layout import Layout, is_worker
from wsgi_wasm.wws.request import request_stream
from wsgi_wasm.wws.sidecar import SidecarError, read_sidecar

ANSWERS = Path(__file__).parents[1] / "wws" / "answers.yaml"


def answers() -> list[bytes]:
    found = []
    for case in yaml.safe_load(ANSWERS.read_text("utf-8")).values():
        data = bytes.fromhex(case["hex_print"]) if "hex_print" in case else case["print"].replace("@", "").encode()
        if len(data) < 2000:
            found.append(data)
    return found


def check_answer(data: bytes) -> None:
    """An answer is what Python's own parser reads of it, and its head is one."""
    try:
        answer = read_answer(data)
    except BadGateway as error:
        check_message(error)
        return
    check_by_json(data, answer)
    kept: list[object] = []
    reader = AnswerReader(HeadParser, kept.append)
    for start in range(0, len(data), 7):
        reader.feed(data[start : start + 7])
    try:
        head = reader.finish()
    except BadGateway as error:
        check_message(error)
        return
    assert head is not None
    assert head.status == answer.status
    assert reader.body == answer.body
    assert kept == [answer.kv]


def check_by_json(data: bytes, answer: WorkerAnswer) -> None:
    """Where a name appears twice, JSON's own reading is another matter; unknown fields are not read at all."""
    try:
        pairs = json.loads(data, object_pairs_hook=list)
        names = [name for name, _ in pairs]
    except (ValueError, RecursionError, TypeError):
        return
    if len(set(names)) != len(names):
        return
    found = dict(pairs)
    assert found["status"] == answer.status
    assert dict(found["kv"]) == answer.kv
    if found.get("base64"):
        assert base64.b64decode(found["data"]) == answer.body
    else:
        assert found["data"].encode() == answer.body


def check_request(data: bytes) -> None:
    """Whatever a client sends, a worker reads it as JSON."""
    draw = Draw(data)
    texts = [draw.text() for _ in range(6)]
    body = draw.rest()
    stream = request_stream(
        url=texts[0],
        method=texts[1],
        headers=[(texts[2], texts[3])],
        body=body,
        kv={texts[4]: texts[5]},
        params={texts[5]: texts[4]},
    )
    found = json.loads(stream.read())
    assert found["url"] == texts[0]
    assert found["headers"] == {texts[2]: texts[3]}
    assert found["kv"] == {texts[4]: texts[5]}
    given = base64.b64decode(found["body"]) if found.get("base64") else found["body"].encode()
    assert given == body


def check_layout(data: bytes) -> None:
    """`files, a line each; NUL path`: a worker of the project, and its parameters are of the path."""
    lines, _, path = data.decode("utf-8", "replace").partition("\0")
    files = [line for line in lines.split("\n")[:12] if line.strip("/")]
    layout = Layout(files)
    found = layout.find("/" + path)
    if found is None:
        return
    assert found.file in files
    assert is_worker(found.file)
    assert all(value and value in path for value in found.params.values())


def check_sidecar(data: bytes) -> None:
    try:
        found = read_sidecar(data, {"A": "a"})
    except SidecarError as error:
        check_message(ascii(error))
        return
    assert all("\0" not in text for pair in found.variables.items() for text in pair)
    assert all(target.startswith("/") for _, target in found.folders)
    assert found.namespace is None or "\0" not in found.namespace


TARGETS = (
    Target(
        "wws-answer",
        "a worker's answer as JSON's own parser reads it, or 502",
        check_answer,
        answers,
        (
            *(
                b'"data":',
                b'"headers":',
                b'"status":200',
                b'"kv":{}',
                b'"base64":true',
                b'{"',
                b'"}',
                b",",
                b":",
                b"[",
                b"]",
            ),
            *(
                b"\\u00e9",
                b"\\ud83d\\ude00",
                b"\\ud800",
                b"\\",
                b"\\n",
                b"\xc3",
                b"\xff",
                b"null",
                b"true",
                b"1e2",
                b"-0",
            ),
            *(b'{"data":"","headers":{},"status":200,"kv":{}}', b'"x":', b"[" * 70, b'"status":200.0', b" ", b"\x0c"),
        ),
        tries=8000,
        longest=1000,
    ),
    Target(
        "wws-request",
        "what a worker reads is JSON and says what was sent",
        check_request,
        lambda: (b"\x05abcde\3GET\1a\1b\1c\1dbody", b"\0\0\0\0\0\0\xff\xfe", b"\4\xf0\x9f\x98\x80\0\0\0\0\0\xc3"),
        (b"\xf0\x9f\x98\x80", b'"', b"\\", b"\0", b"\xed\xa0\x80", b"\xe2\x80\xa8"),
        tries=8000,
        longest=300,
    ),
    Target(
        "wws-layout",
        "a path to a worker of the project, its parameters parts of the path",
        check_layout,
        lambda: (
            b"index.wasm\na/[id].wasm\na/[...rest].wasm\n_x.wasm\npublic/y.wasm\n.z.wasm\0a/7/x",
            b"[a]/[b]/index.wasm\0x/y",
        ),
        (b"[", b"]", b"[...x]", b"index", b"/", b".wasm", b"_", b"//", b"..", b"public", b"\n", b"\0"),
        tries=8000,
        longest=300,
    ),
    Target(
        "wws-sidecar",
        "the .toml beside a worker: what it asks for, or a mistake",
        check_sidecar,
        lambda: (
            b'version = "1"\n[vars]\nA = "$A"\n[[folders]]\nfrom = "a"\nto = "b"\n[data.kv]\nnamespace = "n"\n'
            b"[features.x]\n",
        ),
        (b"version = 1\n", b"[vars]\n", b'"$B"', b"\\u0000", b"[[folders]]\n", b"data = 1\n", b"[" * 300, b"a." * 400),
        tries=8000,
        longest=2000,
    ),
)
