"""What unmodified Perl CGI scripts cost: here under gunicorn gthread and mod_wsgi daemons, natively under mod_cgid.

`python benchmarks/perl_scripts.py [--rounds N] [--requests N]`, as root; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]
os.environ.setdefault("WSGI_WASM_CACHE", str(PROJECT / "build" / "cache"))

import yaml  # noqa: E402

from benchmarks.accounting import Group, Groups, settle  # noqa: E402
from legacy.cgi_bin import MOUNT, lay_out, natively  # noqa: E402
from legacy.rows import Program, programs  # noqa: E402
from perl.cases import interpreter  # noqa: E402
from servers.apache import give_to_server  # noqa: E402
from servers.client import request  # noqa: E402
from servers.fixtures import serve  # noqa: E402
from servers.process import wait_for  # noqa: E402
from servers.server import Server  # noqa: E402

HERE = ("gunicorn-gthread", "mod_wsgi-daemon")
NATIVE = "mod_cgid"
BOOK = "/var/lib/book"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Script:
    """What is asked of which script; `sent` is a form in a POST. `aim` is the ratio to native that is wanted."""

    text: str
    aim: float
    target: str = ""
    sent: bytes = b""


SCRIPTS: Mapping[str, Script] = {
    "hello": Script(
        '#!/usr/bin/perl\nprint "Content-Type: text/plain\\r\\n\\r\\nhello $ENV{QUERY_STRING}\\n";\n', 0.4, "?x"
    ),
    "form": Script(
        """#!/usr/bin/perl -w
use strict;
use CGI qw(:standard);
my $name = param('name') || 'nobody';
print header(-charset => 'utf-8'), start_html('A form'), h1('Hello, ' . escapeHTML($name)),
    start_form, textfield('name'), popup_menu('colour', ['red', 'green', 'blue'], 'green'), submit, end_form, end_html;
""",
        0.3,
        sent=b"name=Ada+Lovelace&colour=blue",
    ),
    "guestbook": Script(
        """#!/usr/bin/perl
# A guestbook of the nineties: the last twenty entries are in a file.
read(STDIN, $buffer, $ENV{'CONTENT_LENGTH'});
foreach $pair (split(/&/, $buffer)) {
    ($name, $value) = split(/=/, $pair);
    $value =~ tr/+/ /;
    $value =~ s/%([a-fA-F0-9][a-fA-F0-9])/pack("C", hex($1))/eg;
    $value =~ s/</&lt;/g;
    $FORM{$name} = $value;
}
open(BOOK, "+</var/lib/book/entries.txt") || die "entries: $!";
flock(BOOK, 2);
@lines = <BOOK>;
push(@lines, "<li>$FORM{'name'}: $FORM{'text'}\\n");
shift(@lines) while @lines > 20;
seek(BOOK, 0, 0);
truncate(BOOK, 0);
print BOOK @lines;
close(BOOK);
print "Content-type: text/html\\n\\n<html><body><h1>Guestbook</h1><ul>\\n", @lines, "</ul></body></html>\\n";
""",
        0.5,
        sent=b"name=Ada&text=A+line+of+%3Cb%3Ethe%3C%2Fb%3E+guestbook",
    ),
}
AWSTATS = f"{MOUNT}/awstats/awstats.pl?config=site&year=2024&month=03"


def targets() -> dict[str, tuple[str, bytes, float]]:
    """By name: what is asked for, what is sent, and the aim."""
    found = {name: (f"{MOUNT}/own/{name}.pl{one.target}", one.sent, one.aim) for name, one in SCRIPTS.items()}
    return found | {"awstats": (AWSTATS, b"", 1.5)}


def awstats() -> Program:
    """AWStats, and a directory for the guestbook."""
    (found,) = [program for program in programs("perl") if program.name == "awstats"]
    book = "mkdir -p var/lib/book && echo '<li>Bob: first' > var/lib/book/entries.txt"
    return replace(found, prepare=f"{found.prepare}\n{book}", writable=(*found.writable, BOOK))


def prepared(place: Path) -> None:
    """The scripts, AWStats with its packages' files, and a book for each site."""
    lay_out(place, [awstats()])
    own = place / "cgi" / "own"
    own.mkdir()
    for name, script in SCRIPTS.items():
        path = own / f"{name}.pl"
        path.write_text(script.text, "utf-8")
        path.chmod(0o755)
    tree = place / "tree"
    dirs: dict[str, Any] = {
        "/etc/awstats": str(tree / "etc/awstats"),
        "/usr/share/awstats": str(tree / "usr/share/awstats"),
        "/var/log/site": str(tree / "var/log/site"),
        "/var/lib/awstats": {"path": str(place / "ours/var/lib/awstats"), "writable": True},
    }
    kept = {BOOK: {"path": str(place / f"ours{BOOK}"), "writable": True}}
    common = {"interpreters": {".pl": "perl"}, "queue_timeout": "60s"}
    routes = {
        f"{MOUNT}/own": {"directory": str(own), "dirs": kept, **common},
        f"{MOUNT}/awstats": {"directory": str(place / "cgi" / "awstats"), "dirs": dirs, **common},
    }
    (place / "site.yaml").write_text(yaml.safe_dump({"routes": routes}), "utf-8")


