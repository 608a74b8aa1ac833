"""What components as text import of WASI 0.2."""

from __future__ import annotations


def output_streams(method: str, *names: str) -> str:
    """The instances `$streams`, with one way to write, and `$stdout` and `$stderr`, or which of them are named."""
    streams = "".join(
        f"""
 (import "wasi:cli/{name}@0.2.0" (instance ${name}
  (alias outer 1 $outer (type $o)) (export "output-stream" (type $out (eq $o)))
  (export "get-{name}" (func (result (own $out))))))"""
        for name in names
    )
    return f"""
 (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
 (alias export $errors "error" (type $error))
 (import "wasi:io/streams@0.2.0" (instance $streams
  (export "output-stream" (type $out (sub resource)))
  (alias outer 1 $error (type $e)) (export "error" (type $er (eq $e)))
  (type $failed (variant (case "last-operation-failed" (own $er)) (case "closed")))
  (export "stream-error" (type $failure (eq $failed)))
  (type $bytes (list u8)) (type $result (result (error $failure)))
  (export "[method]output-stream.{method}"
   (func (param "self" (borrow $out)) (param "contents" $bytes) (result $result)))))
 (alias export $streams "output-stream" (type $outer)){streams}
"""
