"""Components: linked, given WASI 0.2, and run."""
