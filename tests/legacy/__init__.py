"""Real programs, and the page about them."""
