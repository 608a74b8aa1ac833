"""A page that stands by itself: no script, nothing fetched, and every foreign text escaped.

Its own policy allows nothing but its style, so that even a text that slipped through could neither
run nor load anything.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from wsgi_wasm.messages import escaped, printable

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6475; --line: #d9dde5; --ground: #fff; --card: #f6f7f9;
  --good: #1a7f4b; --warn: #a06a00; --bad: #b3261e; --first: #3b6fb6; --second: #c2662d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #333b49; --ground: #14181f;
  --card: #1d232d; --good: #55c48a; --warn: #e0a93f; --bad: #f2857c; --first: #7fb0f0; --second: #efa06b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.2rem 4rem; max-width: 76rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h1, h2, p, summary, li, .how { overflow-wrap: anywhere; } td { overflow-wrap: break-word; }
.soft { color: var(--soft); } .num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; padding: 0; list-style: none; }
.cards li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem 1rem; }
.cards b { display: block; font-size: 1.5rem; line-height: 1.2; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
code, pre { font: 13px/1.45 ui-monospace, monospace; } code { overflow-wrap: anywhere; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.tag { font-weight: 600; white-space: nowrap; }
.bar { display: flex; height: .9rem; border-radius: .45rem; overflow: hidden; background: var(--line); }
.bar i { display: block; }
.bar .good { background: var(--good); } .bar .warn { background: var(--warn); } .bar .bad { background: var(--bad); }
.bar .soft { background: var(--soft); }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .6rem 0; padding: .5rem .9rem; }
summary { cursor: pointer; } details > * + * { margin-top: .6rem; }
.sides { table-layout: fixed; } .sides th:first-child { width: 3.5rem; } .sides .gone { background: #b3261e22; }
.sides .came { background: #1a7f4b22; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
svg .first { fill: var(--first); } svg .second { fill: var(--second); } svg .axis { stroke: var(--line); }
@media print { body { max-width: none; padding: 0; } details { break-inside: avoid; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def text(value: object, most: int = 400) -> str:
    """Foreign text as HTML: one line, of what is neither seen nor harmless nothing."""
    return html.escape(escaped(value, most))


def block(value: str) -> str:
    """Foreign lines as HTML."""
    return html.escape("\n".join(printable(line, tabs=True) for line in value.split("\n")))


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page. `title` is foreign text, `parts` are HTML."""
    body = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def cards(items: Iterable[tuple[str, object, str]]) -> str:
    """Figures with what they count: class, figure, words."""
    cells = "".join(f'<li><b class="{kind}">{text(figure)}</b>{text(words)}</li>' for kind, figure, words in items)
    return f'<ul class="cards">{cells}</ul>'


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table. The heading is text, the cells are HTML."""
    head = "".join(f"<th>{text(cell)}</th>" for cell in heading)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{lines}</tbody></table></div>'
