"""What components cost: those of the examples, and a component beside the same thing as a core module, in one process.

`python benchmarks/components.py [--requests N] [--leaks N]`; see benchmarks/README.md. Build the examples first
(`python examples/build.py`); what is not built is left out, and said.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
os.environ.setdefault("WSGI_WASM_CACHE", str(PROJECT / "build" / "cache"))

from guests.build import component  # noqa: E402
from wsgi_wasm import Gateway, create_app  # noqa: E402
from wsgi_wasm.files.host_file import HostFile  # noqa: E402

EXAMPLES = PROJECT / "examples"
GUESTS = PROJECT / "benchmarks" / "guests"
OPEN = 64


class Example(NamedTuple):
    """What is sent to a site or manifest whose module has been built, and the CPU time that the project has set itself
    as a bound (ms)."""

    site: str
    path: str
    built: str
    bound: float
    body: bytes = b""


SITES: dict[str, Example] = {
    "componentize-js, wasi:http": Example("http-js/site.yaml", "/words", "http-js/words.wasm", 1.0),
    "componentize-py, wasi:http": Example("http-python/site.yaml", "/digest", "http-python/digest.wasm", 2.5),
    "Rust, wasi:http": Example("http-rust/site.yaml", "/table", "http-rust/table.wasm", 1.0, b"a,b\n1,2\n3,4\n"),
    "spin-sdk for Python": Example("spin-python/spin.toml", "/visits", "spin-python/app.wasm", 3.0),
    "Spin's JavaScript": Example("spin-js/spin.toml", "/pages/x", "spin-js/visits.wasm", 3.0),
    "Spin's Rust": Example("spin-rust/spin.toml", "/", "spin-rust/links.wasm", 3.0),
}


def environ(path: str, body: bytes = b"") -> dict[str, Any]:
    """A request as gunicorn gives it."""
    return {
        "REQUEST_METHOD": "POST" if body else "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "world",
        "RAW_URI": f"{path}?world",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "HTTP_HOST": "localhost",
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "benchmark",
    }


def status(gateway: Gateway, path: str, body: bytes = b"") -> str:
    """Send one request and give its status."""
    seen: list[str] = []

    def start(line: str, fields: object, error: object = None) -> Callable[[bytes], object]:
        seen.append(line)
        return len

    for _ in gateway(environ(path, body), start):
        pass
    return seen[0] if seen else ""


def ready(gateway: Gateway, path: str, body: bytes = b"") -> None:
    """Wait until the module is compiled. Raises SystemExit for any other answer than 200."""
    for _ in range(600):
        line = status(gateway, path, body)
        if line.startswith("200"):
            return
        if not line.startswith("503"):
            raise SystemExit(f"{path}: {line}")
        time.sleep(0.5)
    raise SystemExit(f"{path}: not compiled in time")


def cpu(gateway: Gateway, path: str, requests: int, body: bytes = b"") -> tuple[float, float]:
    """CPU milliseconds a request: the least and the median of ten stretches."""
    stretches = []
    for _ in range(10):
        before = time.process_time()
        for _ in range(max(requests // 10, 1)):
            status(gateway, path, body)
        stretches.append((time.process_time() - before) * 1e3 / max(requests // 10, 1))
    return min(stretches), statistics.median(stretches)


def held() -> tuple[int, int]:
    """Resident KiB and descriptors of this process."""
    for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]), len(os.listdir("/proc/self/fd"))
    raise RuntimeError("no Rss in smaps_rollup")


def examples(folder: Path, requests: int) -> Iterator[tuple[str, str, str]]:
    """CPU time of each example; Spin's keep their state in `folder`."""
    for name, (source, path, built, bound, body) in SITES.items():
        site, module = EXAMPLES / source, EXAMPLES / built
        if not module.exists():
            yield name, "not built: python examples/build.py", ""
            continue
        if site.suffix == ".toml":
            spin = f"{{manifest: {site}, state_dir: {folder / 'state'}}}"
            site = folder / f"{module.stem}.yaml"
            site.write_text(f"routes: {{/: {{spin: {spin}}}}}\n")
        gateway = create_app(site)
        ready(gateway, path, body)
        least, median = cpu(gateway, path, requests, body)
        yield f"{name}, CPU a request", f"{least:.2f} ms (median {median:.2f})", f"bound {bound:g} ms"


