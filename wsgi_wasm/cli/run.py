"""Send one request through the gateway, in this process, and print the answer.

Status line, head and body go to standard output; what the guest wrote to its standard error, and what the request
cost, to standard error. FILE is a configuration file, a Spin manifest, a module, or a directory; PATH may have a query.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "send one request to a site, without a server"
EXAMPLES = """\
  wsgi-wasm run site.yaml '/hello/world?name=x'
  wsgi-wasm run hello.wasm                          the module alone, at /
  wsgi-wasm run site.yaml /form --data name=x       POST; @FILE sends a file, @- standard input
  wsgi-wasm run site.yaml / --host shop.example --header 'Cookie: a=b'
  wsgi-wasm run --body --fail site.yaml /feed.xml   the body alone; exit status 1 from status 400 on
  wsgi-wasm run --profile 1000 site.yaml /hello     where the time goes
"""

_TIMES = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `run`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="site.yaml, spin.toml, a module, or a directory")
    parser.add_argument("path", metavar="PATH", nargs="?", default="/", type=_path, help="path and query (default: /)")
    parser.add_argument("-X", "--method", type=str.upper, help="default: GET, with --data POST")
    parser.add_argument("-H", "--header", action="append", default=[], type=header, metavar="'NAME: VALUE'")
    parser.add_argument(
        "-d", "--data", metavar="TEXT|@FILE|@-", help="the body, sent as a form unless a header says more"
    )
    parser.add_argument("--host", default="localhost", help="the Host field, which chooses the virtual host")
    parser.add_argument("-I", "--head", action="store_true", help="send a HEAD request")
    parser.add_argument("--body", action="store_true", help="print the body alone")
    parser.add_argument("-f", "--fail", action="store_true", help="exit status 1 when the answer's is 400 or more")
    parser.add_argument(
        "--profile",
        nargs="?",
        const=_TIMES,
        type=int,
        metavar="N",
        help=f"send it N times ({_TIMES}) and print a table",
    )


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with a slash")
    return text


def header(text: str) -> tuple[str, str]:
    """`Name: value`. Raises ArgumentTypeError."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or "\n" in text or "\r" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not 'Name: value'")
    return name.strip(), value.strip()


def run(options: argparse.Namespace) -> int:
    """0 when an answer came."""
    if options.profile is not None and options.profile < 1:
        options.usage("argument --profile: N is at least 1")
    from wsgi_wasm.cli.running import run_once
    from wsgi_wasm.cli.source import load_site

    config = load_site(options.file)
    if options.profile is None:
        return run_once(config, options)
    from wsgi_wasm.cli.profile import profile

    return profile(config, options)
