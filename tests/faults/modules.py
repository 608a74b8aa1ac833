"""Modules that no compiler makes, byte by byte, and small ones as text."""

from __future__ import annotations

from collections.abc import Sequence

from guests.binary import section, vector
from wsgi_wasm.binary.reader import CORE_PREAMBLE
from wsgi_wasm.binary.writer import unsigned


def binary(functions: Sequence[bytes], imports: Sequence[bytes] = ()) -> bytes:
    """A module whose functions take and return nothing and have these bodies, locals first. The first that is defined
    is `_start`."""
    first = len(imports)
    sections = [section(1, vector([b"\x60\0\0"]))]
    if imports:
        sections.append(section(2, vector(imports)))
    sections += [
        section(3, unsigned(len(functions)) + b"\0" * len(functions)),
        section(5, b"\x01\0\x01"),
        section(7, vector([b"\x06memory\x02\0", b"\x06_start\0" + unsigned(first)])),
        section(10, vector([unsigned(len(body)) + body for body in functions])),
    ]
    return CORE_PREAMBLE + b"".join(sections)


EMPTY = b"\0\x0b"
"""The body of a function that does nothing."""


def many_functions() -> bytes:
    return binary([EMPTY] * 1_000_001)


def large_function() -> bytes:
    """50 MB of instructions in one function."""
    return binary([b"\0" + b"\x01" * 50_000_000 + b"\x0b"])


def deep_blocks() -> bytes:
    """100,000 blocks, one within the other."""
    return binary([b"\0" + b"\x02\x40" * 100_000 + b"\x0b" * 100_001])


def many_imports() -> bytes:
    return binary([EMPTY], [b"\x03env\x01f\0\0"] * 100_000)


def bracket_bomb() -> str:
    """Text that is nothing but opening brackets."""
    return "(module " + "(" * 1_000_000


COMMAND = '(instance $r (export "run" (func $run))) (export "wasi:cli/run@0.2.0" (instance $r))'


def component_calling(interface: str, function: str, type_: str = "", times: int = 1) -> str:
    """A component that calls a function of the host, which takes and returns nothing, so many times."""
    return f"""(component
      (import "{interface}" (instance $i {type_} (export "{function}" (func))))
      (core func $f (canon lower (func $i "{function}")))
      (core module $code (import "h" "f" (func $f))
        (func (export "run") (result i32) (local $n i32)
          (loop $again (call $f)
            (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {times}))))
          (i32.const 0)))
      (core instance $h (export "f" (func $f)))
      (core instance $c (instantiate $code (with "h" (instance $h))))
      (func $run (result (result)) (canon lift (core func $c "run"))) {COMMAND})"""


def component_handles(body: str) -> str:
    """A component that may make handles of clocks (`$make`) and drop them (`$drop`); `body` is its code."""
    return f"""(component
      (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
      (alias export $poll "pollable" (type $pollable))
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
        (alias outer 1 $pollable (type $outer)) (export "pollable" (type $p (eq $outer)))
        (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
      (core func $make (canon lower (func $clock "subscribe-duration")))
      (core func $drop (canon resource.drop $pollable))
      (core module $code
        (import "h" "make" (func $make (param i64) (result i32))) (import "h" "drop" (func $drop (param i32)))
        (func (export "run") (result i32) (local $h i32) {body} (i32.const 0)))
      (core instance $h (export "make" (func $make)) (export "drop" (func $drop)))
      (core instance $c (instantiate $code (with "h" (instance $h))))
      (func $run (result (result)) (canon lift (core func $c "run"))) {COMMAND})"""


def component_exporting(definitions: str) -> str:
    """A component whose `run` is what the definitions leave as the instance `$r`."""
    return f'(component {definitions} (export "wasi:cli/run@0.2.0" (instance $r)))'


def component_socket() -> str:
    """A component that wants a TCP socket, and divides by zero where that is refused."""
    return f"""(component
      (import "wasi:sockets/network@0.2.0" (instance $network
        (type $error-code' (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
          "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit"
          "address-not-bindable" "address-in-use" "remote-unreachable" "connection-refused" "connection-reset"
          "connection-aborted" "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
          "permanent-resolver-failure"))
        (export "error-code" (type $error-code (eq $error-code')))
        (type $family' (enum "ipv4" "ipv6"))
        (export "ip-address-family" (type $family (eq $family')))))
      (alias export $network "error-code" (type $error-code))
      (alias export $network "ip-address-family" (type $family))
      (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
      (alias export $tcp "tcp-socket" (type $socket))
      (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
        (export "error-code" (type $e (eq $error-code)))
        (export "ip-address-family" (type $f (eq $family)))
        (export "tcp-socket" (type $s (eq $socket)))
        (export "create-tcp-socket" (func (param "address-family" $f) (result (result (own $s) (error $e)))))))
      (core module $memory (memory (export "memory") 1))
      (core instance $m (instantiate $memory))
      (alias core export $m "memory" (core memory $memory))
      (core func $make (canon lower (func $create "create-tcp-socket") (memory $memory)))
      (core module $code
        (import "m" "memory" (memory 1)) (import "h" "make" (func $make (param i32 i32)))
        (func (export "run") (result i32)
          (call $make (i32.const 0) (i32.const 16))
          (if (i32.load8_u (i32.const 16)) (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
          (i32.const 0)))
      (core instance $h (export "make" (func $make)))
      (core instance $c (instantiate $code (with "m" (instance $m)) (with "h" (instance $h))))
      (func $run (result (result)) (canon lift (core func $c "run"))) {COMMAND})"""
