;; A CGI program that is a component, written by hand: it adds one to a number in a key-value store and prints it.
;;
;; The host has what the component imports: standard output (WASI 0.2), and wasi:keyvalue. `canon lower` makes functions
;; of the core module's kind out of theirs, where a string is an address and a length.
(component
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output (sub resource)))
    (alias outer 1 $error (type $outer))
    (export "error" (type $cause (eq $outer)))
    (type $failed (variant (case "last-operation-failed" (own $cause)) (case "closed")))
    (export "stream-error" (type $failure (eq $failed)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $failure)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $stream (type $outer))
    (export "output-stream" (type $output (eq $outer)))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $kinds (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $kinds)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $store-error))
  (import "wasi:keyvalue/atomics@0.2.0-draft2" (instance $atomics
    (alias outer 1 $bucket (type $outer))
    (alias outer 1 $store-error (type $outer-error))
    (export "bucket" (type $bucket (eq $outer)))
    (export "error" (type $error (eq $outer-error)))
    (export "increment"
      (func (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" s64)
            (result (result s64 (error $error)))))))

  ;; Where the host puts the text of an error: never looked at, so always at the same place.
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 32768)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $open (canon lower (func $store "open") (memory $bytes) (realloc $realloc)))
  (core func $increment (canon lower (func $atomics "increment") (memory $bytes) (realloc $realloc)))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $bytes) (realloc $realloc)))

  (core module $program
    (import "host" "memory" (memory 1))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (data (i32.const 100) "Content-Type: text/plain\n\n")
    (data (i32.const 150) "the store is not granted\n")
    (data (i32.const 200) "visit number ")
    (data (i32.const 250) "default")
    (data (i32.const 260) "visits")
    (global $output (mut i32) (i32.const 0))

    (func $say (param $text i32) (param $length i32)
      (call $write (global.get $output) (local.get $text) (local.get $length) (i32.const 0)))

    ;; The number, in digits from the last to the first, and a newline.
    (func $say-number (param $number i64) (local $at i32)
      (i32.store8 (i32.const 340) (i32.const 10))
      (local.set $at (i32.const 340))
      (loop $digit
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at)
          (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $number) (i64.const 10)))))
        (br_if $digit (i64.ne (i64.const 0) (local.tee $number (i64.div_u (local.get $number) (i64.const 10))))))
      (call $say (local.get $at) (i32.sub (i32.const 341) (local.get $at))))

    (func (export "run") (result i32)
      (global.set $output (call $stdout))
      (call $say (i32.const 100) (i32.const 26))
      ;; A result begins with a byte that is 0 for ok; the bucket's handle comes four bytes later.
      (call $open (i32.const 250) (i32.const 7) (i32.const 16))
      (if (i32.load8_u (i32.const 16))
        (then (call $say (i32.const 150) (i32.const 25)) (return (i32.const 0))))
      (call $increment (i32.load (i32.const 20)) (i32.const 260) (i32.const 6) (i64.const 1) (i32.const 32))
      (call $say (i32.const 200) (i32.const 13))
      (call $say-number (i64.load (i32.const 40)))
      (i32.const 0)))
  (core instance $host
    (export "memory" (memory $bytes)) (export "open" (func $open)) (export "increment" (func $increment))
    (export "stdout" (func $stdout)) (export "write" (func $write)))
  (core instance $program (instantiate $program (with "host" (instance $host))))

  (func $run (result (result)) (canon lift (core func $program "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $command)))
