;; Grows its table until that is refused, then answers.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table 1 funcref)
  (data (i32.const 0) "\10\00\00\00\24\00\00\00")
  (data (i32.const 16) "Content-Type: text/plain\r\n\r\nrefused\n")
  (func (export "_start")
    (loop $more
      (br_if $more (i32.ne (i32.const -1) (table.grow (ref.null func) (i32.const 65536)))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
