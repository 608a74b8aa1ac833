"""Send the same requests to the native site and to ours, and show what differs.

REQUESTS is a list (METHOD TARGET, with indented fields and bodies below), an access log in the
common or combined format, or a HAR file. The exit status is 0 if all answers are the same, but for
what rules allow; 1 if any differs; 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
from collections.abc import Iterator

from wsgi_wasm.cli.arguments import checked, file_name
from wsgi_wasm.cli.forms import add_forms, write_page
from wsgi_wasm.cli.progress import Counting
from wsgi_wasm.cli.terminal import Style, say, tell
from wsgi_wasm.config.scalars import duration, size
from wsgi_wasm.messages import escaped, reason
from wsgi_wasm.migration.access_log import looks_like_log, read_access_log
from wsgi_wasm.migration.compare import ComparedRequest, ComparingRun, Comparison
from wsgi_wasm.migration.compare_report import as_json, as_page, summary, verdict
from wsgi_wasm.migration.compare_rules import BadRules, Rules, read_rules
from wsgi_wasm.migration.cpu import cpu_meter
from wsgi_wasm.migration.figures import figures
from wsgi_wasm.migration.har import looks_like_har, read_har
from wsgi_wasm.migration.planned import BadRequests, Plan, PlannedRequest, Reader, read_file, read_list
from wsgi_wasm.migration.sending import Sender, site_address
from wsgi_wasm.version import __version__

EXAMPLES = """\
  wsgi-wasm compare http://old.example http://localhost:8000 requests.txt
  wsgi-wasm compare https://www.example http://localhost:8000 access.log --host www.example --html report.html
  wsgi-wasm compare http://localhost:8080 http://localhost:8081 site.har --rules rules.yaml --ignore X-Powered-By
"""

_READERS: dict[str, Reader] = {"list": read_list, "log": read_access_log, "har": read_har}
_MOST_LINES = 50  # requests that differ, in the terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `compare`."""
    add = parser.add_argument
    add("native", metavar="NATIVE", type=checked(site_address), help="the site as it is: http://localhost:8080")
    add("ours", metavar="OURS", type=checked(site_address), help="the same site under the gateway")
    add("requests", metavar="REQUESTS", type=file_name, help="a list, an access log, or a HAR file")
    add("--format", choices=tuple(_READERS), help="what REQUESTS is (default: what it looks like)")
    add("--unsafe", action="store_true", help="also send POST, PUT, DELETE and other requests with side effects")
    add("--rules", metavar="FILE", type=file_name, help="what may differ, in YAML")
    add("--ignore", metavar="FIELD", action="append", default=[], help="a field that may differ")
    add("--mask", metavar="REGEX", action="append", default=[], help="what may differ in bodies and fields")
    add("-H", "--header", metavar="'NAME: VALUE'", type=checked(_field), action="append", default=[], help="add it")
    add("--host", metavar="HOST", default="", help="the Host field for both, which selects a virtual host")
    add("--repeat", metavar="N", type=checked(_count), default=1, help="send each N times, for better figures")
    add("--limit", metavar="N", type=checked(_count), default=10_000, help="send at most N different requests (10000)")
    add("--timeout", metavar="TIME", type=checked(duration), default=30.0, help="for a whole answer (30s)")
    add("--max-body", metavar="SIZE", type=checked(size), default=64 << 20, help="read this much of a body (64MiB)")
    add("--ca", metavar="FILE", type=checked(_tls), help="trust the certificates in this file, too")
    add("--native-cpu", metavar="PID|CGROUP", type=checked(cpu_meter), help="whose CPU time the native site uses")
    add("--ours-cpu", metavar="PID|CGROUP", type=checked(cpu_meter), help="whose CPU time ours uses")
    add_forms(parser)


