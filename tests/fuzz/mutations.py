"""Changed inputs without coverage to guide them: the same ones in each run, on each machine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

ODD_BYTES = b"\0\1\t\n\r \"'%+,-./0:;=?@[\\]^_{|}~\x7f\x80\xbf\xc2\xff"
ODD_NUMBERS = (
    *(b"-1", b"0", b"1", b"127", b"128", b"255", b"256", b"65535", b"65536", b"2147483647", b"2147483648"),
    *(b"4294967295", b"4294967296", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616"),
    *(b"9" * 30, b"9" * 5000, b"1e999", b"0x10", b"1_0", b"+5", b"\xd9\xa3"),
)


def mutants(name: str, seeds: Sequence[bytes], words: Sequence[bytes], count: int, longest: int) -> Iterator[bytes]:
    """`count` inputs of at most `longest` bytes; which ones depends on the arguments alone."""
    chance = random.Random(name)
    pieces = [*words, *ODD_NUMBERS]
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 2, 3, 5, 8))):
            _change(data, seeds, pieces, chance)
        yield bytes(data[:longest])


def _change(data: bytearray, seeds: Sequence[bytes], pieces: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randint(0, len(data))
    span = slice(at, at + chance.choice((0, 1, 1, 2, 4, 16, 64)))
    match chance.randrange(9):
        case 0:
            data[at : at + 1] = [chance.choice(ODD_BYTES)]
        case 1:
            data[at : at + 1] = [chance.randrange(256)]
        case 2:
            data[at:at] = chance.choice(pieces)
        case 3:
            data[span] = chance.choice(pieces)
        case 4:
            del data[span]
        case 5:
            data[at:at] = data[span] * chance.choice((1, 2, 10))
        case 6:
            other = chance.choice(seeds)
            start = chance.randint(0, len(other))
            data[at:] = other[start:]
        case 7 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case _:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
