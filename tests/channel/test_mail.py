"""`mail`: what a guest pipes to sendmail reaches a real server, whole and once, or is refused with a reason."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from channel.hints import hints_anew  # noqa: F401
from channel.mailbox import Mailbox
from conftest import SiteMaker
from servers.process import wait_for
from wsgi_wasm.hostapi.mail.arguments import Unusable, parse
from wsgi_wasm.hostapi.mail.message import Allowed, Unsendable, finished, normal, without_rest

SEND = "/usr/sbin/sendmail -t -oi"
HELLO = "From: Shop <shop@a.example>\nTo: you@b.example\nSubject: Hi\n\nHello\n.\nworld\n"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    with box.listening():
        yield box


Send = Callable[..., str]


@pytest.fixture
def send(make_client: SiteMaker, tmp_path: Path) -> Send:
    """`send(box, text, line, **mail)`: what the guest says of the exit status."""

    def sent(box: Mailbox, text: str = HELLO, line: str = SEND, times: int = 1, how: str = "write", **mail: Any) -> str:
        mail = {
            "server": f"smtp://127.0.0.1:{box.port}",
            "from": ["shop@a.example"],
            "to": ["*@b.example"],
            "spool": str(tmp_path / "spool"),
            "retry": "1s",
            **mail,
        }
        client = make_client({"/m": {"module": "popen", "mail": mail, **(mail.pop("route", {}))}})
        answer = client.get(f"/m?line={quote(line)}&how={how}&text={quote(text)}&times={times}")
        return answer.text if answer.status_code == 200 else str(answer.status_code)

    return sent


def waiting(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "spool").glob("*.mail"))


def arrived(box: Mailbox, count: int = 1) -> None:
    wait_for("the mail", lambda: len(box.mails) >= count)


def test_a_mail_arrives(send: Send, mailbox: Mailbox, tmp_path: Path) -> None:
    assert send(mailbox) == "[0]\n"
    arrived(mailbox)
    sender, recipients, data = mailbox.mails[0]
    assert (sender, recipients) == ("shop@a.example", ["you@b.example"])
    mail = message_from_bytes(data)
    assert mail["Subject"] == "Hi"
    assert mail["Date"]
    assert mail["Message-ID"].endswith("@a.example>")
    assert mail.get_payload() == "Hello\r\n.\r\nworld\r\n"
    wait_for("the spool to be empty", lambda: not waiting(tmp_path))


def test_bcc_is_sent_to_and_not_told(send: Send, mailbox: Mailbox) -> None:
    text = "From: shop@a.example\nTo: a@b.example, B <b@b.example>\nBcc: c@b.example\n\nx\n"
    assert send(mailbox, text) == "[0]\n"
    arrived(mailbox)
    assert mailbox.mails[0][1] == ["a@b.example", "b@b.example", "c@b.example"]
    assert b"c@b.example" not in mailbox.mails[0][2]


def test_recipients_as_arguments(send: Send, mailbox: Mailbox) -> None:
    line = "sendmail -F 'The Shop' a@b.example b@b.example"
    assert send(mailbox, "Subject: x\n\nbody\n.\nnot sent\n", line) == "[0]\n"
    arrived(mailbox)
    sender, recipients, data = mailbox.mails[0]
    assert (sender, recipients) == ("shop@a.example", ["a@b.example", "b@b.example"])
    assert b"From: The Shop <shop@a.example>\r\n" in data
    assert b"not sent" not in data


def test_eight_bits(send: Send, mailbox: Mailbox) -> None:
    assert send(mailbox, HELLO + "gr\u00fc\u00dfe \u20ac\n") == "[0]\n"
    arrived(mailbox)
    assert "grüße €".encode() in mailbox.mails[0][2]


REFUSED = [
    ("To: x@evil.example\n\nx\n", SEND, 77, "'x@evil.example', which is not allowed; the key for it is `to`"),
    ("From: x@evil.example\nTo: a@b.example\n\nx\n", SEND, 77, "the key for it is `from`"),
    ("To: a@b.example\n\nx\n", f"{SEND} -f x@evil.example", 77, "the key for it is `from`"),
    (
        "To: a@b.example\nSubject: x\nBcc: y@evil.example\n\nx\n",
        SEND,
        77,
        "'y@evil.example', which is not allowed; the key for it is `to`",
    ),
    ("To: a@b.example\nSubject: x\nTo: b@b.example\n\nx\n", SEND, 65, "it has the field to twice"),
    ("To: a@b.example\nSubject: x\nnonsense\n\nx\n", SEND, 65, "is no field"),
    ("Cc: x@evil.example\n\nx\n", "sendmail a@b.example", 77, "its field cc has"),
    ("Subject: x\n\nx\n", SEND, 65, "it is for nobody"),
    ("To: root\n\nx\n", SEND, 65, "'root', which is no address"),
    ("To: " + ", ".join(f"a{i}@b.example" for i in range(11)) + "\n\nx\n", SEND, 77, "`max_recipients`"),
    ("To: a@b.example\n" + "X: y\n" * 20000 + "\nx\n", SEND, 65, "have more than 64 KiB"),
    ("To: a@b.example\nX: " + "y" * 1000 + "\n\nx\n", SEND, 65, "more than 998 bytes"),
    ("To: a@b.example\n\nx\n", "sendmail -bs", 64, "the option -bs is not supported"),
    ("To: a@b.example\n\nx\n", "sendmail -t -C/etc/passwd", 64, "is not supported"),
    ("Resent-To: a@b.example\nTo: b@b.example\n\nx\n", SEND, 65, "Resent"),
]


@pytest.mark.parametrize(("text", "line", "status", "hint"), REFUSED, ids=[row[3][:30] for row in REFUSED])
def test_what_is_refused(
    send: Send, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, text: str, line: str, status: int, hint: str
) -> None:
    assert send(mailbox, text, line).endswith(f"[{status}]\n")
    assert hint in caplog.text
    assert not mailbox.mails


def test_a_million_recipients(send: Send, mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    text = "To: a@b.example\nCc: " + "a@b.example,\n " * 80_000 + "a@b.example\n\nx\n"
    assert send(mailbox, text, max_size="32MiB").endswith("[65]\n")
    assert "more than 64 KiB" in caplog.text
    assert send(mailbox, HELLO, f"sendmail {'a@b.example ' * 12_000}") == "[not started: 1]\n"
    assert send(mailbox, HELLO, f"sendmail {'a@b.example ' * 2_000}") == "[not started: 44]\n"


def test_a_mail_that_is_too_large(send: Send, mailbox: Mailbox, tmp_path: Path) -> None:
    assert send(mailbox, HELLO, max_size="1KiB", times=1000) == "[65]\n"
    assert not waiting(tmp_path)


def test_no_more_in_a_minute(send: Send, mailbox: Mailbox) -> None:
    assert [send(mailbox, per_minute=2) for _ in range(4)] == ["[0]\n", "[0]\n", "[75]\n", "[75]\n"]


def test_a_route_that_grants_none(make_client: SiteMaker, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client({"/m": {"module": "popen"}})
    assert client.get(f"/m?line={quote(SEND)}&how=write").text == "[not started: 44]\n"
    assert "the key for it is `mail`" in caplog.text


def test_a_guest_that_is_ended_sends_nothing(send: Send, mailbox: Mailbox, tmp_path: Path) -> None:
    assert send(mailbox, HELLO, times=100_000_000, route={"timeout": "300ms"}) == "504"
    assert not waiting(tmp_path)


def test_exit_closes_the_pipe(send: Send, mailbox: Mailbox) -> None:
    assert send(mailbox, how="leave") == ""
    arrived(mailbox)


# --- servers that do not take it ----------------------------------------------------------------------


def test_a_server_that_is_down_and_comes_back(send: Send, tmp_path: Path) -> None:
    box = Mailbox()
    with box.listening():
        pass
    assert send(box) == "[0]\n"
    wait_for("a try", lambda: bool(list((tmp_path / "spool").glob("*.tries"))))
    assert len(waiting(tmp_path)) == 1
    with box.listening():
        arrived(box)
    assert len(box.mails) == 1
    wait_for("the spool to be empty", lambda: not waiting(tmp_path))


def test_a_server_that_asks_to_come_again(send: Send, mailbox: Mailbox) -> None:
    mailbox.data = ["451 come again"]
    assert send(mailbox) == "[0]\n"
    arrived(mailbox)
    assert len(mailbox.mails) == 1


def test_a_server_that_refuses(send: Send, mailbox: Mailbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mailbox.data = ["554 no\x1b[31m"]
    assert send(mailbox) == "[0]\n"
    failed = tmp_path / "spool" / "failed"
    wait_for("it to be kept", lambda: bool(list(failed.glob("*.mail"))))
    (reasons,) = failed.glob("*.txt")
    assert "you@b.example: 554 no" in reasons.read_text()
    assert "was refused for you@b.example (554 no" in caplog.text
    assert "\x1b" not in caplog.text
    assert not waiting(tmp_path)


def test_recipients_that_fare_differently(send: Send, mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.rcpt = {"bad@b.example": "550 unknown", "slow@b.example": "450 later"}
    text = "From: shop@a.example\nTo: good@b.example, bad@b.example, slow@b.example\n\nx\n"
    assert send(mailbox, text) == "[0]\n"
    arrived(mailbox)
    del mailbox.rcpt["slow@b.example"]
    arrived(mailbox, 2)
    assert [mail[1] for mail in mailbox.mails] == [["good@b.example"], ["slow@b.example"]]
    failed = tmp_path / "spool" / "failed"
    wait_for("it to be kept", lambda: bool(list(failed.glob("*.mail"))))
    (reasons,) = failed.glob("*.txt")
    assert reasons.read_text() == "bad@b.example: 550 unknown\n"


def test_a_mail_that_is_given_up(send: Send, tmp_path: Path) -> None:
    box = Mailbox()
    with box.listening():
        pass
    assert send(box, expires="1s") == "[0]\n"
    failed = tmp_path / "spool" / "failed"
    wait_for("it to be kept", lambda: bool(list(failed.glob("*.mail"))))


def test_the_machines_own_sendmail(send: Send, tmp_path: Path) -> None:
    """A program that takes mail, with the arguments that it gets."""
    program, box = tmp_path / "mta", Mailbox(port=1)
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(tmp_path / 'got')!r}, 'w').write(json.dumps([sys.argv[1:], sys.stdin.read()]))\n"
    )
    program.chmod(0o755)
    assert send(box, server=str(program)) == "[0]\n"
    wait_for("the spool to be empty", lambda: not waiting(tmp_path))
    arguments, text = json.loads((tmp_path / "got").read_text())
    assert arguments == ["-i", "-odi", "-fshop@a.example", "--", "you@b.example"]
    assert text.endswith("\n\nHello\n.\nworld\n")


@pytest.mark.parametrize("status", [75, 71, -9])
def test_the_machines_own_sendmail_has_trouble(send: Send, tmp_path: Path, status: int) -> None:
    program, flag = tmp_path / "mta", tmp_path / "well"
    end = f"sys.exit({status})" if status > 0 else f"os.kill(os.getpid(), {-status})"
    program.write_text(f"#!{sys.executable}\nimport os, sys\nif not os.path.exists({str(flag)!r}): {end}\n")
    program.chmod(0o755)
    assert send(Mailbox(port=1), server=str(program)) == "[0]\n"
    wait_for("a try", lambda: bool(list((tmp_path / "spool").glob("*.tries"))))
    flag.touch()
    wait_for("the spool to be empty", lambda: not waiting(tmp_path))
    assert not list((tmp_path / "spool" / "failed").glob("*"))


@pytest.mark.parametrize("wrong", ["is a file", "is others' too"])
def test_a_spool_that_cannot_be_used(
    send: Send, mailbox: Mailbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    spool = tmp_path / "spool"
    if wrong == "is a file":
        spool.touch()
    else:
        spool.mkdir()
        spool.chmod(0o777)
    assert send(mailbox) == "[75]\n"
    assert "a mail cannot be kept" in caplog.text
    assert not mailbox.mails


# --- parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-t", "-oi"], (None, "", (), True, False)),
        (["-ti"], (None, "", (), True, False)),
        (["-t", "-oem", "-odb", "-bm", "-U"], (None, "", (), True, True)),
        (["-f", "a@b", "c@d"], ("a@b", "", ("c@d",), False, True)),
        (["-fa@b", "-FName", "-i", "--", "-c@d"], ("a@b", "Name", ("-c@d",), False, False)),
        (["-r", "a@b", "-F", "N", "-B", "8BITMIME", "-N", "never", "x@y"], ("a@b", "N", ("x@y",), False, True)),
        (["-o", "i", "-O", "DeliveryMode=b", "x@y"], (None, "", ("x@y",), False, False)),
        (["-v", "-G", "-n", "-om", "x@y"], (None, "", ("x@y",), False, True)),
        (["-f"], None),
        (["-bp"], None),
        (["-q"], None),
        (["-X/tmp/log", "x@y"], None),
    ],
)
def test_arguments(arguments: list[str], expected: tuple[Any, ...] | None) -> None:
    if expected is None:
        with pytest.raises(Unusable):
            parse(arguments)
    else:
        assert parse(arguments) == expected


ANY = Allowed(["*"], ["*"], 3)


@pytest.mark.parametrize(
    ("text", "recipients"),
    [
        (b"To: a@b.example\r\n\r\nx", ("a@b.example",)),
        (b"to : a@b.example\r\n\r\nx", ("a@b.example",)),
        (b"To: A (c) <a@b.example>,\r\n b@b.example\r\n\r\nx", ("a@b.example", "b@b.example")),
        (b"To: a@b.example, a@b.example\r\n\r\nx", ("a@b.example",)),
        (b"To: a@b.example\nBcc: b@b.example\r\n\r\nx", ("a@b.example", "b@b.example")),
        (b"To: a@b.example\rBcc: b@b.example\r\n\r\nx", ("a@b.example", "b@b.example")),
        (b"To: a@b.example\r\n\r\nBcc: c@b.example", ("a@b.example",)),
        (b"To: undisclosed-recipients:;\r\nBcc: a@b.example\r\n\r\nx", ("a@b.example",)),
        (b"To: a@b.example b@b.example\r\n\r\nx", None),
        (b"To: <a@b.example\r\n\r\nx", ("a@b.example",)),
        (b"To: a@b.example\r\n\r\n\0", None),
        (b"To: \xff@b.example\r\n\r\nx", None),
        (b"To: a@b.example,b@b.example,c@b.example,d@b.example\r\n\r\nx", None),
        (b"just text", None),
    ],
)
def test_fields(text: bytes, recipients: tuple[str, ...] | None) -> None:
    call = parse(["-t", "-f", "me@b.example"])
    if recipients is None:
        with pytest.raises(Unsendable):
            finished(normal(text), call, ANY)
    else:
        envelope, data = finished(normal(text), call, ANY)
        assert envelope.recipients == recipients
        assert b"\n" not in data.replace(b"\r\n", b"")
        assert b"\r" not in data.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"a\r\n.\r\nb", b"a\r\n"),
        (b".\r\nb", b""),
        (b"a\r\n..\r\n", b"a\r\n..\r\n"),
        (b"a\r\n.b\r\n", b"a\r\n.b\r\n"),
    ],
)
def test_a_dot_ends_it(text: bytes, kept: bytes) -> None:
    assert without_rest(text) == kept
