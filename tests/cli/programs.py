"""Programs in text form, small enough to see at a glance what they do."""

from __future__ import annotations

PLAIN = "Content-Type: text/plain\\n\\n"

_WRITE = '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'


def printing(text: str, *, errors: str = "", memory: int = 1, then: str = "") -> str:
    """Writes `text` to standard output and `errors` to standard error. `memory` is in pages of 64 KiB."""
    return f"""(module {_WRITE}
      (memory (export "memory") {memory})
      (data (i32.const 0) "\\10\\00\\00\\00{_size(text)}") (data (i32.const 16) "{text}")
      (data (i32.const 8) "\\00\\20\\00\\00{_size(errors)}") (data (i32.const 0x2000) "{errors}")
      (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0x3000)))
        (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 0x3000)))
        {then}))"""


def breaking_off() -> str:
    """A head and 128 KiB of body, which is more than is held back, and then a trap."""
    more = """(i32.store (i32.const 0x3000) (i32.const 0x4000)) (i32.store (i32.const 0x3004) (i32.const 0x20000))
      (drop (call $write (i32.const 1) (i32.const 0x3000) (i32.const 1) (i32.const 0x3010)))
      unreachable"""
    return printing(f"{PLAIN}begun", memory=3, then=more)


def importing(*names: str) -> str:
    """Asks for functions of WASI preview 1 that take and return nothing."""
    imports = " ".join(f'(import "wasi_snapshot_preview1" "{name}" (func))' for name in names)
    return f'(module {imports} (memory (export "memory") 1) (func (export "_start")))'


def _size(text: str) -> str:
    size = len(text.encode().decode("unicode_escape"))
    return "".join(f"\\{byte:02x}" for byte in size.to_bytes(4, "little"))
