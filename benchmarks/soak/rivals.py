"""The same hostile mix against others: who loses good requests, how long they take, what memory it costs, and whether
the server is as before when it is over."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import accounting, tools
from benchmarks.servers import Plain
from benchmarks.soak import acts
from benchmarks.soak.acts import OK, Act, Target, performed
from benchmarks.soak.latency import beside, percentile
from benchmarks.soak.run import APACHE, started
from benchmarks.soak.site import SiteFolder, scratch
from guests.build import component, native
from servers import spawner
from servers.apache import Apache, Site, give_to_server
from servers.server import Server

SECONDS = 30.0  # of good requests beside the mix
PATIENCE = 10.0  # seconds after which a good request counts as lost
MOST_MEMORY = 8 << 30  # bytes at which the mix is stopped, as this machine is not to be lost


@dataclass(frozen=True, slots=True)
class Contender:
    """`good` is asked all the time; each of `hostile` by two clients."""

    name: str
    start: Callable[[Path], AbstractContextManager[tuple[Server, Path]]]
    good: Act
    hostile: Sequence[Act]


@dataclass(frozen=True, slots=True)
class Standing:
    """Times in milliseconds, memory in bytes of all processes of the server. `busy_after` is the CPU time that the
    server used in each second when every hostile client had left ten seconds ago."""

    name: str
    asked: int
    lost: int
    quiet_p50: float
    quiet_p99: float
    p50: float
    p99: float
    memory_before: int
    memory_peak: int
    memory_after: int
    lost_after: int
    busy_after: float
    note: str = ""


def slow_clients(path: str, flood: str) -> list[Act]:
    return [
        acts.slow_head(path),
        acts.slow_body(path),
        acts.slow_reader(flood, 0, 20.0),
        acts.vanishing(flood),
    ]


def of_programs(root: str) -> list[Act]:
    names = ("loop", "alloc?most=1024", "recurse", "trap?kind=unreachable", "stderr?kind=flood&bytes=10000000")
    return [*(acts.status(root + name) for name in names), acts.reads(f"{root}flood?bytes=100000000000")]


def of_components(root: str) -> list[Act]:
    names = ("loop", "trap", "handles-forever", "sleep")
    return [*(acts.status(root + name) for name in names), acts.reads(f"{root}big?4000000000")]


@contextmanager
def gateway(name: str, place: Path) -> Iterator[tuple[Server, Path]]:
    folder = SiteFolder(place, isolate=False)
    folder.lay_out(name)
    with started(name, folder) as server:
        yield server, folder.cache


@contextmanager
def wasmtime_serve(options: Sequence[str], place: Path) -> Iterator[tuple[Server, Path]]:
    """Raises Missing."""
    program = str(tools.wasmtime())
    module = shutil.copyfile(component("http"), place / "http.wasm")

    def argv(port: int) -> list[str]:
        return [program, "serve", "-S", "cli", "--addr", f"{Server.host}:{port}", *options, str(module)]

    with Plain.start("wasmtime-serve", argv, place, {}) as server:
        yield server, place


@contextmanager
def mod_cgid(text: str, place: Path) -> Iterator[tuple[Server, Path]]:
    """Raises LookupError without a compiler."""
    programs = place / "cgi-bin"
    programs.mkdir(mode=0o755)
    for name in ("nonce", "loop", "alloc", "recurse", "trap", "stderr", "flood"):
        shutil.copyfile(native(name), programs / name)
        (programs / name).chmod(0o755)
    give_to_server(programs)
    site = Site(text=APACHE + text, threads=32, native={"/cgi-bin/": programs}, wsgi=False, modules=("reqtimeout",))
    with Apache.start(site, place, name="mod_cgid") as server:
        yield server, place


LIMITED_SERVE = ("-W", "timeout=1s,max-memory-size=16777216", "--max-concurrent-requests", "64")
LIMITED_CGI = "\nCGIDScriptTimeout 1\nRLimitCPU 1 1\nRLimitMEM 67108864 67108864\n"


def contenders() -> list[Contender]:
    """The gateway, and each rival as it comes and with the limits that it has."""
    hostile = [
        *of_programs("/hostile/"),
        *of_components("/hostile/component/"),
        *slow_clients("/client/upload", "/client/flood?bytes=90000000"),
        acts.drop("/hostile/dropped"),
    ]
    good = acts.echo("/good/component/echo")
    serve = [*of_components("/"), *slow_clients("/echo", "/big?4000000000")]
    cgi = [*of_programs("/cgi-bin/"), *slow_clients("/cgi-bin/nonce", "/cgi-bin/flood?bytes=90000000")]
    program = acts.program("/cgi-bin/nonce")
    return [
        Contender("wsgi_wasm, gunicorn gthread", lambda place: gateway("gunicorn-gthread", place), good, hostile),
        Contender("wsgi_wasm, mod_wsgi daemon", lambda place: gateway("mod_wsgi-daemon", place), good, hostile),
        Contender("wasmtime serve", lambda place: wasmtime_serve((), place), acts.echo("/echo"), serve),
        Contender(
            "wasmtime serve, limited", lambda place: wasmtime_serve(LIMITED_SERVE, place), acts.echo("/echo"), serve
        ),
        Contender("mod_cgid", lambda place: mod_cgid("", place), program, cgi),
        Contender("mod_cgid, limited", lambda place: mod_cgid(LIMITED_CGI, place), program, cgi),
    ]


def compare(say: Callable[[str], None], seconds: float = SECONDS, only: Sequence[str] = ()) -> list[Standing]:
    """Raises Missing where a rival is not installed."""
    found = []
    for contender in contenders():
        if only and not any(text in contender.name for text in only):
            continue
        say(f"{contender.name}: {seconds:.0f} s beside the hostile mix")
        with scratch() as place, contender.start(place) as (server, cache):
            found.append(_stand(contender, server, cache, seconds))
    return found


def _stand(contender: Contender, server: Server, cache: Path, seconds: float) -> Standing:
    target = Target(server.address, contender.name, cache.parent / "dropped", PATIENCE)
    nonces = itertools.count(1)

    def ask(until: float, most: int) -> tuple[list[float], int]:
        times: list[float] = []
        lost = 0
        while time.monotonic() < until and len(times) < most:
            began = time.perf_counter()
            lost += performed(contender.good, target, next(nonces)) != OK
            times.append(time.perf_counter() - began)
        return times, lost

    ask(time.monotonic() + 30, 100)  # everything is loaded
    quiet, _ = ask(time.monotonic() + 30, 500)
    with _Peak(server, cache) as peak:
        with beside(Target(target.address, target.name, target.dropped, 60.0), tuple(contender.hostile) * 2, nonces):
            times, lost = ask(time.monotonic() + seconds, 1 << 30)
        time.sleep(10)
        spent = peak.cpu()
        time.sleep(2)
        spent = (peak.cpu() - spent) / 2
        _, lost_after = ask(time.monotonic() + 60, 100)
        after = peak.now()
    return Standing(
        contender.name,
        len(times),
        lost,
        percentile(quiet, 50),
        percentile(quiet, 99),
        percentile(times, 50),
        percentile(times, 99),
        peak.before,
        peak.most,
        after,
        lost_after,
        round(spent, 2),
        "; ".join(filter(None, [peak.note, "" if not server.process.exited() else "the server has ended"])),
    )


class _Peak:
    """The largest sum of what a server's processes hold, looked at twice a second."""

    def __init__(self, server: Server, cache: Path) -> None:
        self._server, self._cache = server, cache
        self.note = ""
        self.before = self.most = self.now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _pids(self) -> list[int]:
        return [*self._server.everyone(), *spawner.processes(self._cache)]

    def now(self) -> int:
        total = 0
        for pid in self._pids():
            try:
                total += accounting.memory(pid)["pss"]
            except (OSError, KeyError):
                continue
        return total

    def cpu(self) -> float:
        return accounting.process_seconds(self._pids())

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            self.most = max(self.most, self.now())
            if self.most > MOST_MEMORY and not self.note:
                self.note = f"stopped by the harness at {MOST_MEMORY >> 30} GiB"
                self._server.stop()

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()


def table(found: Sequence[Standing]) -> str:
    """For docs/comparison.md."""
    lines = [
        "| server | good requests lost | p50 quiet, beside | p99 quiet, beside | memory before, peak, after "
        "| lost after | CPU in use after |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        note = f" ({one.note})" if one.note else ""
        lines.append(
            f"| {one.name}{note} | {one.lost} of {one.asked} | {one.quiet_p50:.1f} ms, {one.p50:.1f} ms "
            f"| {one.quiet_p99:.1f} ms, {one.p99:.0f} ms | {one.memory_before >> 20}, {one.memory_peak >> 20}, "
            f"{one.memory_after >> 20} MiB | {one.lost_after} of 100 | {100 * one.busy_after:.0f} % |"
        )
    return "\n".join(lines)
