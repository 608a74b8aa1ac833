"""The configuration of httpd for one site: which requests reach it, and which never do.

A WSGI application cannot hand a request back to httpd. So there is a rule for each path that the
site answers, and for each program of a directory with `native: true`; whatever else httpd serves
at these paths it goes on to serve by itself. Rules look at the URL alone and replace the handler,
as sections of locations are merged last. That holds against ScriptAlias, whose place in the
configuration would decide otherwise, and on every virtual host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import NamedTuple

from wsgi_wasm.apache.syntax import comment, host_pattern, pattern, quoted
from wsgi_wasm.config import Config, DirectoryTarget, Route, all_routes
from wsgi_wasm.messages import escaped

_MOST_TOGETHER = 20  # programs in one section

Programs = Callable[[Route, DirectoryTarget], Sequence[str]]
"""The programs of a directory route: paths below the directory, which begin without a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What is chosen for a site besides its file. `python` is the virtual environment, `cookie` a
    name and value without which requests stay where they are."""

    processes: int
    threads: int
    python: str
    user: str | None
    cookie: str | None
    embedded: bool


class Rule(NamedTuple):
    """Paths of one route, as regular expressions. `host` is a key of `hosts`, None for others."""

    title: str
    paths: Sequence[str]
    host: str | None
    authorization: bool


def rules(config: Config, programs: Programs) -> Iterator[Rule]:
    """What of httpd's requests the site gets."""
    for route in all_routes(config):
        if route.target is None:
            continue
        title = f"{escaped(route.name)}: {escaped(route.target.path)}"
        if route.native and isinstance(route.target, DirectoryTarget):
            paths = list(_files(route, route.target, programs(route, route.target)))
            title += f", {len(paths)} of its files" if paths else ", none of its files"
        else:
            paths = [_whole(route)]
        for start in range(0, max(len(paths), 1), _MOST_TOGETHER):
            yield Rule(title, paths[start : start + _MOST_TOGETHER], route.host, route.pass_authorization)


def _whole(route: Route) -> str:
    path = pattern(route.path.rstrip("/"))
    if route.exact:
        return f"{path or '/'}\\z"
    return f"{path}(?:/|\\z)" if path else "/"


def _files(route: Route, target: DirectoryTarget, names: Sequence[str]) -> Iterator[str]:
    """Each program with what may follow it, and each directory that has an index."""
    base = pattern(route.path.rstrip("/"))
    for name in names:
        yield f"{base}/{pattern(name)}(?:/|\\z)"
    directories = dict.fromkeys(Path(name).parent for name in names if Path(name).name in target.index)
    for directory in directories:
        below = "" if directory == Path() else f"/{pattern(str(directory))}"
        yield f"{base}{below}/?\\z"


def fragment(name: str, config: Config, script: Path, choices: Choices, programs: Programs) -> str:
    """The configuration file. `name` is the handler's, and the process group's. Raises
    NotWritable."""
    group = "%{GLOBAL}" if choices.embedded else name
    run = f"process-group={group} application-group=%{{GLOBAL}}"
    path = quoted("the script", str(script))
    lines = [
        *_processes(name, config, choices),
        f"WSGIHandlerScript {name} {path} {run}",
        f"WSGIImportScript {path} {run}",
    ]
    for rule in rules(config, programs):
        lines += ["", comment(rule.title)]
        if rule.paths:
            lines += _section(name, rule, _condition(rule.host, config, choices.cookie))
    return "\n".join(lines) + "\n"


def _processes(name: str, config: Config, choices: Choices) -> list[str]:
    if choices.embedded:
        return []
    limits = [route.limits for route in all_routes(config)]
    longest = ceil(max((one.timeout + one.queue_timeout for one in limits), default=30))
    user = f" user={choices.user} group={choices.user}" if choices.user else ""
    return [
        f"WSGIDaemonProcess {name} display-name=%{{GROUP}}{user} processes={choices.processes} "
        f"threads={choices.threads} \\",
        f"    python-home={quoted('the virtual environment', choices.python)} lang=C.UTF-8 locale=C.UTF-8 \\",
        f"    queue-timeout=45 socket-timeout={longest + 30} graceful-timeout={longest + 5} "
        f"shutdown-timeout={longest + 5}",
    ]


def _section(name: str, rule: Rule, condition: str) -> list[str]:
    inner = [
        f"SetHandler {name}",
        "AcceptPathInfo On",
        "WSGIChunkedRequest On",
        "WSGIMapHEADToGET Off",
        *(["WSGIPassAuthorization On"] if rule.authorization else []),
        "<IfModule dir_module>",
        "    DirectoryCheckHandler On",
        "</IfModule>",
    ]
    if condition:
        inner = [f'<If "{condition}">', *(f"    {line}" for line in inner), "</If>"]
    paths = rule.paths[0] if len(rule.paths) == 1 else f"(?:{'|'.join(rule.paths)})"
    return [f'<LocationMatch "^{paths}">', *(f"    {line}" for line in inner), "</LocationMatch>"]


def _condition(host: str | None, config: Config, cookie: str | None) -> str:
    """When a rule holds, as an expression of httpd; "" for always."""
    found = []
    if host is not None:
        found.append(_is_host([host]))
    others = [other for other in config.hosts if _is_within(other, host)]
    if others:
        found.append(f"!({_is_host(others)})")
    if cookie is not None:
        name, _, value = cookie.partition("=")
        found.append(f"%{{HTTP_COOKIE}} =~ m#(?:^|;)\\s*{pattern(name)}={pattern(value)}\\s*(?:;|$)#")
    return " && ".join(found)


def _is_host(hosts: Sequence[str]) -> str:
    names = [host_pattern(host) for host in hosts]
    together = names[0] if len(names) == 1 else f"(?:{'|'.join(names)})"
    return f"%{{HTTP_HOST}} =~ m#^{together}\\.?(?::[0-9]*)?$#i"


def _is_within(other: str, host: str | None) -> bool:
    """Whether requests for the listed host `other` would match `host` too, and have their own
    table."""
    if host is None:
        return True
    return host != other and host.startswith("*.") and other.endswith(host[1:])
