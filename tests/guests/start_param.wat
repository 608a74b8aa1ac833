;; `_start` wants an argument: refused when the module is loaded, not at a request.
(module
  (memory (export "memory") 1)
  (func (export "_start") (param i32)))
