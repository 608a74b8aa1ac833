;; Needs the memory64 proposal, which is off unless `engine: features` names it.
(module
  (memory (export "memory") i64 1)
  (func (export "_start")))
