"""What a configuration file says, as frozen values. Durations are in seconds, sizes in bytes,
host paths absolute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from wsgi_wasm.config.granted import Grants
from wsgi_wasm.config.hardening import Hardening
from wsgi_wasm.config.log import Log
from wsgi_wasm.config.proxies import TrustedProxies
from wsgi_wasm.files.beneath import Folder
from wsgi_wasm.interpreters import NOTHING, Additions

# Engine features that a site may switch on; each widens what a hostile module can reach, so nothing
# else is offered.
FEATURES = ("exceptions", "exceptions_if_used", "gc", "memory64", "relaxed_simd")

# What tells that a file of a directory is a program.
PROGRAMS = ("suffix", "magic", "shebang")

# Keys that the administrator may leave to the author of a program.
LOCAL_KEYS = (
    *("args", "env", "dirs", "methods", "content_type"),
    *("timeout", "cpu", "memory", "max_body", "max_head", "max_output", "max_stderr", "concurrency"),
    *("queue_timeout", "body_timeout", "send_timeout"),
)

# What a guest may speak; `auto` looks at the module.
INTERFACES = ("auto", "cgi", "http", "wws", "raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dir:
    """A host directory that a guest sees as `guest`, an absolute path without `.`, `..` or a slash
    at its end. `host` is its path as it was given, `folder` is what that led to when it was last
    looked at."""

    guest: str
    host: Path
    folder: Folder
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The module that runs scripts of one kind. `{script}` in `args` stands for the
    script's guest path.

    `name` is that of an interpreter that this package builds (see `wsgi_wasm.interpreters`), ""
    for other modules; `additions` is what the site adds to it, and `installed` where the packages
    of these lie once they are installed. Both are in `dirs`, too.
    """

    module: Path
    name: str = ""
    additions: Additions = NOTHING
    installed: Path | None = None
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)  # may hold secrets, and a repr ends up in logs
    dirs: tuple[Dir, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost. `concurrency` is per process; None means the
    engine's pool size."""

    timeout: float
    cpu: float
    memory: int
    max_body: int
    max_head: int
    max_output: int
    max_stderr: int
    concurrency: int | None
    queue_timeout: float
    body_timeout: float
    send_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleTarget:
    """One module answers every request of a route. `entry_point` is the exported function that is
    called, None for the module's own start; `argv` is the template of all arguments, None for the
    route's `args`."""

    path: Path
    entry_point: str | None = None
    argv: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryTarget:
    """The programs and scripts of a directory answer a route: `index` are files to look for where a
    path names a directory, `interpreters` are by the suffix of the scripts that they run (`.py`),
    or by the name in their `#!` lines, without version (`python`). `folder` is what `path` led to
    when that was last looked at."""

    path: Path
    folder: Folder
    index: tuple[str, ...]
    interpreters: Mapping[str, Interpreter]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinTarget:
    """A Spin application answers a route: `path` is its manifest, the rest is what Spin takes from
    its command line."""

    path: Path
    runtime_config: Path | None
    state_dir: Path | None
    profile: str | None
    variables: Mapping[str, str] = field(repr=False)  # may hold secrets, and a repr ends up in logs


RouteTarget = ModuleTarget | DirectoryTarget | SpinTarget
"""What answers a route. `path` is where the file of the site says that it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Everything that a request to one path needs.

    `name` is for logs and errors: the path, or host and path (`shop.example/cart`). `target` is
    None where a `selectable` route only lends its settings, and for `handler`. `methods` None
    means any. `response_fields` are lower-case, with dashes. `isolate` is the name of the process
    that the guests run in, True for one of the route's own; `user` is whom it runs as. `programs`
    are out of `PROGRAMS`, in the order in which they are tried; `executable` asks for the execute
    bit besides. `local` are keys that a file beside programs may set, out of `LOCAL_KEYS`.
    `line` is where the file has the route, 0 where it has not.
    """

    name: str
    host: str | None
    path: str
    target: RouteTarget | None
    interface: str
    programs: tuple[str, ...]
    executable: bool
    local: tuple[str, ...]
    methods: tuple[str, ...] | None
    exact: bool
    native: bool
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)  # may hold secrets, and a repr ends up in logs
    pass_env: tuple[str, ...]
    pass_headers: tuple[str, ...]
    pass_authorization: bool
    response_fields: tuple[str, ...]
    content_type: str
    dirs: tuple[Dir, ...]
    grants: Grants
    document_root: str | None
    local_redirects: tuple[str, ...]
    query_args: bool
    stream_request: bool
    selectable: bool
    isolate: bool | str
    user: str | None
    limits: Limits
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of the process's engines: guest slots per process, features out of `FEATURES`, and
    what compiling may cost that a request causes (seconds, bytes); the memory of all guests of a
    process together (bytes; None for no bound); how many processes there may be for isolated
    guests."""

    instances: int = 64
    compile_time: float = 60.0
    compile_memory: int = 1 << 30
    memory: int | None = None
    features: tuple[str, ...] = ("exceptions_if_used",)
    processes: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One configuration file. `hosts` has lower-case names or `*.example` patterns; `handler` holds
    the settings for scripts that the front server picks itself. `compose` has the components that
    are plugged into others, by the file that imports and the import."""

    source: Path
    routes: tuple[Route, ...]
    hosts: Mapping[str, tuple[Route, ...]]
    handler: Route
    engine: EngineSettings
    harden: Hardening
    log: Log
    trusted_proxies: TrustedProxies | None
    compose: Mapping[Path, Mapping[str, Path]]
    cache_dir: Path | None
    state_dir: Path | None
    reload: bool


def all_routes(config: Config) -> Iterator[Route]:
    """Every route, those of virtual hosts too, in file order; not `handler`."""
    yield from config.routes
    for routes in config.hosts.values():
        yield from routes


def with_routes(config: Config, change: Callable[[Route], Route]) -> Config:
    """The same site with each of `all_routes` changed."""
    hosts = {host: tuple(map(change, routes)) for host, routes in config.hosts.items()}
    return replace(config, routes=tuple(map(change, config.routes)), hosts=hosts)


def spin_targets(config: Config) -> Iterator[SpinTarget]:
    """The Spin applications of a site, in file order."""
    return (route.target for route in all_routes(config) if isinstance(route.target, SpinTarget))


def entry_point_of(target: RouteTarget | None) -> str | None:
    """The exported function that a route calls in its module; None for the module's own start."""
    return target.entry_point if isinstance(target, ModuleTarget) else None


def interpreters_of(target: RouteTarget | None) -> Mapping[str, Interpreter]:
    """The interpreters of a directory, by what tells their scripts; none for other targets."""
    return target.interpreters if isinstance(target, DirectoryTarget) else {}
