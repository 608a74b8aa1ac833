"""`python -m wsgi_wasm`, the same as the command `wsgi-wasm`."""

from __future__ import annotations

import sys

from wsgi_wasm import interrupts


def main() -> int:
    """Run the command line of this process, and give the exit status."""
    interrupts.end_at_once()
    from wsgi_wasm.cli import main as run  # takes a moment, in which Ctrl-C may come

    return run()


if __name__ == "__main__":
    sys.exit(main())
