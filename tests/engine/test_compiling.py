"""What compiling may cost, what becomes of those who take more, and what everybody remembers of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from guests.bomb import bomb
from guests.build import guest
from servers.proc import living
from servers.process import wait_for
from wsgi_wasm.engine.code import child, compiler, failures
from wsgi_wasm.engine.code.budget import COMMAND, MIB, CompileBudget, of_request
from wsgi_wasm.engine.code.cache import Cache
from wsgi_wasm.engine.code.compiler import compile_in_child, compile_once
from wsgi_wasm.engine.code.failures import HERE, LIMIT, MODULE, OUTSIDE, Failure, NotCompiled
from wsgi_wasm.engine.code.source import ModuleSource
from wsgi_wasm.engine.code.turns import Turns
from wsgi_wasm.engine.module import Module
from wsgi_wasm.engine.modules import ModuleStore
from wsgi_wasm.engine.runtime import wat_to_wasm
from wsgi_wasm.errors import EngineError, ModuleError, Unavailable

NO_FEATURES: frozenset[str] = frozenset()
LONG = of_request(3600.0, 8192 * MIB)  # for what must not be stopped by a limit


def nothing(seconds: float) -> None:
    pass


@pytest.fixture
def source(tmp_path: Path) -> ModuleSource:
    """Of a bomb."""
    path = tmp_path / "bomb.wasm"
    path.write_bytes(bomb())
    return ModuleSource(path)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def good(tmp_path: Path) -> ModuleSource:
    path = tmp_path / "good.wat"
    path.write_bytes(guest("hello").read_bytes())
    return ModuleSource(path)


# --- limits ---

LIMITS = {
    "time": (of_request(1.0, 8192 * MIB), "takes longer to compile than "),
    "memory": (
        of_request(3600.0, 128 * MIB),
        "needs more than 128MiB of memory to be compiled: raise `engine.compile_m",
    ),
    "of a command": (replace(COMMAND, memory=128 * MIB), "needs more than 128MiB of memory to be compiled"),
}


@pytest.mark.parametrize(("budget", "words"), LIMITS.values(), ids=LIMITS)
def test_a_limit_ends_the_compiler(source: ModuleSource, budget: CompileBudget, words: str) -> None:
    with pytest.raises(NotCompiled) as caught:
        compile_in_child(source, NO_FEATURES, None, nothing, budget)
    assert str(caught.value).startswith(words)
    assert caught.value.cause == LIMIT
    assert ("wsgi-wasm compile" in str(caught.value)) == budget.by_request


def test_the_compiler_has_limits_of_its_own(source: ModuleSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its parent cannot look at it: no /proc, or it is stopped."""
    monkeypatch.setattr(compiler, "_over", lambda *_: "")
    for budget in (of_request(1.0, 8192 * MIB), of_request(3600.0, MIB)):
        with pytest.raises(NotCompiled) as caught:
            compile_in_child(source, NO_FEATURES, None, nothing, budget)
        assert caught.value.cause == LIMIT


LIBRARY = wat_to_wasm(guest("no_start").read_bytes())
REFUSED = {
    "imports": (bomb(imports=[("ruby", "rb_eval")]), "has unsupported imports: ruby.rb_eval"),
    "old imports": (bomb(imports=[("wasi_unstable", "fd_write")]), "imports wasi_unstable"),
    "a library": (LIBRARY, "exports no _start"),
    "a type of import": (bomb(imports=[("wasi:http/types@0.2.0", "x")]), "must be turned into a component"),
}


