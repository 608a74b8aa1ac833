;; Starts with 1 GiB, over any usual limit.
(module
  (memory (export "memory") 16384)
  (func (export "_start")))
