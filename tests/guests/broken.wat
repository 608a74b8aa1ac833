;; Not valid: a type error, which the compiler has to report without harm.
(module
  (memory (export "memory") 1)
  (func (export "_start") (i32.add (i64.const 1) (i32.const 1))))
