;; Memory and allocator of an adapter. They come before its code, because lowering a host function needs both.
;;
;; The code's stack and data lie in the first 32 KiB; allocation goes upwards from there and is not undone piece by
;; piece, as an instance serves one request. Most requests need no second page, and each page is cleared after each. A call that keeps nothing gives everything back at its end: `release` goes
;; back to where the call began to allocate, `keep` forgets that place.
(core module $memory
  (memory (export "memory") 1 256)
  (global $next (mut i32) (i32.const 32768))
  (global $start (mut i32) (i32.const 0))
  (func $allocate (export "allocate") (param $size i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (if (i32.eqz (global.get $start)) (then (global.set $start (local.get $at))))
    (if (i32.gt_u (local.get $size) (i32.const 16777216)) (then (unreachable)))
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
      (then
        (if (i32.eq (i32.const -1)
              (memory.grow
                (i32.sub (i32.shr_u (i32.add (local.get $end) (i32.const 65535)) (i32.const 16)) (memory.size))))
          (then (unreachable)))))
    (global.set $next (local.get $end))
    (local.get $at))
  (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $new i32)
    (local.set $new (call $allocate (local.get $size)))
    (memory.copy (local.get $new) (local.get $old)
      (select (local.get $old-size) (local.get $size) (i32.lt_u (local.get $old-size) (local.get $size))))
    (local.get $new))
  (func (export "release")
    (if (global.get $start) (then (global.set $next (global.get $start))))
    (global.set $start (i32.const 0)))
  (func (export "keep") (global.set $start (i32.const 0))))
