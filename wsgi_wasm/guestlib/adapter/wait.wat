;; wasi:io/poll for programs (wasi:cli/run): the host's pollables, waited for in slices. See wait.c.
(component
  (import "pollable" (type $pollable (sub resource)))
  (import "ready" (func $ready (param "self" (borrow $pollable)) (result bool)))
  (import "poll" (func $poll (param "in" (list (borrow $pollable))) (result (list u32))))
  (import "timer" (func $timer (param "when" u64) (result (own $pollable))))

  (core module $memory)
  (core instance $memory (instantiate $memory))
  (core func $lowered-poll
    (canon lower (func $poll) (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $lowered-ready (canon lower (func $ready)))
  (core func $lowered-timer (canon lower (func $timer)))
  (core func $drop-pollable (canon resource.drop $pollable))
  (core instance $host
    (export "poll" (func $lowered-poll))
    (export "ready" (func $lowered-ready))
    (export "timer" (func $lowered-timer))
    (export "drop-pollable" (func $drop-pollable)))

  (core module $code)
  (core instance $code (instantiate $code
    (with "env" (instance $memory))
    (with "memory" (instance $memory))
    (with "host" (instance $host))))

  (export $pollable' "pollable" (type $pollable))
  (export "[method]pollable.ready" (func $ready) (func (param "self" (borrow $pollable')) (result bool)))
  (func (export "[method]pollable.block") (param "self" (borrow $pollable'))
    (canon lift (core func $code "block")))
  (func (export "poll") (param "in" (list (borrow $pollable'))) (result (list u32))
    (canon lift (core func $code "poll") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))
      (post-return (core func $code "release")))))
