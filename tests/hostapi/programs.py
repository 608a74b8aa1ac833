"""CGI programs that are components and use one API of the host, as text: what they print is what the API gave them."""

from __future__ import annotations

from engine.echoes import MEMORY, imported
from guests.wasi import output_streams
from wsgi_wasm.engine.hostcalls.interface import AnyInterface

# Memory below 8192 is the program's own, for data and results.
_WASI = output_streams("blocking-write-and-flush", "stdout")


def program(interface: AnyInterface, texts: dict[int, str], code: str) -> str:
    """The component. `code` calls the interface's functions by their short names (`$open`, `$get`) and prints with
    `$say`, which takes address and length; `texts` lie in memory at their addresses, and 256 is free for results."""
    short = {name.rpartition(".")[2]: name for name in interface.functions}
    lowered = [
        f'(core func ${one} (canon lower (func $api "{name}") (memory $memory) (realloc $realloc)))'
        for one, name in short.items()
    ]
    imports = [f'(import "f" "{one}" (func ${one} {_signature(interface, name)}))' for one, name in short.items()]
    data = [f'(data (i32.const {at}) "{text}")' for at, text in texts.items()]
    newline = "\n  "
    return f"""(component {_WASI}
 {newline.join(imported(interface, "$api", {}))}
 {MEMORY}
 {newline.join(lowered)}
 (core func $get-stdout (canon lower (func $stdout "get-stdout")))
 (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)
  (realloc $realloc)))
 (core module $code
  (import "m" "memory" (memory 0))
  (import "f" "stdout" (func $stdout (result i32))) (import "f" "write" (func $write (param i32 i32 i32 i32)))
  {newline.join(imports)}
  (data (i32.const 16) "Content-Type: text/plain\\n\\n") (data (i32.const 48) "denied")
  {newline.join(data)}
  (global $out (mut i32) (i32.const 0))
  (func $say (param $at i32) (param $size i32)
   (call $write (global.get $out) (local.get $at) (local.get $size) (i32.const 240)))
  (func (export "run") (result i32) (local $h i32) (local $n i32)
   (global.set $out (call $stdout)) (call $say (i32.const 16) (i32.const 26))
   {code}
   (i32.const 0)))
 (core instance $fs (export "stdout" (func $get-stdout)) (export "write" (func $write))
  {" ".join(f'(export "{one}" (func ${one}))' for one in short)})
 (core instance $c (instantiate $code (with "f" (instance $fs)) (with "m" (instance $m))))
 (func $run (result (result)) (canon lift (core func $c "run")))
 (instance $command (export "run" (func $run)))
 (export "wasi:cli/run@0.2.0" (instance $command)))"""


def _signature(interface: AnyInterface, name: str) -> str:
    from hostapi.driver import _Call

    return _Call(0, interface.functions[name]).signature()


# `open` with the text at 1024 of this length; says "denied" and ends where it gives an error.
def opening(length: int) -> str:
    return f"""(call $open (i32.const 1024) (i32.const {length}) (i32.const 256))
   (if (i32.load8_u (i32.const 256)) (then (call $say (i32.const 48) (i32.const 6)) (return (i32.const 0))))
   (local.set $h (i32.load (i32.const 260)))"""


# Adds an x to the value of "hits", and says it.
KEY_VALUE = f"""{opening(7)}
   (call $get (local.get $h) (i32.const 1100) (i32.const 4) (i32.const 320))
   (if (i32.load8_u (i32.const 324)) (then
    (local.set $n (i32.load (i32.const 332)))
    (memory.copy (i32.const 4096) (i32.load (i32.const 328)) (local.get $n))))
   (i32.store8 (i32.add (i32.const 4096) (local.get $n)) (i32.const 120))
   (local.set $n (i32.add (local.get $n) (i32.const 1)))
   (call $set (local.get $h) (i32.const 1100) (i32.const 4) (i32.const 4096) (local.get $n) (i32.const 400))
   (call $say (i32.const 4096) (local.get $n))"""

# Runs three statements, and says the number that the last one gives, as a digit.
SQL = (
    "CREATE TABLE IF NOT EXISTS visits (at)",
    "INSERT INTO visits VALUES (datetime())",
    "SELECT count(*) FROM visits",
)
SQLITE = f"""{opening(7)}
   {
    " ".join(
        f"(call $execute (local.get $h) (i32.const {1100 + 64 * i}) (i32.const {len(one)}) (i32.const 0) (i32.const 0) "
        "(i32.const 320))"
        for i, one in enumerate(SQL)
    )
}
   (local.set $n (i32.load (i32.load (i32.load (i32.const 332)))))
   (local.set $n (i32.load (i32.add (i32.load (i32.load (i32.const 332))) (i32.const 8))))
   (i32.store8 (i32.const 4096) (i32.add (i32.const 48) (local.get $n)))
   (call $say (i32.const 4096) (i32.const 1))"""

# Says what the channel offers.
CHANNEL = """(call $call (i32.const 1) (i32.const 1024) (i32.const 0) (i32.const 320))
   (if (i32.load8_u (i32.const 320)) (then (call $say (i32.const 48) (i32.const 6)))
    (else (call $say (i32.load (i32.const 324)) (i32.load (i32.const 328)))))"""

# Says the variable "greeting".
VARIABLES = """(call $get (i32.const 1024) (i32.const 8) (i32.const 320))
   (if (i32.load8_u (i32.const 320)) (then (call $say (i32.const 48) (i32.const 6)))
    (else (call $say (i32.load (i32.const 324)) (i32.load (i32.const 328)))))"""


def redis(address: str) -> str:
    """Sets "greeting" and says what is in it then."""
    return f"""{opening(len(address))}
   (call $set (local.get $h) (i32.const 1300) (i32.const 8) (i32.const 1310) (i32.const 16) (i32.const 400))
   (call $get (local.get $h) (i32.const 1300) (i32.const 8) (i32.const 320))
   (call $say (i32.load (i32.const 328)) (i32.load (i32.const 332)))"""


QUERY = "SELECT 'hello from ' || current_user"


MYSQL_QUERY = "SELECT concat('hello from ', substring_index(current_user(), '@', 1))"


def mysql(address: str) -> str:
    """The same from MySQL."""
    return postgres(address).replace(f"(i32.const {len(QUERY)})", f"(i32.const {len(MYSQL_QUERY)})")


def postgres(address: str) -> str:
    """Says the text that a query gives."""
    return f"""{opening(len(address))}
   (call $query (local.get $h) (i32.const 1300) (i32.const {len(QUERY)}) (i32.const 0) (i32.const 0) (i32.const 320))
   (local.set $n (i32.load (i32.load (i32.const 332))))
   (call $say (i32.load (i32.add (local.get $n) (i32.const 8))) (i32.load (i32.add (local.get $n) (i32.const 12))))"""
