"""`python -m wsgi_wasm.walls` prints the table of system calls for docs/security.md."""

from __future__ import annotations

from wsgi_wasm.walls.calls import CHECKED, GROUPS


def as_markdown() -> str:
    """What a guest's process and a hardened worker can ask of the kernel."""
    lines = ["| system calls that | isolated guest | hardened worker |", "|---|---|---|"]
    for group in GROUPS:
        lines.append(f"| {group.what} | {_word(group.child)} | {_word(group.worker)} |")
    lines += [f"| {checked.what} | {checked.child} | {checked.worker} |" for checked in CHECKED]
    return "\n".join(lines) + "\n"


def _word(kept: bool) -> str:
    return "yes" if kept else "no"


if __name__ == "__main__":
    print(as_markdown(), end="")
