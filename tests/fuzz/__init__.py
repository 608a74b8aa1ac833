"""Fuzzing: whatever comes from a guest, a client or an administrator's file ends in a value or in an error of ours.

- `target.py` says what a target is; `registry.py` lists them. Targets stand together by what they read (`heads.py`,
  `configuration.py`, ...), each a function from bytes that raises where something does not hold.
- `test_fuzz.py` gives each target its seeds, its corpus (`corpus/NAME.txt`) and a fixed number of mutations, always the
  same ones. It needs nothing but the tests' own environment.
- `python -m tests.fuzz` (`make fuzz`) goes on from there, guided by coverage: Python with Atheris (`python_run.py`),
  the compiled part with libFuzzer and sanitizers (`native/`). `guests.py` compiles and runs changed modules.

What is found becomes a row of a corpus, and the fault is mended at its root.
"""
