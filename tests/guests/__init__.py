"""Sources of the guests that tests run, and what builds them."""
