;; The hello page as a component for `wasmtime serve`: it exports wasi:http/incoming-handler@0.2.0 and has no libc in
;; it. The types are those of wasi:http 0.2.0 and wasi:io 0.2.0, as far as they are used. Results of the canonical ABI
;; that do not fit one register are written to memory at the address passed last; a handler that gets an error traps.
(component
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))

  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output-stream (sub resource)))
    (alias outer 1 $error (type $outer-error))
    (export "error" (type $error (eq $outer-error)))
    (type $stream-error' (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))

  (import "wasi:http/types@0.2.0" (instance $types
    (alias outer 1 $output-stream (type $outer-stream))
    (export "output-stream" (type $output-stream (eq $outer-stream)))
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type $response-outparam (sub resource)))
    (export "outgoing-response" (type $outgoing-response (sub resource)))
    (export "outgoing-body" (type $outgoing-body (sub resource)))
    (type $dns (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $DNS-error-payload (eq $dns)))
    (type $tls (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $TLS-alert-received-payload (eq $tls)))
    (type $size (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $field-size-payload (eq $size)))
    (type $code (variant
      (case "DNS-timeout") (case "DNS-error" $DNS-error-payload) (case "destination-not-found")
      (case "destination-unavailable") (case "destination-IP-prohibited") (case "destination-IP-unroutable")
      (case "connection-refused") (case "connection-terminated") (case "connection-timeout")
      (case "connection-read-timeout") (case "connection-write-timeout") (case "connection-limit-reached")
      (case "TLS-protocol-error") (case "TLS-certificate-error")
      (case "TLS-alert-received" $TLS-alert-received-payload) (case "HTTP-request-denied")
      (case "HTTP-request-length-required") (case "HTTP-request-body-size" (option u64))
      (case "HTTP-request-method-invalid") (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
      (case "HTTP-request-header-section-size" (option u32))
      (case "HTTP-request-header-size" (option $field-size-payload))
      (case "HTTP-request-trailer-section-size" (option u32))
      (case "HTTP-request-trailer-size" $field-size-payload) (case "HTTP-response-incomplete")
      (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $field-size-payload) (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32))
      (case "HTTP-response-trailer-size" $field-size-payload)
      (case "HTTP-response-transfer-coding" (option string)) (case "HTTP-response-content-coding" (option string))
      (case "HTTP-response-timeout") (case "HTTP-upgrade-failed") (case "HTTP-protocol-error")
      (case "loop-detected") (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $error-code (eq $code)))
    (type $invalid (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header-error (eq $invalid)))
    (export "[static]fields.from-list" (func
      (param "entries" (list (tuple string (list u8)))) (result (result (own $fields) (error $header-error)))))
    (export "[constructor]outgoing-response" (func
      (param "headers" (own $fields)) (result (own $outgoing-response))))
    (export "[method]outgoing-response.body" (func
      (param "self" (borrow $outgoing-response)) (result (result (own $outgoing-body)))))
    (export "[method]outgoing-body.write" (func
      (param "self" (borrow $outgoing-body)) (result (result (own $output-stream)))))
    (export "[static]outgoing-body.finish" (func
      (param "this" (own $outgoing-body)) (param "trailers" (option (own $fields)))
      (result (result (error $error-code)))))
    (export "[static]response-outparam.set" (func
      (param "param" (own $response-outparam))
      (param "response" (result (own $outgoing-response) (error $error-code)))))))
  (alias export $types "incoming-request" (type $incoming-request))
  (alias export $types "response-outparam" (type $response-outparam))

  ;; Room would be asked for only to tell an error in words.
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $from-list (canon lower (func $types "[static]fields.from-list") (memory $mem)))
  (core func $response (canon lower (func $types "[constructor]outgoing-response")))
  (core func $body (canon lower (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $stream (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $write
    (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $mem)))
  (core func $drop-stream (canon resource.drop $output-stream))
  (core func $finish (canon lower (func $types "[static]outgoing-body.finish") (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set") (memory $mem)))

  (core module $hello
    (import "m" "memory" (memory 1))
    (import "h" "from-list" (func $from-list (param i32 i32 i32)))
    (import "h" "response" (func $response (param i32) (result i32)))
    (import "h" "body" (func $body (param i32 i32)))
    (import "h" "stream" (func $stream (param i32 i32)))
    (import "h" "write" (func $write (param i32 i32 i32 i32)))
    (import "h" "drop-stream" (func $drop-stream (param i32)))
    (import "h" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "h" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))

    ;; Two header fields: addresses and lengths of name and value.
    (data (i32.const 0) "\40\00\00\00\0c\00\00\00\50\00\00\00\0a\00\00\00")
    (data (i32.const 16) "\60\00\00\00\0e\00\00\00\70\00\00\00\02\00\00\00")
    (data (i32.const 64) "Content-Type")
    (data (i32.const 80) "text/plain")
    (data (i32.const 96) "Content-Length")
    (data (i32.const 112) "12")
    (data (i32.const 128) "hello world\0a")

    ;; The handle in the result at address 256; traps where it is an error.
    (func $taken (result i32)
      (if (i32.load8_u (i32.const 256)) (then unreachable))
      (i32.load (i32.const 260)))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $answer i32) (local $content i32) (local $to i32)
      (call $from-list (i32.const 0) (i32.const 2) (i32.const 256))
      (local.set $answer (call $response (call $taken)))
      (call $body (local.get $answer) (i32.const 256))
      (local.set $content (call $taken))
      (call $set (local.get $out) (i32.const 0) (local.get $answer)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $stream (local.get $content) (i32.const 256))
      (local.set $to (call $taken))
      (call $write (local.get $to) (i32.const 128) (i32.const 12) (i32.const 256))
      (if (i32.load8_u (i32.const 256)) (then unreachable))
      (call $drop-stream (local.get $to))
      (call $finish (local.get $content) (i32.const 0) (i32.const 0) (i32.const 256))))

  (core instance $hello (instantiate $hello
    (with "m" (instance $memory))
    (with "h" (instance
      (export "from-list" (func $from-list)) (export "response" (func $response))
      (export "body" (func $body)) (export "stream" (func $stream)) (export "write" (func $write))
      (export "drop-stream" (func $drop-stream)) (export "finish" (func $finish)) (export "set" (func $set))))))

  (func $handle (param "request" (own $incoming-request)) (param "response-out" (own $response-outparam))
    (canon lift (core func $hello "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
