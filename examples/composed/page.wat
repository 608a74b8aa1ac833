;; A program that greets each of its arguments, through the interface demo:api/greeter that another component has.
(component
  (import "demo:api/greeter@1.0.0" (instance $greeter
    (export "greet" (func (param "name" string) (result string)))))
  (import "wasi:io/error@0.2.3" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $io-error))
  (import "wasi:io/streams@0.2.3" (instance $streams
    (export "error" (type $error (eq $io-error)))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "output-stream" (type $output (sub resource)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.3" (instance $stdout
    (export "output-stream" (type $output (eq $output-stream)))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:cli/environment@0.2.3" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core func $greet (canon lower (func $greeter "greet") (memory $memory) (realloc $realloc)))
  (core func $get (canon lower (func $environment "get-arguments") (memory $memory) (realloc $realloc)))
  (core func $out (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory) (realloc $realloc)))
  (core module $code
    (import "m" "memory" (memory 1))
    (import "host" "greet" (func $greet (param i32 i32 i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (data (i32.const 64) "Content-Type: text/plain\n\n")
    (data (i32.const 96) "\n")
    (func (export "run") (result i32)
      (local $out i32) (local $at i32) (local $left i32)
      (local.set $out (call $stdout))
      (call $write (local.get $out) (i32.const 64) (i32.const 26) (i32.const 0))
      (call $arguments (i32.const 16))
      (local.set $at (i32.add (i32.load (i32.const 16)) (i32.const 8)))
      (local.set $left (i32.sub (i32.load (i32.const 20)) (i32.const 1)))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $left)))
          (call $greet (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)) (i32.const 32))
          (call $write (local.get $out) (i32.load (i32.const 32)) (i32.load (i32.const 36)) (i32.const 0))
          (call $write (local.get $out) (i32.const 96) (i32.const 1) (i32.const 0))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $next)))
      (i32.const 0)))
  (core instance $code (instantiate $code
    (with "m" (instance $m))
    (with "host" (instance
      (export "greet" (func $greet))
      (export "arguments" (func $get))
      (export "stdout" (func $out))
      (export "write" (func $write))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.3" (instance $run)))