def run(options: argparse.Namespace) -> int:
    """0 where nothing differs but what may, else 1."""
    try:
        plan = _plan(options)
        rules = Rules() if options.rules is None else read_rules(options.rules)
        rules = rules.with_more(options.ignore, options.mask)
    except (BadRequests, BadRules) as error:
        options.usage(str(error))
    requests = _chosen(plan, options)
    if not requests:
        options.usage(f"{escaped(options.requests)}: no request that could be sent")
    native, ours = (
        Sender(site, options.timeout, options.max_body, options.ca, options.host, tuple(options.header))
        for site in (options.native, options.ours)
    )
    counting = Counting("requests", len(requests))
    with counting:
        comparing = ComparingRun(native, ours, rules, options.repeat, (options.native_cpu, options.ours_cpu))
        found = comparing.compare(requests, counting.at)
    found.remarks += [f"{count} left out: {escaped(why)}" for why, count in plan.left_out.items()]
    unused = [rule.name for rule in rules.expected if rule.name not in found.rules]
    found.remarks += [f"the rule {escaped(name, 60)} was not needed" for name in unused]
    _report(found, options)
    return 1 if found.differing else 0


def _report(found: Comparison, options: argparse.Namespace) -> None:
    sites = (options.native.url, options.ours.url)
    if options.html is not None:
        write_page(options.html, as_page(found, sites, __version__))
    if options.json:
        tell(*json.dumps(as_json(found, sites), indent=2).split("\n"))
    else:
        tell(*_lines(found, Style(sys.stdout)))
        say(*(f"note: {remark}" for remark in found.remarks))
    if options.html is not None:
        say(f"{escaped(options.html)} was written")


def _plan(options: argparse.Namespace) -> Plan:
    text = read_file(options.requests)
    kind = options.format or ("har" if looks_like_har(text) else "log" if looks_like_log(text) else "list")
    return _READERS[kind](options.requests, text)


def _chosen(plan: Plan, options: argparse.Namespace) -> list[PlannedRequest]:
    """What is sent of what was read; what is not is counted."""
    chosen: list[PlannedRequest] = []
    for one in plan.requests:
        if not one.is_safe and not options.unsafe:
            plan.leave_out(f"{one.method}: it may have side effects, --unsafe sends it")
        elif len(chosen) == options.limit:
            plan.leave_out(f"more than --limit {options.limit}")
        else:
            chosen.append(one)
    return chosen


def _lines(found: Comparison, style: Style) -> Iterator[str]:
    differing = [one for one in found.outcomes if not one.allowed]
    for one in differing[:_MOST_LINES]:
        yield from _outcome(one, style)
    if found.differing > _MOST_LINES:
        yield f"and {found.differing - _MOST_LINES} more, see --json or --html"
    yield style("red" if found.differing else "green", summary(found))
    for side, one_side in zip(("native", "ours"), figures(found), strict=True):
        yield f"{side:7} {one_side.words}"


def _outcome(one: ComparedRequest, style: Style) -> Iterator[str]:
    source = style("dim", f"({escaped(one.source)})") if one.source else ""
    yield f"{style('red', verdict(one))}  {escaped(one.method)} {escaped(one.target)}  {source}"
    if one.unstable:
        yield "    the native site does not give the same answer twice either"
    for difference in one.differences:
        rule = f"  [{escaped(difference.rule, 60)}]" if difference.rule else ""
        yield f"    {escaped(difference.part)}{rule}"
        if difference.part == "body":
            row = next((row for row in difference.rows if row.kind not in ("same", "gap")), None)
            yield f"      from byte {difference.offset:,} on; native {difference.native}, ours {difference.ours}"
            if row is not None:
                yield f"      native line {row.number}: {escaped(row.native, 200)}"
                yield f"      ours              {' ' * len(str(row.number))}: {escaped(row.ours, 200)}"
        else:
            yield f"      native: {escaped(difference.native, 200)}"
            yield f"      ours:   {escaped(difference.ours, 200)}"
    yield ""


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000_000):
        raise ValueError("not a number from 1 on")
    return int(text)


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.isascii() or not name.replace("-", "a").replace("_", "a").isalnum() or "\n" in value:
        raise ValueError("not NAME: VALUE")
    return name, value.strip()


def _tls(text: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(text)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"no certificates: {reason(error)}") from None
    return context
