;; A data segment beyond the memory: instantiation fails, whatever the request.
(module
  (memory (export "memory") 1)
  (data (i32.const 65530) "does not fit here")
  (func (export "_start")))
