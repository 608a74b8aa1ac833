"""Python scripts that start programs of the host and send mail, as they always have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from channel.mailbox import Mailbox
from python.cases import interpreter
from servers.process import wait_for

TOOL = Path(__file__).parents[1] / "channel" / "tool.py"

SCRIPT = r"""
import os, subprocess, sys
from subprocess import DEVNULL, PIPE, STDOUT
print("Content-Type: text/plain\n", flush=True)
def show(*values):
    print(*values, flush=True)
show(subprocess.check_output(["tool", "args", "a b", "c"]))
show(subprocess.run("tool args 'x y'", shell=True, capture_output=True, text=True).stdout)
done = subprocess.run(["tool", "upper"], input="abc", capture_output=True, text=True)
show(done.returncode, done.stdout, repr(done.stderr))
show(subprocess.run(["tool", "errors"], stdout=PIPE, stderr=PIPE, encoding="utf-8").stderr)
show(sorted(subprocess.check_output(["tool", "errors"], stderr=STDOUT).split(b"\n")))
show(subprocess.call(["tool", "status", "3"]), os.system("tool status 3"), subprocess.getoutput("tool args g"))
subprocess.run(["tool", "args", "straight"])
show(os.popen("tool args popen").read())
try:
    subprocess.run(["tool", "status", "2"], check=True)
except subprocess.CalledProcessError as error:
    show(error)
try:
    subprocess.run(["tool", "sleep"], stdout=DEVNULL, timeout=0.3)
except subprocess.TimeoutExpired as error:
    show(type(error).__name__)
with subprocess.Popen(["tool", "upper"], stdin=PIPE, stdout=PIPE) as process:
    process.stdin.write(b"x" * 300_000)
    process.stdin.close()
    show(len(process.stdout.read()), process.wait(), process.poll())
for what in (["nothing"], "nothing"):
    try:
        show(subprocess.run(what, shell=isinstance(what, str)).returncode)
    except FileNotFoundError as error:
        show(error.filename)
for _ in range(30):
    assert subprocess.run(["tool", "status", "0"]).returncode == 0
with os.popen("/usr/sbin/sendmail -t", "w") as mail:
    mail.write("To: you@b.example\nSubject: Hi\n\nHello\n")
subprocess.run(["/usr/lib/sendmail", "-oi", "you@b.example"], input=b"Subject: Two\n\nHello\n", check=True)
show("end")
"""

PRINTED = """\
b'a b|c\\n'
x y

0 ABC ''
to the log

[b'', b'printed', b'to the log']
3 768 g
straight
popen

Command '['tool', 'status', '2']' returned non-zero exit status 2.
TimeoutExpired
300000 0 0
nothing
127
end
"""


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


def test_programs_and_mail(tmp_path: Path, make_client: Callable[..., Client]) -> None:
    tool, box = tmp_path / "tool", Mailbox()
    tool.write_text(f"#!{sys.executable}\n{TOOL.read_text('utf-8')}", "utf-8")
    tool.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.py").write_text(SCRIPT, encoding="utf-8")
    with box.listening():
        route = {
            "directory": str(tmp_path / "scripts"),
            "interpreters": {".py": "python"},
            "timeout": "60s",
            "queue_timeout": "60s",
            "commands": {"tool": {"path": str(tool), "args": ["*"], "concurrency": 40}},
            "mail": {
                "server": f"smtp://127.0.0.1:{box.port}",
                "from": ["me@b.example"],
                "to": ["*@b.example"],
                "spool": str(tmp_path / "spool"),
            },
        }
        assert make_client({"/": route}).get("/script.py").text == PRINTED
        wait_for("the mails", lambda: len(box.mails) == 2)
