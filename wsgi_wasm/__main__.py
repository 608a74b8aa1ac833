"""`python -m wsgi_wasm`, the same as the command `wsgi-wasm`."""

from __future__ import annotations

import os
import sys

from wsgi_wasm import interrupts


def main() -> int:
    """Run the command line of this process, and give the exit status."""
    interrupts.end_at_once()
    _speak_utf8()
    _open_streams()
    from wsgi_wasm.cli import main as run  # takes a moment, in which Ctrl-C may come

    return run()


def _speak_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale has another encoding. Configurations are
    UTF-8, and so are the names of files in them; with a locale that lacks these characters no such
    file could be opened."""
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _open_streams() -> None:
    """Have the three standard streams, also where somebody has closed them (`>&-`): Python has None
    then, and the next file that is opened would get their number, and what is meant for them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free
            os.set_inheritable(descriptor, True)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8"))  # noqa: SIM115


if __name__ == "__main__":
    sys.exit(main())
