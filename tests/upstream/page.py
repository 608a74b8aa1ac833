"""docs/upstream.md, from the cases."""

from __future__ import annotations

from .cases import Case, Suite

HEAD = """\
# Programs of other projects

Other projects test their runtimes with programs, and show how to use their SDKs with examples. These programs run under
the gateway as the projects' own tests run them, with the same requests, files, variables and servers. This page is
generated from the cases in `tests/upstream`, and each run checks the results against it:

```console
$ python -m tests.upstream --wasmtime DIR --spin DIR --spin-rust-sdk DIR --spin-python-sdk DIR --crates
$ python -m tests.upstream --page > docs/upstream.md
```

`DIR` is a checkout. You can omit any of the options, and select programs with `--only REGEX`. Programs in Rust are
built for `wasm32-wasip2`, below `build/upstream`. A complete run takes about a quarter of an hour. The examples of the
crate wasip2 are part of the ordinary tests.
"""


def page(suites: list[Suite]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(_section, suites)])


def _section(suite: Suite) -> str:
    same = [title for case in suite.cases if not case.differs for title in titles(case)]
    other = [case for case in suite.cases if case.differs]
    runs = len(same) + sum(len(case.run) for case in other)
    counts = f"{len(same)} of {runs} runs give the result that upstream expects"
    lines = [f"## {suite.title}", "", _wrapped(f"{suite.version}. {counts}:"), ""]
    lines += [_wrapped(", ".join(same) + "."), ""]
    if other:
        lines += ["These give another result:", "", "| program | upstream | here | because |", "|---|---|---|---|"]
        for case in other:
            lines.append(f"| {', '.join(titles(case))} | {case.differs} | {_here(case)} | {case.because} |")
        lines.append("")
    if suite.left_out:
        left = [f"{names} ({why})" for names, why in suite.left_out.items()]
        lines += [_wrapped("Not run: " + "; ".join(left) + "."), ""]
    return "\n".join(lines)


def titles(case: Case) -> list[str]:
    """Each of its programs as the page has it."""
    return [f"`{name}`" + (f" ({case.label})" if case.label else "") for name in case.run]


def _here(case: Case) -> str:
    if case.refused:
        return "refused"
    last = case.ask[-1]
    said = [word for word in (*case.log, *last.holds) if word][:1]
    words = f", `{said[0]}`" if said and "`" not in said[0] and "|" not in said[0] else ""
    return f"{last.status}{words}"


def _wrapped(text: str, width: int = 120) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])
