"""The fault table: what is done to the gateway, and what must come of it.

`table` has the rows, the tests beside it hold them, and `python -m tests.faults` writes the lists of docs/security.md
and the page docs/faults.md from it.
"""
