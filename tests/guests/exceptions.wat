;; Needs the exceptions proposal, which is off unless `engine: features` names it.
(module
  (memory (export "memory") 1)
  (tag $oops)
  (func (export "_start")
    (block $caught (try_table (catch $oops $caught) (throw $oops)))))
