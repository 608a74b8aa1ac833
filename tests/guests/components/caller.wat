;; Calls the one function of an interface that tests name, and prints nothing.
(component
  (import "test:call/f" (instance $i (export "f" (func))))
  (core func $f (canon lower (func $i "f")))
  (core instance $given (export "f" (func $f)))
  (core module $m
    (import "given" "f" (func $f))
    (func (export "run") (result i32) (call $f) (i32.const 0)))
  (core instance $c (instantiate $m (with "given" (instance $given))))
  (func $run (result (result)) (canon lift (core func $c "run")))
  (instance $out (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $out)))
