"""The string functions of `guestlib/strings.c` do what those of this machine's libc do, over random texts."""

from __future__ import annotations

import ctypes
import random
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from guests.build import native_compiler
from wsgi_wasm.files.locations import GUESTLIB

Call = Callable[..., Any]
PLACE, SIZE, TEXT, NUMBER = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "strchr": (PLACE, [PLACE, NUMBER]),
    "strchrnul": (PLACE, [PLACE, NUMBER]),
    "index": (PLACE, [PLACE, NUMBER]),
    "strcspn": (SIZE, [PLACE, TEXT]),
    "strspn": (SIZE, [PLACE, TEXT]),
    "strpbrk": (PLACE, [PLACE, TEXT]),
    "strstr": (PLACE, [PLACE, TEXT]),
    "strcasestr": (PLACE, [PLACE, TEXT]),
    "memmem": (PLACE, [PLACE, SIZE, TEXT, SIZE]),
    "memccpy": (PLACE, [PLACE, PLACE, NUMBER, SIZE]),
    "strtok_r": (PLACE, [PLACE, TEXT, ctypes.POINTER(PLACE)]),
    "strsep": (PLACE, [ctypes.POINTER(PLACE), TEXT]),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Call, Call]]:
    library = tmp_path_factory.mktemp("strings") / "strings.so"
    flags = ["-D_GNU_SOURCE", "-DSTRINGS_TEST", "-shared", "-fPIC", "-O1", "-fsanitize=undefined", "-fno-builtin"]
    subprocess.run([native_compiler(), *flags, "-o", library, GUESTLIB / "strings.c"], check=True)
    ours, theirs = ctypes.CDLL(str(library)), ctypes.CDLL(None)
    pairs = {}
    for name, (result, parameters) in FUNCTIONS.items():
        pair = getattr(ours, f"test_{name}"), getattr(theirs, name)
        for function in pair:
            function.restype, function.argtypes = result, parameters
        pairs[name] = pair
    return pairs


def some(random: random.Random, most: int, letters: bytes) -> bytes:
    return bytes(random.choice(letters) for _ in range(random.randrange(most)))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_found(both: dict[str, tuple[Call, Call]], seed: int) -> None:
    chance = random.Random(seed)
    letters = [b"ab", b"aB\xe9", bytes(range(1, 256)), b"a"][seed]
    for _ in range(3000):
        text = ctypes.create_string_buffer(some(chance, 80, letters))
        at, size = ctypes.addressof(text), len(text.raw) - 1
        few, byte = some(chance, 8, letters), chance.choice([0, *letters])
        arguments: dict[str, tuple[Any, ...]] = {
            **dict.fromkeys(("strchr", "strchrnul", "index"), (at, byte)),
            **dict.fromkeys(("strcspn", "strspn", "strpbrk", "strstr", "strcasestr"), (at, few)),
            "memmem": (at, size, few, len(few)),
        }
        for name, given in arguments.items():
            ours, theirs = (function(*given) for function in both[name])
            assert ours == theirs, (name, text.value, few, byte)


@pytest.mark.parametrize("seed", range(4))
def test_long_needles(both: dict[str, tuple[Call, Call]], seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(1000):
        part = some(chance, 6, b"ab") or b"a"
        needle = part * chance.randrange(1, 9) + some(chance, 5, b"ab")
        text = ctypes.create_string_buffer(some(chance, 99, b"ab") + part * chance.randrange(20) + needle + b"ab")
        at = ctypes.addressof(text)
        for name, given in {
            "strstr": (at, needle),
            "memmem": (at, len(text.raw) - 1, needle, len(needle)),
        }.items():
            ours, theirs = (function(*given) for function in both[name])
            assert ours == theirs, (name, text.value, needle)


@pytest.mark.parametrize("name", ["strtok_r", "strsep"])
def test_what_is_taken_apart(both: dict[str, tuple[Call, Call]], name: str) -> None:
    chance = random.Random(name)
    for _ in range(2000):
        value, stops = some(chance, 40, b"ab&;"), some(chance, 4, b"&;a")
        taken = []
        for function in both[name]:
            text = ctypes.create_string_buffer(value)
            start, rest, found = ctypes.addressof(text), PLACE(ctypes.addressof(text)), []
            for turn in range(60):
                arguments = (None if turn else start, stops, ctypes.byref(rest)) if name == "strtok_r" else None
                place = function(*(arguments or (ctypes.byref(rest), stops)))
                if place is None:
                    break
                found.append((place - start, ctypes.string_at(place)))
            taken.append((found, text.raw))
        assert taken[0] == taken[1], (value, stops)


def test_what_is_copied_up_to_a_byte(both: dict[str, tuple[Call, Call]]) -> None:
    chance = random.Random(1)
    for _ in range(1000):
        value, byte = some(chance, 20, b"abc"), chance.choice(b"abcd")
        results = []
        for function in both["memccpy"]:
            to, source = ctypes.create_string_buffer(40), ctypes.create_string_buffer(value)
            place = function(ctypes.addressof(to), ctypes.addressof(source), byte, len(value))
            results.append((place and place - ctypes.addressof(to), to.raw))
        assert results[0] == results[1], (value, byte)
