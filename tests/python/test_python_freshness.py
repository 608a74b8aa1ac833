"""What a snapshot would freeze, and what one request would leave to the next, under `interpreters: {.py: python}`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from werkzeug.test import Client

from python.cases import interpreter
from wsgi_wasm.interpreters.python import MODULES

HEAD = 'print("Content-Type: text/plain\\n")\n'


@pytest.fixture(scope="module", autouse=True)
def _built() -> Path:
    return interpreter()


@pytest.fixture
def answers(tmp_path: Path, make_client: Callable[..., Client]) -> Callable[[str, int], list[str]]:
    """The bodies of so many requests for a script."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    route = {"directory": str(folder), "interpreters": {".py": "python"}, "queue_timeout": "60s"}
    client = make_client({"/": route})

    def ask(script: str, count: int) -> list[str]:
        (folder / "script.py").write_text(HEAD + script, encoding="utf-8")
        got = [client.get("/script.py") for _ in range(count)]
        assert [answer.status_code for answer in got] == [200] * count
        return [answer.text for answer in got]

    return ask


@pytest.mark.parametrize(
    "expression",
    [
        "random.random()",
        "random.getrandbits(128)",
        "random.Random().random()",
        "random.SystemRandom().random()",
        "secrets.token_hex()",
        "os.urandom(16).hex()",
        "uuid.uuid4()",
        "uuid.uuid1()",
        "email.utils.make_msgid()",
        "os.path.basename(tempfile.mktemp(dir='/'))",
        "sqlite3.connect(':memory:').execute('select random()').fetchone()",
        "sqlite3.Connection(':memory:').execute('select hex(randomblob(8))').fetchone()",
    ],
)
def test_random_things_differ_between_requests(expression: str, answers: Callable[[str, int], list[str]]) -> None:
    got = answers(f"import email.utils, os, random, secrets, sqlite3, tempfile, uuid\nprint({expression})\n", 4)
    assert len(set(got)) == 4


def test_hashes_are_as_the_docs_say(answers: Callable[[str, int], list[str]]) -> None:
    """Where componentize-py brings another function, "Keys that collide" in docs/python.md can go."""
    script = "import sys\nprint(sys.hash_info.algorithm, sys.flags.hash_randomization, hash('a'))\n"
    (first, *others) = answers(script, 3)
    algorithm, randomized, found = first.split()
    assert (algorithm, randomized, set(others)) == ("fnv", "1", {first})
    without_a_seed = ((1000003 * (ord("a") << 7) ^ ord("a")) ^ 1) & 0xFFFFFFFF
    assert int(found) & 0xFFFFFFFF != without_a_seed


def test_clocks_go_on(answers: Callable[[str, int], list[str]]) -> None:
    before = time.time()
    script = "import datetime, time\nprint(time.time(), time.monotonic(), datetime.datetime.now().timestamp())\n"
    first, second = (list(map(float, text.split())) for text in answers(script, 2))
    after = time.time()
    assert before - 1 <= first[0] <= second[0] <= after + 1
    assert first[1] != second[1]
    assert first[2] <= second[2] <= after + 1
    assert abs(first[0] - first[2]) < 5  # local time is UTC


def test_log_records_count_from_the_request_on(answers: Callable[[str, int], list[str]]) -> None:
    script = "import logging\nprint(logging.LogRecord('', 0, '', 0, '', (), None).relativeCreated)\n"
    (text,) = answers(script, 1)
    assert 0 <= float(text) < 60_000


def test_nothing_stays(answers: Callable[[str, int], list[str]]) -> None:
    script = """
import builtins, json, os, sys
print(hasattr(builtins, "mark"), hasattr(json, "mark"), "MARK" in os.environ, "/mark" in sys.path, sys.argv[1:])
builtins.mark = json.mark = 1
os.environ["MARK"] = "1"
sys.path.append("/mark")
sys.argv.append("mark")
"""
    assert set(answers(script, 3)) == {"False False False False []\n"}


def test_a_changed_script_is_seen_at_once(answers: Callable[[str, int], list[str]]) -> None:
    assert answers("print(1)\n", 1) == ["1\n"]
    assert answers("print(2)\n", 1) == ["2\n"]


def test_the_gateway_knows_what_the_interpreter_has_imported(answers: Callable[[str, int], list[str]]) -> None:
    """A file of such a name beside a script has to hide the module (see `PythonVariables`)."""
    script = "import sys\nprint(*{name.partition('.')[0] for name in sys.modules} - {'__main__'})\n"
    (text,) = answers(script, 1)
    assert len(text.split()) > 200
    assert {name for name in text.split() if name.isidentifier()} - MODULES == set()


def test_a_module_that_is_put_beside_the_script_later(answers: Callable[[str, int], list[str]], tmp_path: Path) -> None:
    script = "import calendar\nprint(hasattr(calendar, 'mine'))\n"
    assert answers(script, 1) == ["False\n"]
    (tmp_path / "scripts" / "calendar.py").write_text("mine = 1\n", encoding="utf-8")
    assert answers(script, 1) == ["True\n"]
    (tmp_path / "scripts" / "calendar.py").unlink()
    assert answers(script, 1) == ["False\n"]