@pytest.mark.parametrize(("module", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_run_is_not_compiled(tmp_path: Path, module: bytes, words: str) -> None:
    path = tmp_path / "refused.wasm"
    path.write_bytes(module)
    with pytest.raises(NotCompiled) as caught:
        compile_in_child(ModuleSource(path), NO_FEATURES, None, nothing, of_request(2.0, 256 * MIB))
    assert words in str(caught.value)
    assert caught.value.cause == MODULE


def test_a_missing_feature_is_told_before_anything_is_compiled(tmp_path: Path) -> None:
    """Although the function that needs it comes last."""
    hard = bomb()
    body = b"\x00" + b"\x18\x00" + b"\x0b\x0b"  # no variables, `delegate` of legacy exceptions, end
    code = hard.rindex(b"\x0a")
    at = hard.index(b"\x03\x02\x01\x00")
    functions = b"\x03\x03\x02\x00\x00"
    section = hard[hard.index(b"_start") + 8 :]
    assert section[0] == 10, code
    first = section[1:]
    size, width = leb(first)
    entries = first[width : width + size]
    more = b"\x02" + entries[1:] + bytes([len(body)]) + body
    path = tmp_path / "late.wasm"
    whole = hard[:at] + functions + hard[at + 4 : hard.index(b"_start") + 8]
    path.write_bytes(whole + b"\x0a" + to_leb(len(more)) + more)
    with pytest.raises(NotCompiled) as caught:
        compile_in_child(ModuleSource(path), NO_FEATURES, None, nothing, of_request(2.0, 256 * MIB))
    assert caught.value.cause == MODULE, str(caught.value)


def leb(data: bytes) -> tuple[int, int]:
    value = shift = 0
    for width, byte in enumerate(data, 1):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, width
        shift += 7
    raise AssertionError


def to_leb(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


@pytest.mark.parametrize("kind", ["fifo", "directory", "huge"])
def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path, kind: str, cache: Cache) -> None:
    path = tmp_path / "odd.wasm"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    store = ModuleStore.of(cache.directory, NO_FEATURES, 4, tuple, {})
    with pytest.raises(ModuleError, match=r"regular file|is a directory|larger than 512 MiB"):
        store.module(path).get(5)


# --- what is remembered ---


def test_a_failure_is_remembered_by_the_machine(source: ModuleSource, cache: Cache) -> None:
    small = of_request(3600.0, 128 * MIB)
    with pytest.raises(NotCompiled, match="128MiB"):
        compile_once(source, NO_FEATURES, cache, nothing, small)
    artefact = cache.artefact(cache.digest(source), NO_FEATURES)
    known = cache.failure(artefact)
    assert known is not None
    assert (known.cause, known.attempts) == (LIMIT, 1)
    assert 0 < known.wait(small) <= 120
    assert known.wait(of_request(3600.0, 256 * MIB)) == 0, "with a higher limit it is tried at once"
    assert known.wait(COMMAND) == 0
    started: list[float] = []
    with pytest.raises(NotCompiled, match="128MiB"):
        compile_once(source, NO_FEATURES, cache, started.append, small)
    assert cache.failure(artefact) == known, "it was not tried again"
    cache.keep_failure(artefact, replace(known, at=time.time() - 121))
    with pytest.raises(NotCompiled):
        compile_once(source, NO_FEATURES, cache, nothing, small)
    again = cache.failure(artefact)
    assert again is not None
    assert again.attempts == 2
    assert again.wait(small) > 400, "pauses grow"


def test_what_is_wrong_with_a_module_is_remembered_too(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "x.wasm"
    path.write_bytes(LIBRARY)
    for _ in range(2):
        with pytest.raises(NotCompiled, match="exports no _start"):
            compile_once(ModuleSource(path), NO_FEATURES, cache, nothing, LONG)
    known = cache.failure(cache.artefact(cache.digest(ModuleSource(path)), NO_FEATURES))
    assert known is not None
    assert (known.cause, known.attempts) == (MODULE, 1)


def failure(**changes: object) -> Failure:
    made = Failure("reason", LIMIT, 1, time.time(), 60.0, 1024 * MIB, failures.judge())
    return replace(made, **changes)  # type: ignore[arg-type]


COLLECTED = time.time()
WAITS = {
    "just now": (failure(), 119, 120),
    "the third time": (failure(attempts=3), 1919, 1920),
    "for the thousandth time": (failure(attempts=1000), 86399, 86400),
    "a while ago": (failure(at=time.time() - 3600), 0, 0),
    "in the future": (failure(at=time.time() + 3600), 0, 0),
    "from outside": (failure(cause=OUTSIDE), 4, 5),
    "the module's own": (failure(cause=MODULE), 86399, 86400),
    "found by other code": (failure(judge="0"), 0, 0),
    "with less time": (failure(time=30.0), 0, 0),
    "with less memory": (failure(memory=MIB), 0, 0),
    "with more of both": (failure(time=90.0, memory=2048 * MIB), 119, 120),
}


@pytest.mark.parametrize(("known", "least", "most"), WAITS.values(), ids=WAITS)
def test_when_it_is_tried_again(known: Failure, least: float, most: float) -> None:
    # The table was made when the tests were collected.
    fresh = replace(known, at=time.time()) if abs(known.at - COLLECTED) < 1000 else known
    assert least <= fresh.wait(of_request(60.0, 1024 * MIB)) <= most


GARBAGE = [b"", b"{", b"[]", b"null", b"{}", b"\xff", b"[" * 100000, json.dumps({"reason": 1}).encode()]


@pytest.mark.parametrize("data", GARBAGE)
def test_a_note_that_is_damaged_is_none(data: bytes) -> None:
    assert Failure.from_json(data) is None


@pytest.mark.parametrize("name", ["attempts", "at", "time", "memory", "reason", "cause", "judge"])
def test_a_note_of_wrong_types_is_none(name: str) -> None:
    known = json.loads(failure().to_json())
    assert Failure.from_json(json.dumps(known).encode()) is not None
    of_wrong_types: list[object] = [[], {}, None, True, "x" if name not in ("reason", "judge") else 5]
    for wrong in of_wrong_types:
        assert Failure.from_json(json.dumps({**known, name: wrong}).encode()) is None


# --- the process ---


def test_a_compiler_sees_little_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    seen = compiler._environment()
    assert "DATABASE_PASSWORD" not in seen
    assert seen["PATH"] == os.environ["PATH"]


def test_a_child_that_is_left_is_ended() -> None:
    with child.start([sys.executable, "-c", "import time; time.sleep(600)"], {}) as started:
        assert started.communicate(0.01) is None
        pid = started.pid
        assert living(pid)
    assert not living(pid)


def test_a_child_that_cannot_be_started(source: ModuleSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "entry_point", lambda *_: ["/nowhere/python3"])
    with pytest.raises(NotCompiled, match="the compiler cannot be started: No such file or directory"):
        compile_in_child(source, NO_FEATURES, None)


def test_a_compiler_ends_with_its_pipe(source: ModuleSource) -> None:
    arguments = compiler._arguments(source, NO_FEATURES, None, LONG)
    with child.start_compiler(arguments, compiler._environment()) as started:
        assert isinstance(started, child.Child)
        assert started.communicate(0.5) is None
        os.close(started._lifeline)
        started._lifeline = os.open(os.devnull, os.O_RDONLY)  # which is closed in its place
        wait_for("the compiler to end", lambda: not living(started.pid))


# The other process keeps the pipe open.
PARENT = """
import os, sys, time
from pathlib import Path
from wsgi_wasm.engine.code import compiler
from wsgi_wasm.engine.code.source import ModuleSource

real = compiler.start_compiler

def start(*arguments):
    child = real(*arguments)
    other = os.fork()
    if not other:
        os.close(1)
        time.sleep(600)
    print(child.pid, other, flush=True)
    return child

compiler.start_compiler = start
compiler.compile_in_child(ModuleSource(Path(sys.argv[1])), frozenset(), None)
"""


def test_a_compiler_ends_with_its_parent(source: ModuleSource) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, source.path], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid, other = map(int, parent.stdout.readline().split())
        try:
            wait_for("the compiler to begin", lambda: len(os.listdir(f"/proc/{pid}/task")) > 1)
            parent.kill()
            wait_for("the compiler to end", lambda: not living(pid))
            assert living(other)
        finally:
            os.kill(other, signal.SIGKILL)


# --- turns ---


def test_owners_take_turns_and_none_has_all_threads() -> None:
    turns, gate = Turns(2), threading.Event()
    done: list[str] = []

    def slow() -> None:
        gate.wait(60)
        done.append("bad 1")

    turns.add("bad", slow)
    for name in ("bad 2", "bad 3", "bad 4", "good 1", "good 2"):
        turns.add(name[:-2], partial(done.append, name))
    wait_for("the good ones", lambda: len(done) == 2)
    assert done == ["good 1", "good 2"], "the other thread is not for those who wait behind the bad one"
    gate.set()
    wait_for("all", lambda: len(done) == 6)
    assert done[2:] == ["bad 1", "bad 2", "bad 3", "bad 4"]


ERRORS = [EngineError("no room"), MemoryError(), OSError(24, "x"), Unavailable("x"), KeyboardInterrupt(), SystemExit(1)]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_thread_goes_on(error: BaseException) -> None:
    turns, done = Turns(1), threading.Event()

    def fails() -> None:
        raise error

    turns.add("", fails)
    turns.add("", done.set)
    assert done.wait(60)


# --- modules ---


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(failures._PAUSES, HERE, (0.0, 1.0, 0.0))


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("error", ERRORS[:4], ids=repr)  # the others end a request that meets them
def test_what_goes_wrong_is_kept_as_a_reason(
    tmp_path: Path, cache: Cache, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next module is compiled by the same thread."""
    store = ModuleStore.of(cache.directory, NO_FEATURES, 4, tuple, {})
    linked = store.supply._linker.linked

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(store.supply._linker, "linked", fails)
    module = store.module(good(tmp_path).path)
    with pytest.raises(ModuleError) as caught:
        module.get(60)
    assert int(dict(caught.value.fields)["Retry-After"]) >= 1
    monkeypatch.setattr(store.supply._linker, "linked", linked)
    other = tmp_path / "other.wat"
    other.write_bytes(guest("hello").read_bytes() + b"\n;; another")
    assert store.module(other).get(60)
    wait_for("it to be tried again", lambda: is_ready(module))


def is_ready(module: Module) -> bool:
    try:
        return module.get(1.0) is not None
    except Unavailable:
        return False


@pytest.mark.usefixtures("no_pauses")
def test_no_thread_to_be_had(tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ModuleStore.of(cache.directory, NO_FEATURES, 4, tuple, {})

    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    module = store.module(good(tmp_path).path)
    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(ModuleError, match="no thread can be started"):
            module.get(5)
    wait_for("it to be tried again", lambda: is_ready(module))


def test_who_comes_late_does_not_wait(source: ModuleSource, cache: Cache) -> None:
    """What takes long to compile takes no thread for each request."""
    store = ModuleStore.of(cache.directory, NO_FEATURES, 4, tuple, {})
    store.supply.budget = replace(LONG, memory=600 * MIB)
    module = store.module(source.path)
    with pytest.raises(Unavailable, match="is being compiled"):
        module.get(1.0)
    started = time.monotonic()
    for _ in range(50):
        with pytest.raises(Unavailable):
            module.get(1.0)
    assert time.monotonic() - started < 30
    wait_for("the limit", lambda: module._error != "")
    with pytest.raises(ModuleError, match="600MiB"):
        module.get(1.0)


def test_a_file_that_changes_again_at_once(tmp_path: Path, cache: Cache) -> None:
    """So fast that its times are the same."""
    store = ModuleStore.of(cache.directory, NO_FEATURES, 4, tuple, {})
    path = tmp_path / "x.wat"
    path.write_bytes(guest("hello").read_bytes())
    module = store.module(path)
    first = module.get(60)
    assert not list(cache.directory.glob("*.source")) or module.source.is_settled()
    module._identity = module.source.identity()  # as if the clock of the file system had not gone on
    path.write_bytes(guest("hello").read_bytes() + b" ")
    module._look_at = 0.0
    wait_for("the new one", lambda: module.get(60) is not first)
