"""Changed modules and components through compiler and engine, always the same ones."""

from __future__ import annotations

from fuzz.guests import run_batch


def test_changed_guests() -> None:
    ends = run_batch(0, 400)
    assert sum(ends.values()) == 400
    # If nothing were refused or nothing ran, the changes would be too few or too many.
    assert sum(times for word, times in ends.items() if word.startswith("ran: ")) > 40
    assert sum(times for word, times in ends.items() if word.startswith("refused: ")) > 40
