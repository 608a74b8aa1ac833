"""Builds guests, and the code of the adapter, from their sources."""
