"""Engines: how many there are, what they reserve, and that a process says what it has no room for instead of ending."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import SiteMaker
from engine import loading
from engine.loading import INVOCATION, Limits, Nobody, compiled, component, guest_of, linker, load, program
from wsgi_wasm.binary.component_facts import ComponentFacts
from wsgi_wasm.engine import room
from wsgi_wasm.engine.component.pool import component_shape
from wsgi_wasm.engine.outcome import End, Outcome
from wsgi_wasm.engine.pools import PoolKey, PoolShape
from wsgi_wasm.engine.runtime import guest_memory, runtime
from wsgi_wasm.errors import ModuleError, NoRoom, Unavailable

LOOP = "(loop $again (br $again))"


@pytest.fixture(autouse=True)
def only_engines_of_the_test() -> Iterator[None]:
    """Those of other tests may still be in use; those of the test are gone afterwards."""
    gc.collect()
    others[:] = runtime().engines()
    yield
    gc.collect()
    assert not own_engines()
    others.clear()


others: list[Any] = []  # engines that were there before the test


def own_engines() -> list[PoolKey]:
    """The engines with as many guests as these tests make them for; large components get 4."""
    made = [engine for engine in runtime().engines() if not any(engine is other for other in others)]
    return [engine.key for engine in made if engine.key.shape.guests in INSTANCES]


INSTANCES = (3, 4, 5, 7, 9)  # 3 is of other tests, too


def mappings() -> int:
    return Path("/proc/self/maps").read_bytes().count(b"\n")


# --- sharing and freeing --------------------------------------------------------------------------


def facts(core_instances: int, memories: int, tables: int) -> ComponentFacts:
    return ComponentFacts("cgi", (), core_instances, memories, tables, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("taken", "instances", "guests", "memories"),
    [
        ((8, 2, 3), 64, 64, 4),
        ((64, 4, 16), 64, 64, 4),
        ((65, 1, 1), 64, 16, 32),
        ((1, 5, 1), 64, 16, 32),
        ((1, 1, 17), 64, 16, 32),
        ((2000, 32, 256), 1000, 32, 32),
        ((1, 5, 1), 8, 4, 32),
        ((1, 5, 1), 2, 2, 32),
        ((1, 5, 1), 1, 1, 32),
    ],
)
def test_two_shapes_hold_all_components(
    taken: tuple[int, int, int], instances: int, guests: int, memories: int
) -> None:
    shape = component_shape(facts(*taken), instances)
    assert (shape.guests, shape.memories) == (guests, memories)
    assert all(
        one <= most for one, most in zip(taken, (shape.core_instances, shape.memories, shape.tables), strict=True)
    )


def test_all_shapes_together_keep_within_the_budget() -> None:
    """Also with as many instances as the configuration allows."""
    shapes = [component_shape(facts(*taken), 1000) for taken in ((1, 1, 1), (1000, 32, 256))]
    shapes.append(PoolShape(1000, 1, 4, 2, components=False))
    keys = [PoolKey(frozenset(), small, shape) for shape in shapes for small in (True, False)]
    assert sum(key.reservation.addresses for key in keys) < room.ADDRESS_SPACE
    assert sum(key.reservation.mappings for key in keys) < 65530 - 2 * room.SPARE_MAPPINGS


def test_components_of_many_shapes_share_engines_and_free_them() -> None:
    before = mappings()
    by, kept = linker(5), []
    for instances in (0, 30, 90, 200):
        for tables in (1, 10, 80):
            for memories in (0, 1, 20):
                kept.append(load(compiled(component(instances, tables, memories)), by))
                assert guest_of(kept[-1]).run(INVOCATION).end is End.RETURNED
    assert len(own_engines()) == 2
    kept.append(load(compiled(component(0, 0, 1, pages=17)), by))
    kept.append(load(compiled(component(0, 0, 20, pages=17)), by))
    kept += [load(compiled(program(memory=pages)), by) for pages in (1, 17)]
    assert len(own_engines()) == 6
    kept.clear()
    gc.collect()
    assert not own_engines()
    # Each compilation leaves an engine here, as its process ends with it.
    assert mappings() - before < 600


class Leaving(Nobody):
    """A client that leaves when it is told to."""

    def __init__(self) -> None:
        self.left = threading.Event()

    def gone(self) -> bool:
        return self.left.is_set()


@pytest.mark.parametrize("text", [program(LOOP), component(body=LOOP)], ids=["program", "component"])
def test_an_engine_lives_as_long_as_a_run_in_it(text: str) -> None:
    ended: list[Outcome] = []
    client, limits = Leaving(), Limits(timeout=600.0, cpu=600.0)
    guests = [guest_of(load(compiled(text), linker(7)), limits)]
    invocation = INVOCATION._replace(client=client)
    running = threading.Thread(target=lambda guest: ended.append(guest.run(invocation)), args=[guests.pop()])
    running.start()
    for _ in range(3):
        gc.collect()
        assert len(own_engines()) == 1
    client.left.set()
    running.join()
    del running
    gc.collect()
    assert [outcome.detail for outcome in ended] == ["the client has disconnected"]
    assert not own_engines()


def test_the_clock_goes_on_for_engines_that_stay() -> None:
    first = load(compiled(program()), linker(9))
    second = guest_of(load(compiled(program(LOOP)), linker(5)), Limits(timeout=0.2))
    assert second.run(INVOCATION).end is End.TIMEOUT
    del first
    gc.collect()
    assert len(own_engines()) == 1
    assert second.run(INVOCATION).end is End.TIMEOUT
    third = guest_of(load(compiled(program(LOOP)), linker(7)), Limits(timeout=0.2))
    assert third.run(INVOCATION).end is End.TIMEOUT


def test_engines_come_and_go_while_others_run() -> None:
    """More than there are places in the ticker, one after the other."""
    one = compiled(program())
    stopping, ended = threading.Event(), []

    def run() -> None:
        guest = guest_of(load(compiled(program(LOOP)), linker(9)), Limits(timeout=0.05))
        while not stopping.is_set():
            ended.append(guest.run(INVOCATION).end)

    running = threading.Thread(target=run)
    running.start()
    for _ in range(200):
        assert guest_of(load(one, linker(5))).run(INVOCATION).end is End.RETURNED
    stopping.set()
    running.join()
    assert set(ended) == {End.TIMEOUT}


def test_a_child_frees_nothing_of_its_parent() -> None:
    kept = [load(compiled(program()), linker(9))]
    guest = guest_of(kept[0])
    child = os.fork()
    if not child:
        kept.clear()
        del guest
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert guest.run(INVOCATION).end is End.RETURNED


@pytest.mark.parametrize("feature", ["gc", "exceptions"])
def test_as_many_guests_with_a_heap_of_the_collector_as_there_are_instances(feature: str) -> None:
    """Each such heap takes a memory of the pool."""
    with_heap = {
        "gc": ("(type $s (struct (field i32)))", "(drop (struct.new $s (i32.const 1)))"),
        "exceptions": ("(tag $t)", "(block $h (try_table (catch_all $h) (throw $t)))"),
    }
    fields, body = with_heap[feature]
    features = frozenset({feature})
    guest = guest_of(
        load(compiled(program(f"{body} {LOOP}", fields=fields), features), linker(3, features)), Limits(timeout=0.5)
    )
    ended: list[Outcome] = []
    threads = [threading.Thread(target=lambda: ended.append(guest.run(INVOCATION))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(outcome) for outcome in ended] == ["exceeded its timeout: 0.5 s"] * 3


# --- what there is no room for --------------------------------------------------------------------

KEY = PoolKey(frozenset(), True, PoolShape(64, 32, 256, 2000, components=True)).reservation
BUDGET = "has no room in this process: its engine reserves 8268 GiB of address space"


def test_the_budget_of_addresses() -> None:
    room.check_room(KEY, [KEY] * 6)
    with pytest.raises(NoRoom, match=BUDGET) as refused:
        room.check_room(KEY, [KEY] * 7)
    assert "the others have 57877 GiB of the 65536 GiB for all: lower `engine: instances`" in str(refused.value)


def test_the_budget_of_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    read, files = Path.read_bytes, {"/proc/sys/vm/max_map_count": b"65530\n", "/proc/self/maps": b"\n" * 60_000}
    monkeypatch.setattr(Path, "read_bytes", lambda path: files.get(str(path)) or read(path))
    with pytest.raises(NoRoom, match=r"6146 mappings, the others 0, and the process has 60000, but vm\.max_map_count"):
        room.check_room(KEY, [])
    files["/proc/self/maps"] = b"\n" * 100
    room.check_room(KEY, [])
    files["/proc/sys/vm/max_map_count"] = b"1000\n"
    with pytest.raises(NoRoom, match="allows 1000 in all: raise that, or lower `engine: instances`"):
        room.check_room(KEY, [])
    room.check_room(PoolKey(frozenset(), True, PoolShape(64, 1, 4, 2, components=False)).reservation, [])


GIB = 1 << 30
# instances, limits of the process, and what becomes of a small program, a large one, a component, a large component,
# and a component with much memory
TIGHT: dict[str, tuple[int, dict[str, int], tuple[str, ...]]] = {
    "no limit": (64, {}, ("returned",) * 5),
    "addresses for nothing": (64, {"RLIMIT_AS": 2 * GIB}, ("RLIMIT_AS",) * 5),
    "addresses for one instance": (1, {"RLIMIT_AS": 8 * GIB}, ("returned", *("RLIMIT_AS",) * 4)),
    "addresses for programs": (64, {"RLIMIT_AS": 600 * GIB}, ("returned", "returned", *("RLIMIT_AS",) * 3)),
    "addresses for components": (64, {"RLIMIT_AS": 1700 * GIB}, (*("returned",) * 3, "RLIMIT_AS", "RLIMIT_AS")),
    "memory for nothing": (64, {"RLIMIT_DATA": GIB // 8}, ("the system does not give it",) * 5),
    "memory for a program": (64, {"RLIMIT_DATA": GIB // 4}, ("returned", *("the system does not give it",) * 4)),
}


@pytest.mark.parametrize("name", TIGHT)
@pytest.mark.parametrize("native", ["1", "0"])
def test_a_process_with_tight_limits_says_so(name: str, native: str, untraced: None) -> None:
    instances, limits, expected = TIGHT[name]
    command: list[Any] = [sys.executable, "-m", loading.__name__, str(instances), json.dumps(limits)]
    path = os.pathsep.join([str(Path(loading.__file__).parents[1]), str(Path(room.__file__).parents[2])])
    environ = {**os.environ, "PYTHONPATH": path, "WSGI_WASM_NATIVE": native}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert len(lines) == len(expected)
    for line, words in zip(lines, expected, strict=True):
        assert words in line
        assert line == "returned" or line.startswith("NoRoom: has no room in this process")


# --- the memory of all guests ---------------------------------------------------------------------

MIB = 1 << 20


@pytest.fixture
def bound() -> Iterator[None]:
    """Memory for two guests of 128 MiB."""
    guest_memory.bound = 300 * MIB
    yield
    guest_memory.bound = None


def test_guests_wait_for_memory(bound: None) -> None:
    one = load(compiled(program(LOOP)), linker(7))
    clients = [Leaving() for _ in range(3)]
    forever = Limits(timeout=600.0, cpu=600.0, queue_timeout=600.0)
    ended: list[Outcome] = []

    def run(client: Leaving) -> None:
        ended.append(guest_of(one, forever).run(INVOCATION._replace(client=client)))

    threads = [threading.Thread(target=run, args=[client]) for client in clients[:2]]
    for thread in threads:
        thread.start()
    while guest_memory._used < 256 * MIB:
        time.sleep(0.01)
    refused = guest_of(one, Limits(queue_timeout=0.1))
    with pytest.raises(Unavailable) as full:
        refused.run(INVOCATION)
    assert str(full.value) == (
        "the guests that run may use 256MiB of memory, which leaves no room for 128MiB more within the 300MiB of "
        "`engine: memory`"
    )
    # One that needs less finds room, and so does one that waits until another has ended.
    small = guest_of(load(compiled(program()), linker(7)), Limits(memory=MIB))
    assert small.run(INVOCATION).end is End.RETURNED
    waiting = threading.Thread(target=run, args=[clients[2]])
    waiting.start()
    clients[0].left.set()
    threads[0].join()
    clients[2].left.set()
    waiting.join()
    clients[1].left.set()
    threads[1].join()
    assert [outcome.detail for outcome in ended] == ["the client has disconnected"] * 3
    assert sum(outcome.queued > 0 for outcome in ended) == 1
    assert guest_memory._used == 0


def test_a_guest_counts_with_what_its_module_can_use(bound: None) -> None:
    guest_of(load(compiled(program(memory="1 4")), linker(9)), Limits(memory=1 << 30))
    with pytest.raises(ModuleError) as refused:
        guest_of(load(compiled(program()), linker(9)), Limits(memory=1 << 30))
    assert str(refused.value) == (
        "may use 1GiB of memory, but `engine: memory` allows all guests of a process only 300MiB together: raise "
        "that, or lower `memory`"
    )
    with pytest.raises(ModuleError, match="may use 1GiB"):
        guest_of(load(compiled(component()), linker(9)), Limits(memory=1 << 30))


def test_what_ends_badly_is_given_back(bound: None) -> None:
    for text in (program("unreachable"), component(body="unreachable"), program(LOOP)):
        guest = guest_of(load(compiled(text), linker(9)), Limits(timeout=0.1))
        for _ in range(5):
            assert not guest.run(INVOCATION).well
    assert guest_memory._used == 0


def test_the_bound_of_a_site(make_client: SiteMaker, caplog: pytest.LogCaptureFixture, bound: None) -> None:
    routes = {"/x": {"module": "hello", "memory": "65MiB"}, "/y": {"module": "hello", "memory": "64MiB"}}
    client = make_client(routes, engine={"memory": "64MiB", "instances": 3})
    assert client.get("/y").status_code == 200
    assert client.get("/x").status_code == 503
    assert "may use 65MiB of memory, but `engine: memory` allows all guests of a process only 64MiB" in caplog.text
    del client


def test_a_route_whose_engine_has_no_room(
    make_client: SiteMaker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another route, whose engine is there already, goes on."""
    routes = {"/small": {"module": "hello"}, "/large": {"module": "big_memory", "memory": "4GiB"}}
    client = make_client(routes, engine={"instances": 3})
    assert client.get("/small").status_code == 200
    monkeypatch.setattr(room, "ADDRESS_SPACE", 1 << 40 >> 6)
    for _ in range(3):
        refused = client.get("/large")
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert client.get("/small").status_code == 200
    said = "has no room in this process: its engine reserves 12 GiB of address space"
    assert caplog.text.count(f"big_memory.wat: {said}") == 4, "once by the engine, and for each request"
    del client
