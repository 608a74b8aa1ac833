"""Functions of the host that components import: their types, values in
both directions, refusals."""
