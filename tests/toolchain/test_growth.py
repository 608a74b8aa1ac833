"""No function of the libc that programs get needs more than it has to where the text grows: counted in instructions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wasmtime

from wsgi_wasm.toolchain.build import build

SOURCE = Path(__file__).parent / "growth.c"
NAMES = re.findall(r"static void do_(\w+)\(void\)", SOURCE.read_text())
FUEL = 2_000_000_000
LENGTH = 4096
MOST = 2.6  # times what half of the text takes; what sorts takes 2.2, what is quadratic 4


class Counter:
    """Counts the instructions of runs of one module."""

    def __init__(self, module: Path) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        self.engine = wasmtime.Engine(config)
        self.module = wasmtime.Module.from_file(self.engine, str(module))
        self.linker = wasmtime.Linker(self.engine)
        self.linker.define_wasi()

    def count(self, name: str, length: int) -> int:
        store = wasmtime.Store(self.engine)
        store.set_fuel(FUEL)
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["growth", name, str(length)]
        store.set_wasi(wasi)
        start = self.linker.instantiate(store, self.module).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        start(store)
        return FUEL - store.get_fuel()

    def work(self, name: str, length: int) -> int:
        """Without what it takes to begin."""
        return self.count(name, length) - self.count("nothing", length)


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    folder = tmp_path_factory.mktemp("growth")
    (folder / "growth.inc").write_text("".join(f"CASE({name})\n" for name in NAMES))
    build([SOURCE], folder / "growth.wasm", flags=["-fno-builtin", f"-I{folder}"])
    return Counter(folder / "growth.wasm")


@pytest.mark.parametrize("name", NAMES)
def test_twice_the_text_takes_twice_the_work(counter: Counter, name: str) -> None:
    small, large = counter.work(name, LENGTH), counter.work(name, 2 * LENGTH)
    print(f"{name}: {small} and {large} instructions, {large / small:.2f}")
    assert large < MOST * small


def test_what_is_quadratic_is_found(counter: Counter) -> None:
    """By the same measure: what the test would miss, it could not hold."""
    assert counter.work("quadratic", 2 * LENGTH) > 3.5 * counter.work("quadratic", LENGTH)
