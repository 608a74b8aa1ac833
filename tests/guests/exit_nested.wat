;; Answers, then leaves by proc_exit from within nested calls.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\23\00\00\00")
  (data (i32.const 16) "Content-Type: text/plain\r\n\r\nnested\n")
  (func $deep (param $depth i32)
    (if (i32.eqz (local.get $depth)) (then (call $proc_exit (i32.const 0))))
    (call $deep (i32.sub (local.get $depth) (i32.const 1))))
  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $deep (i32.const 100))
    (unreachable)))
