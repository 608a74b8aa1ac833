"""Ten programs as people have them in their cgi-bin: under mod_cgid with the machine's own perl, and in the sandbox
under gunicorn and mod_wsgi. What a client sees is the same."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from channel.mailbox import Mailbox
from perl.cases import HERE, interpreter
from servers.apache import give_to_server
from servers.client import Answer, request
from servers.fixtures import serve
from servers.process import wait_for

KINDS: Mapping[str, list[dict[str, Any]]] = yaml.safe_load((HERE / "kinds.yaml").read_text("utf-8"))
UNSAFE_INC = "PassEnv PERL_USE_UNSAFE_INC"
PATIENCE = 100.0  # seconds: a busy machine compiles for long


@dataclass
class Place:
    """Where the programs answer: `prefix` is how their paths begin."""

    address: tuple[str, int]
    prefix: str
    cookies: dict[str, str] = field(default_factory=dict)

    def answer(self, step: Mapping[str, Any]) -> Answer:
        """One step, with the cookies so far."""
        method = "POST" if "post" in step else "GET"
        fields, body = content(step)
        if self.cookies and step.get("cookies", True):
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = request(self.address, method, self.prefix + step[method.lower()], body=body, fields=fields)
        for cookie in answer.all_fields("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def seen(self, step: Mapping[str, Any]) -> tuple[Any, ...]:
        """What of the answer must be the same everywhere."""
        answer = self.answer(step)
        host, port = self.address
        names = ("Location", "Set-Cookie", "Pragma", "Content-Type")
        fields = {name: [plain(value, self.prefix) for value in answer.all_fields(name)] for name in names}
        if answer.status == 302:  # httpd adds a page
            del fields["Content-Type"]
            return answer.status, fields
        return answer.status, fields, plain(answer.body.decode("latin-1"), self.prefix).replace(f"{host}:{port}", host)


def plain(text: str, prefix: str) -> str:
    return text.replace(prefix, "/cgi/")


def content(step: Mapping[str, Any]) -> tuple[dict[str, str], bytes | None]:
    if "file" in step:
        head = f'--xx\r\nContent-Disposition: form-data; name="file"; filename="{step["file"]}"\r\n'
        data = bytes(number * 7 % 256 for number in range(step["bytes"]))
        body = head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n--xx--\r\n"
        return {"Content-Type": "multipart/form-data; boundary=xx"}, body
    if "data" in step:
        return {"Content-Type": "application/x-www-form-urlencoded"}, step["data"].encode()
    return {}, None


def writable(folder: Path, by_apache: bool = True) -> Path:
    """An empty directory of Apache's user, or of ours."""
    folder.mkdir()
    if by_apache:
        give_to_server(folder)
    return folder


def site(tmp: Path, name: str, mailbox: Mailbox) -> Path:
    folder, spool = tmp / name, writable(tmp / f"{name}-mail", name == "mod_wsgi")
    shutil.copytree(HERE / "kinds", folder)
    mail = {"server": f"smtp://127.0.0.1:{mailbox.port}", "from": ["forms@example.org"], "to": ["office@example.org"]}
    route = {
        "directory": str(folder),
        "interpreters": {".pl": "perl"},
        "dirs": {"/data": {"path": str(writable(tmp / f"{name}-data")), "writable": True}},
        "mail": {**mail, "spool": str(spool)},
        "queue_timeout": f"{PATIENCE:.0f}s",
    }
    path = tmp / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"routes": {"/cgi": route}}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    with box.listening():
        yield box


@pytest.fixture(scope="module")
def places(open_module_tmp: Path, mailbox: Mailbox) -> Iterator[dict[str, Place]]:
    tmp, made = open_module_tmp, interpreter()
    cache = tmp / "cache"
    cache.mkdir(mode=0o700)
    shutil.copyfile(made, cache / made.name)
    for path in (cache, cache / made.name):
        give_to_server(path)
    env = {"PERL_USE_UNSAFE_INC": "1"}  # for the native ones, as before Perl 5.26
    shutil.copytree(HERE / "kinds", tmp / "native")
    writable(tmp / "native" / "data")
    native = {"/cgi/": tmp / "native"}
    options: dict[str, Any] = {"mount": "/app", "native": native, "apache_text": UNSAFE_INC, "env": env}
    wsgi, gunicorn = site(tmp, "mod_wsgi", mailbox), site(tmp, "gunicorn", mailbox)
    with (
        serve("mod_wsgi-daemon", wsgi, tmp, cache=cache, ready="/app/nothing", **options) as apache,
        serve("gunicorn-gthread", gunicorn, tmp, cache=Path(os.environ["WSGI_WASM_CACHE"])) as server,
    ):

        def compiled() -> bool:
            target = "/app/cgi/calendar.pl"
            return request(apache.address, "GET", target, timeout=PATIENCE).status == 200

        wait_for("the interpreter to be compiled", compiled, timeout=PATIENCE)
        yield {
            "native": Place(apache.address, "/cgi/"),
            "gunicorn": Place(server.address, "/cgi/"),
            "mod_wsgi": Place(apache.address, "/app/cgi/"),
        }


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_the_same(kind: str, places: dict[str, Place]) -> None:
    for number, step in enumerate(KINDS[kind]):
        seen = {
            name: place.seen(step) for name, place in places.items() if name != "native" or step.get("native", True)
        }
        expected = seen.get("native", seen["gunicorn"])
        if expected[0] == 500:  # httpd's page for a program that gives no answer; ours is 502
            assert {one[0] for name, one in seen.items() if name != "native"} == {502}
            continue
        assert seen == dict.fromkeys(seen, expected), f"step {number}: {step}"


def test_the_mailer_sends_what_it_may(places: dict[str, Place], mailbox: Mailbox) -> None:
    sent, forged = (step for step in KINDS["formmail"] if not step.get("native", True))
    mailbox.mails.clear()
    for name in ("gunicorn", "mod_wsgi"):
        assert places[name].answer(sent).status == 200
        places[name].answer(forged)
    wait_for("the mail to come", lambda: len(mailbox.mails) >= 2)
    assert {tuple(to) for _, to, _ in mailbox.mails} == {("office@example.org",)}
    assert all(re.search(rb"\r\nReply-To: ada@example.org\r\n", text) for _, _, text in mailbox.mails)


def test_the_ten_are_all_there() -> None:
    assert {path.stem for path in (HERE / "kinds").glob("*.pl")} - {"cgi-lib"} == set(KINDS)
