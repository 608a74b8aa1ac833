"""Programs of the host that a Python script starts with what it has always used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from python.cases import interpreter

COMMANDS = {
    "cat": "/bin/cat",
    "echo": {"path": "/bin/echo", "args": ["*", "-n"]},
    "false": "/bin/false",
    "sleep": {"path": "/bin/sleep", "args": ["*"]},
    "ls": {"path": "/bin/ls", "args": ["*"]},
}
HEAD = 'print("Content-Type: text/plain\\n", flush=True)\nimport os, subprocess, sys\n'

CASES = {
    "run": ('print(subprocess.run(["echo", "a b", "c"], capture_output=True, text=True).stdout)', "a b c\n\n"),
    "input": ('print(subprocess.run(["cat"], input="x\\ny", text=True, stdout=subprocess.PIPE).stdout)', "x\ny\n"),
    "large": (
        'print(len(subprocess.run(["/bin/cat"], input=b"x" * 3_000_000, stdout=subprocess.PIPE).stdout))',
        "3000000\n",
    ),
    "status": ('print(subprocess.call(["false"]), os.system("false"))', "1 256\n"),
    "nowhere": ('print(os.system("echo hi >/dev/null"), os.system("echo hi 2>/dev/null"))', "hi\n0 0\n"),
    "shown": (
        'print("before", flush=True); subprocess.run("echo shown", shell=True); print("after")',
        "before\nshown\nafter\n",
    ),
    "system": ('print("before"); print(os.system("echo \'a  b\'"))', "before\na  b\n0\n"),
    "popen": (
        'print(os.popen("echo -n one").read(), flush=True)\n'
        'pipe = os.popen("cat", "w")\npipe.write("two\\n")\nprint(pipe.close())',
        "one\ntwo\nNone\n",
    ),
    "check": (
        "try: subprocess.check_output(['false'])\nexcept subprocess.CalledProcessError as e: print(e.returncode)",
        "1\n",
    ),
    "errors": (
        'done = subprocess.run(["ls", "/nowhere/at/all"], capture_output=True, text=True)\n'
        'print(done.returncode > 0, "nowhere" in done.stderr, repr(done.stdout))',
        "True True ''\n",
    ),
    "merged": (
        'done = subprocess.run(["ls", "/nowhere"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)\n'
        'print(b"nowhere" in done.stdout, done.stderr)',
        "True None\n",
    ),
    "timeout": (
        'try: subprocess.run(["sleep", "60"], timeout=0.1)\nexcept subprocess.TimeoutExpired: print("too long")',
        "too long\n",
    ),
    "killed": (
        'with subprocess.Popen(["sleep", "60"]) as one:\n'
        "    print(one.poll()); one.kill(); print(one.wait() < 0, one.returncode < 0)",
        "None\nTrue True\n",
    ),
    "file": (
        'with open(sys.argv[0], "rb") as own: text = subprocess.run(["cat"], stdin=own, stdout=-1).stdout\n'
        'print(text == open(sys.argv[0], "rb").read())',
        "True\n",
    ),
    "lines": ("print([*subprocess.Popen('echo x', shell=True, text=True, stdout=-1).stdout])", "['x\\n']\n"),
    "getoutput": ("print(subprocess.getstatusoutput('echo x'), subprocess.getoutput('none'))", "(0, 'x') \n"),
    "arguments": (
        "try: subprocess.run(['cat', '/etc/passwd'])\nexcept FileNotFoundError as error: print(error.filename)",
        "cat\n",
    ),
    "missing": ("try: subprocess.run(['id'])\nexcept FileNotFoundError as error: print(error.filename)", "id\n"),
    "shell": ("print(os.system('echo $(id)'), os.system('cat /etc/passwd; id'))", "32512 32512\n"),
}


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


@pytest.mark.parametrize(("script", "body"), CASES.values(), ids=CASES)
def test_programs_of_the_host(script: str, body: str, tmp_path: Path, make_client: Callable[..., Client]) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.py").write_text(HEAD + script, encoding="utf-8")
    route = {"directory": str(tmp_path / "scripts"), "interpreters": {".py": "python"}, "queue_timeout": "60s"}
    answer = make_client({"/": {**route, "commands": COMMANDS}}).get("/script.py")
    assert (answer.status_code, answer.text) == (200, body)
