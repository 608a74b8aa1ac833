"""Perl scripts that send mail and start programs of the host, as they always have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from channel.mailbox import Mailbox
from perl.cases import interpreter
from servers.process import wait_for

TOOL = Path(__file__).parents[1] / "channel" / "tool.py"

SCRIPT = r"""#!/usr/bin/perl
$| = 1;
print "Content-type: text/plain\n\n";
$mailprog = '/usr/sbin/sendmail';
open(MAIL, "|$mailprog -t") || die "Can't open $mailprog!\n";
print MAIL "To: you\@b.example\n";
print MAIL "From: me\@b.example (Me)\n";
print MAIL "Subject: Form Submission\n\n";
print MAIL "Below is the result of your form.\n";
close(MAIL);
print "status $?\n";
open(my $mail, '|-', $mailprog, '-oi', 'you@b.example') or die;
print $mail "Subject: Two\n\nHello\n";
close($mail) or print "refused\n";
print `tool args one two`;
system('tool', 'args', 'a b');
system("tool status 3");
print $? >> 8, "\n";
open(T, "tool args piped |") or die;
print <T>;
close(T);
for (1 .. 20) { system("tool status 0") == 0 or print "failed $_\n" }
open(my $other, '|-', "$mailprog -t") or die;
print $other "To: x\@evil.example\n\nHello\n";
close($other);
print $? >> 8, "\n";
"""

PRINTED = "status 0\none|two\na b\n3\npiped\n77\n"


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


def test_mail_and_programs(tmp_path: Path, make_client: Callable[..., Client]) -> None:
    tool, box = tmp_path / "tool", Mailbox()
    tool.write_text(f"#!{sys.executable}\n{TOOL.read_text('utf-8')}", "utf-8")
    tool.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.pl").write_text(SCRIPT, encoding="utf-8")
    with box.listening():
        route = {
            "directory": str(tmp_path / "scripts"),
            "interpreters": {".pl": "perl"},
            "timeout": "60s",
            "queue_timeout": "300s",
            "commands": {"tool": {"path": str(tool), "args": ["*"], "concurrency": 40}},
            "mail": {
                "server": f"smtp://127.0.0.1:{box.port}",
                "from": ["me@b.example"],
                "to": ["*@b.example"],
                "spool": str(tmp_path / "spool"),
            },
        }
        assert make_client({"/": route}).get("/script.pl").text == PRINTED
        wait_for("the mails", lambda: len(box.mails) == 2)
