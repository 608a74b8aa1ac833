;; A program (wasi:cli/run) of WASI VERSION around the code of program.c.
(component
  (import "wasi:io/poll@VERSION" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/error@VERSION" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $io-error))
  (import "wasi:io/streams@VERSION" (instance $streams
    (export "error" (type $error (eq $io-error)))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "input-stream" (type $input (sub resource)))
    (export "output-stream" (type $output (sub resource)))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $input)) (param "len" u64) (result (result (list u8) (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:clocks/monotonic-clock@VERSION" (instance $clock
    (export "pollable" (type $p (eq $pollable)))
    (type $u64 u64)
    (export "duration" (type $duration (eq $u64)))
    (export "subscribe-duration" (func (param "when" $duration) (result (own $p))))))
  (import "wasi:cli/environment@VERSION" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:cli/exit@VERSION" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (import "wasi:cli/stdin@VERSION" (instance $stdin
    (export "input-stream" (type $input (eq $input-stream)))
    (export "get-stdin" (func (result (own $input))))))
  (import "wasi:cli/stdout@VERSION" (instance $stdout
    (export "output-stream" (type $output (eq $output-stream)))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:cli/stderr@VERSION" (instance $stderr
    (export "output-stream" (type $output (eq $output-stream)))
    (export "get-stderr" (func (result (own $output))))))

  (core module $memory
    (memory (export "memory") 4 256)
    (global $next (mut i32) (i32.const 131072))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get $size)))
      (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
        (then (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core func $f1 (canon lower (func $poll "[method]pollable.block")))
  (core func $f2 (canon lower (func $clock "subscribe-duration")))
  (core func $f3 (canon lower (func $streams "[method]input-stream.blocking-read") (memory $memory) (realloc $realloc)))
  (core func $f4 (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory) (realloc $realloc)))
  (core func $f5 (canon lower (func $environment "get-environment") (memory $memory) (realloc $realloc)))
  (core func $f6 (canon lower (func $environment "get-arguments") (memory $memory) (realloc $realloc)))
  (core func $f7 (canon lower (func $exit "exit")))
  (core func $f8 (canon lower (func $stdin "get-stdin")))
  (core func $f9 (canon lower (func $stdout "get-stdout")))
  (core func $f10 (canon lower (func $stderr "get-stderr")))
  (core instance $host
    (export "block" (func $f1))
    (export "timer" (func $f2))
    (export "read" (func $f3))
    (export "write" (func $f4))
    (export "environment" (func $f5))
    (export "arguments" (func $f6))
    (export "exit" (func $f7))
    (export "stdin" (func $f8))
    (export "stdout" (func $f9))
    (export "stderr" (func $f10)))
  (core module $code)
  (core instance $code (instantiate $code (with "env" (instance $m)) (with "host" (instance $host))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (component $exported
    (import "run" (func $run (result (result))))
    (export "run" (func $run)))
  (instance $exported (instantiate $exported (with "run" (func $run))))
  (export "wasi:cli/run@VERSION" (instance $exported)))