def cache_for(place: Path, name: str) -> Path:
    """A cache with the interpreter, which belongs to the server's user."""
    cache = place / f"cache-{name}"
    cache.mkdir(mode=0o700)
    built = interpreter()
    shutil.copy(built, cache)
    if name.startswith("mod_wsgi"):
        for path in (cache, cache / built.name):
            give_to_server(path)
    return cache


@contextmanager
def started(place: Path, name: str) -> Iterator[Server]:
    """One of the servers, which answers."""
    if name == NATIVE:
        with natively(place, [awstats()]) as server:
            yield server
        return
    with serve(name, place / "site.yaml", place, cache=cache_for(place, name), ready="/nothing") as server:
        yield server


def asker(server: Server, target: str, sent: bytes) -> Callable[[], bytes]:
    """What sends one request, and gives the body. Raises SystemExit where the answer is not 200."""

    def ask() -> bytes:
        fields = FORM if sent else {}
        answer = request(
            server.address, "POST" if sent else "GET", target, body=sent or None, fields=fields, timeout=100
        )
        if answer.status != 200:
            raise SystemExit(f"{server.name} answered {answer.status} for {target}\n{server.log()[-2000:]}")
        return answer.body

    return ask


def cost(group: Group, ask: Callable[[], bytes], requests: int) -> float:
    """CPU milliseconds of one request."""
    settle(group)
    before = group.seconds()
    for _ in range(requests):
        ask()
    settle(group)
    return (group.seconds() - before) / requests * 1e3


def compiled(server: Server, target: str, sent: bytes) -> None:
    """Return once the interpreter is."""
    method = "POST" if sent else "GET"
    wait_for("Perl", lambda: request(server.address, method, target, body=sent or None, timeout=100).status != 503, 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40, help="in each round, of each kind (default 40)")
    options = parser.parse_args()
    groups = Groups()
    if groups.kind is None:
        raise SystemExit("there is no control group to be had, which counts the CPU time of a server")
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wsgi-wasm-benchmark-")))
        place.chmod(0o755)
        prepared(place)
        servers: dict[str, tuple[Server, Group]] = {}
        for name in (NATIVE, *HERE):
            group = groups.make()
            stack.callback(group.close)
            with group.joined():
                servers[name] = stack.enter_context(started(place, name)), group
        measure(servers, options)


def measure(servers: Mapping[str, tuple[Server, Group]], options: argparse.Namespace) -> None:
    """Prints the table."""
    print(f"CPU milliseconds a request, the least of {options.rounds} interleaved rounds, and the ratio to {NATIVE}")
    print(f"{'script':<12}" + "".join(f"{name:>26}" for name in servers) + f"{'aim':>6}")
    for script, (target, sent, aim) in targets().items():
        askers = {name: asker(server, target, sent) for name, (server, _) in servers.items()}
        for server, _ in servers.values():
            compiled(server, target.replace("config=site", "config=site&update=1"), sent)
        requests = max(1, options.requests // (5 if script == "awstats" else 1))
        least = {name: float("inf") for name in servers}
        for _ in range(options.rounds):
            for name, (_, group) in servers.items():
                least[name] = min(least[name], cost(group, askers[name], requests))
        cells = [f"{one:>18.2f}{one / least[NATIVE]:>7.2f}x" for one in least.values()]
        print(f"{script:<12}" + "".join(cells) + f"{aim:>6}", flush=True)


if __name__ == "__main__":
    main()
