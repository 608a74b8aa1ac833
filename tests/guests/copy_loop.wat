;; Copies 64 MiB for ever: the engine does not look at the clock within one copy. Needs 65 MiB of memory.
(module
  (memory (export "memory") 1040)
  (func (export "_start")
    (loop $again
      (memory.copy (i32.const 65536) (i32.const 0) (i32.const 67108864))
      (br $again))))
