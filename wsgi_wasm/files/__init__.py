"""Files of the host: where they lie, whether they can be trusted, how they are replaced."""
