;; What the gateway imports for every component, whole: a guest's own import may name fewer functions than the adapter
;; needs, and both must mean the same resources. The interfaces are those of WASI 0.2.12, which contains 0.2.0 to 0.2.11.
(component
  (import "wasi:io/error@0.2.12" (instance $error
    (export "error" (type $error (sub resource)))
    (export "[method]error.to-debug-string" (func (param "self" (borrow $error)) (result string)))))
  (alias export $error "error" (type $io-error))

  (import "wasi:io/poll@0.2.12" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.ready" (func (param "self" (borrow $pollable)) (result bool)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))

  (import "wasi:io/streams@0.2.12" (instance $streams
    (export "error" (type $error (eq $io-error)))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "input-stream" (type $input (sub resource)))
    (export "output-stream" (type $output (sub resource)))
    (export "pollable" (type $p (eq $pollable)))
    (type $bytes (result (list u8) (error $stream-error)))
    (type $count (result u64 (error $stream-error)))
    (type $done (result (error $stream-error)))
    (export "[method]input-stream.read"
      (func (param "self" (borrow $input)) (param "len" u64) (result $bytes)))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $input)) (param "len" u64) (result $bytes)))
    (export "[method]input-stream.skip"
      (func (param "self" (borrow $input)) (param "len" u64) (result $count)))
    (export "[method]input-stream.blocking-skip"
      (func (param "self" (borrow $input)) (param "len" u64) (result $count)))
    (export "[method]input-stream.subscribe" (func (param "self" (borrow $input)) (result (own $p))))
    (export "[method]output-stream.check-write" (func (param "self" (borrow $output)) (result $count)))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result $done)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result $done)))
    (export "[method]output-stream.flush" (func (param "self" (borrow $output)) (result $done)))
    (export "[method]output-stream.blocking-flush" (func (param "self" (borrow $output)) (result $done)))
    (export "[method]output-stream.subscribe" (func (param "self" (borrow $output)) (result (own $p))))
    (export "[method]output-stream.write-zeroes"
      (func (param "self" (borrow $output)) (param "len" u64) (result $done)))
    (export "[method]output-stream.blocking-write-zeroes-and-flush"
      (func (param "self" (borrow $output)) (param "len" u64) (result $done)))
    (export "[method]output-stream.splice"
      (func (param "self" (borrow $output)) (param "src" (borrow $input)) (param "len" u64) (result $count)))
    (export "[method]output-stream.blocking-splice"
      (func (param "self" (borrow $output)) (param "src" (borrow $input)) (param "len" u64) (result $count)))))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))

  (import "wasi:clocks/monotonic-clock@0.2.12" (instance
    (export "pollable" (type $p (eq $pollable)))
    (type $u64 u64)
    (export "instant" (type $instant (eq $u64)))
    (export "duration" (type $duration (eq $u64)))
    (export "now" (func (result $instant)))
    (export "resolution" (func (result $duration)))
    (export "subscribe-instant" (func (param "when" $instant) (result (own $p))))
    (export "subscribe-duration" (func (param "when" $duration) (result (own $p))))))

  (import "wasi:cli/environment@0.2.12" (instance
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))
    (export "initial-cwd" (func (result (option string))))))
  (import "wasi:cli/stdin@0.2.12" (instance
    (export "input-stream" (type $input (eq $input-stream)))
    (export "get-stdin" (func (result (own $input))))))
  (import "wasi:cli/stdout@0.2.12" (instance
    (export "output-stream" (type $output (eq $output-stream)))
    (export "get-stdout" (func (result (own $output))))))
  (import "wasi:cli/stderr@0.2.12" (instance
    (export "output-stream" (type $output (eq $output-stream)))
    (export "get-stderr" (func (result (own $output))))))

  (import "wsgi-wasm:gateway/waiting@1.0.0" (instance (export "begin" (func))))

  ;;; outbound.wat
)
