;; The smallest CGI program: it writes a head and a page to standard output and returns.
;; It asks the host for one function only, fd_write.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $iovecs i32) (param $count i32) (param $written i32) (result i32)))
  (memory (export "memory") 1)

  ;; An iovec is an address and a length. This one names the text below: address 16, 74 bytes.
  (data (i32.const 0) "\10\00\00\00\4a\00\00\00")
  (data (i32.const 16) "Content-Type: text/html; charset=utf-8\r\n\r\n<h1>Hello from WebAssembly</h1>\n")

  (func (export "_start")
    ;; File descriptor 1, one iovec at address 0, the number of bytes written to address 8.
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
