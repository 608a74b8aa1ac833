"""Interpreters that run scripts, started before the first request: where each comes from and what a script is given."""