def beside_a_module(folder: Path, requests: int) -> Iterator[tuple[str, str, str]]:
    """The same answer from a component through the adapter and from a core module, both without libc."""
    site = folder / "site.yaml"
    modules = {"/module": "hello.wat", "/component": "hello_http.wat"}
    site.write_text("routes:\n" + "".join(f"  {path}: {{module: {GUESTS / name}}}\n" for path, name in modules.items()))
    gateway = create_app(site)
    costs = {}
    for path in modules:
        ready(gateway, path)
        costs[path] = cpu(gateway, path, requests * 10)[0]
    text = f"{costs['/component'] * 1e3:.0f} us against {costs['/module'] * 1e3:.0f} us"
    yield (
        "wasi:http component against a core module, without a server",
        text,
        f"{costs['/component'] / costs['/module']:.1f} x",
    )


def leaks(folder: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """What is left of `count` requests, and of as many traps."""
    site = folder / "leaks.yaml"
    site.write_text(f"routes: {{/x: {{module: {component('http')}}}}}\n")
    gateway = create_app(site)
    ready(gateway, "/x")
    for path, expected in (("/x", "200"), ("/x/trap", "502")):
        for _ in range(count // 10):
            status(gateway, path)
        before = held()
        for _ in range(count):
            assert status(gateway, path).startswith(expected), path
        after = held()
        text = f"{after[0] - before[0]:+d} KiB resident, {after[1] - before[1]:+d} descriptors"
        yield f"{count} requests of status {expected}", text, ""


def loading(requests: int) -> Iterator[tuple[str, str, str]]:
    """Loading a large component from the cache, and what instances of it hold while they are open."""
    source, path, built, *_ = SITES["componentize-py, wasi:http"]
    site, module = EXAMPLES / source, EXAMPLES / built
    if not module.exists():
        return
    from wsgi_wasm.engine.capi import component as cc
    from wsgi_wasm.engine.capi import core as c
    from wsgi_wasm.engine.modules import ModuleStore

    gateway = create_app(site)
    ready(gateway, path)
    times = []
    original = cc.component_deserialize_file

    def timed(*arguments: Any) -> Any:
        before = time.perf_counter()
        try:
            return original(*arguments)
        finally:
            times.append((time.perf_counter() - before) * 1e3)

    store: ModuleStore = gateway._current().shared.modules
    cc.component_deserialize_file = timed
    try:
        for _ in range(10):
            assert store.supply.from_cache(store.source(HostFile(module))) is not None
    finally:
        cc.component_deserialize_file = original
    size = max(path.stat().st_size for path in Path(os.environ["WSGI_WASM_CACHE"]).glob("*.cwasm")) / 2**20
    text = f"{min(times):.1f} ms (median {statistics.median(times):.1f})"
    yield f"deserialize_file of a cached component (largest in the cache: {size:.0f} MiB)", text, "bound 20 ms"
    yield from _open(gateway, module, c, cc)


def _open(gateway: Gateway, module: Path, c: Any, cc: Any) -> Iterator[tuple[str, str, str]]:
    """Instances as a run makes them, that have not been called."""
    from wsgi_wasm.engine.component.linked import LinkedComponent

    linked = gateway._current().shared.modules.module(module).get(60)
    assert isinstance(linked, LinkedComponent)
    before = held()
    stores = []
    for _ in range(OPEN):
        store = c.store_new(linked.engine.pointer, None, None)
        context = c.store_context(store)
        c.set_wasi(context, c.wasi_new())
        c.set_epoch_deadline(context, 1 << 40)
        instance = ctypes.create_string_buffer(cc.SIZEOF_INSTANCE)
        error = cc.instantiate(linked.linker, context, linked.pointer, instance)
        assert not error, "an instance could not be made"
        stores.append(store)
    after = held()
    for store in stores:
        c.store_delete(store)
    yield f"{OPEN} idle Python components", f"{(after[0] - before[0]) / OPEN:.0f} KiB resident each", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300, help="for each example (default 300)")
    parser.add_argument("--leaks", type=int, default=10_000, help="requests and traps that must leave nothing behind")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # ten thousand traps would be as many lines
    with tempfile.TemporaryDirectory(prefix="wsgi-wasm-benchmark-") as name:
        folder = Path(name)
        for rows in (
            beside_a_module(folder, options.requests),
            examples(folder, options.requests),
            loading(options.requests),
            leaks(folder, options.leaks),
        ):
            for what, found, bound in rows:
                print(f"{what:75} {found:34} {bound}", flush=True)


if __name__ == "__main__":
    main()
