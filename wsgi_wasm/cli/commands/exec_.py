"""Run a route's program outside HTTP, with the rights that it has there.

For cron jobs and other commands: `awstats.pl -update`, a script that tidies up. SITE is a
configuration file, SCRIPT the path that a client would ask for. The program gets the `dirs`, `env`,
`commands` and limits of the route, the arguments ARGS after its own, standard input, and no
variables of a request. It writes to standard output and standard error as it is, and its exit
status is this command's.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from wsgi_wasm.app import Gateway
from wsgi_wasm.cli.arguments import checked, file_name
from wsgi_wasm.cli.as_user import add_user, become
from wsgi_wasm.cli.request import as_typed, patient
from wsgi_wasm.cli.source import UserError, load_site
from wsgi_wasm.cli.terminal import say, writing
from wsgi_wasm.cli.unmatched import no_route
from wsgi_wasm.config import Config, Route, with_routes
from wsgi_wasm.config.scalars import duration
from wsgi_wasm.engine.outcome import End
from wsgi_wasm.errors import RequestError
from wsgi_wasm.gateway.dispatcher import not_found
from wsgi_wasm.gateway.wsgi_server import Environ

EXAMPLES = """\
  wsgi-wasm exec site.yaml /cgi-bin/awstats.pl -update -config=shop
  wsgi-wasm exec --user www-data --timeout 10m /etc/wsgi-wasm/site.yaml /cgi-bin/tidy.pl
"""

_FAILED = 1  # exit status, where a limit has ended the program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `exec`."""
    parser.add_argument("file", metavar="SITE", type=file_name, help="the configuration file")
    parser.add_argument("script", metavar="SCRIPT", help="the path that a client would ask for")
    parser.add_argument("arguments", metavar="ARGS", nargs=argparse.REMAINDER, help="arguments for the program")
    parser.add_argument("--host", default="localhost", help="selects the virtual host")
    help_time = "in place of the route's `timeout` and `cpu`, such as 10m"
    parser.add_argument("--timeout", type=checked(duration), metavar="TIME", help=help_time)
    add_user(parser)


def run(options: argparse.Namespace) -> int:
    """The program's exit status. Raises ConfigError, UserError, EngineError."""
    if not options.script.startswith("/"):
        options.usage(f"argument SCRIPT: {options.script!r} does not start with a slash")
    become(options.user)
    config = _with_time(patient(load_site(options.file)), options.timeout)
    gateway = Gateway(config, not_found)
    environ = _environ(as_typed(options.script), options.host)
    arguments = [as_typed(argument).encode("latin-1") for argument in options.arguments]
    terminal, stdin = _Terminal(), None if sys.stdin.isatty() else sys.stdin.buffer
    try:
        outcome = gateway.execute(environ, arguments, stdin, terminal)
    except LookupError:
        say(*no_route(config, options.host, options.script))
        return _FAILED
    except RequestError as error:
        raise UserError(str(error)) from None
    terminal.output(outcome.rest)
    failure = outcome.take_failure()
    if failure is not None:
        raise failure
    if outcome.end in (End.RETURNED, End.EXITED):
        return outcome.code
    say(f"the program {outcome}")
    return _FAILED


def _with_time(config: Config, timeout: float | None) -> Config:
    if timeout is None:
        return config

    def longer(route: Route) -> Route:
        return replace(route, limits=replace(route.limits, timeout=timeout, cpu=timeout))

    return with_routes(config, longer)


def _environ(path: str, host: str) -> Environ:
    """A request for the program, of which it sees nothing."""
    return {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "HTTP_HOST": host}


class _Terminal:
    """As `engine.guest.Client`: output and errors as they are."""

    label = "exec"
    errors_left = 1 << 62

    def output(self, data: bytes) -> None:
        """Standard output."""
        with writing():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def error_output(self, data: bytes) -> None:
        """Standard error."""
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    def gone(self) -> bool:
        """Never."""
        return False
