;; Two memories: each would be limited by itself, so the proposal is off.
(module
  (memory (export "memory") 1)
  (memory 1)
  (func (export "_start")))
