;; Loops before `_start`, while it is being instantiated.
(module
  (memory (export "memory") 1)
  (func $never (loop $again (br $again)))
  (start $never)
  (func (export "_start")))
