"""The table of keys: the one source for reading a file, for its JSON Schema and for the reference page.

A sentence of documentation is Markdown; an example is the key's value in YAML.
"""

from __future__ import annotations

from typing import Any

from wsgi_wasm.config import scalars
from wsgi_wasm.config.allowed_hosts import parse_site_host
from wsgi_wasm.config.kinds import Choice, Kind, Labels, ListOf, MapOf, PathOrName, Scalar
from wsgi_wasm.config.model import FEATURES, INTERFACES
from wsgi_wasm.config.quantities import duration, integer, size
from wsgi_wasm.config.section import NO_DEFAULT, Key, Section, Table
from wsgi_wasm.interpreters import NAMES, SUFFIXES

# The sections of a file, as messages call them.
TITLES = {
    "site": "the top level",
    "defaults": "defaults",
    "route": "a route",
    "host": "a host",
    "handler": "handler",
    "interpreter": "an interpreter",
    "dir": "an entry of dirs",
    "spin": "spin",
    "engine": "engine",
    "store": "a store of key_value",
    "database": "a database of sqlite",
    "variable": "an entry of variables",
}

INTERPRETER_EXAMPLE = f"{{{SUFFIXES[NAMES[0]]}: {NAMES[0]}}}"

# What answers a route: exactly one of them.
TARGETS = ("module", "directory", "spin")

# Groups of route keys, in the order of the reference page.
RUNS, TOLD, FILES, STORES, ANSWERS, LIMITS = GROUPS = (
    "What runs",
    "What the guest is told",
    "What the guest sees of the disk",
    "Stores, variables and servers",
    "Bodies, answers and redirects",
    "Limits",
)

_keys: list[Key] = []
TABLE = Table(keys=_keys, titles=TITLES)


def _key(places: str, name: str, kind: Kind, default: Any, example: str, doc: str, group: str = "") -> None:
    _keys.append(
        Key(name=name, kind=kind, default=default, places=tuple(places.split()), group=group, doc=doc, example=example)
    )


def _names() -> str:
    return ", ".join(f"`{name}`" for name in NAMES)


def _section(place: str, noun: str, required: str = "", short: str = "") -> Section:
    # Keys are looked up through the sequence, so a section may be made before its keys.
    return Section(place=place, noun=noun, table=TABLE, required=required, short=short)


FLAG = Scalar(noun="true or false", parse=scalars.flag, pattern="true|false", types=("boolean", "string"))
TEXT = Scalar(noun="a text", parse=scalars.plain_text, types=("string", "number", "boolean"))
HOST_PATH = Scalar(noun="a path", parse=scalars.host_path, pattern=scalars.HOST_PATH, is_path=True)
STATE_PATH = Scalar(
    noun="a path or null", parse=scalars.host_path, pattern=scalars.HOST_PATH, is_path=True, nullable=True
)
ROUTE_PATH = Scalar(noun="a route's path", parse=scalars.route_path, pattern=scalars.ROUTE_PATH)
GUEST_PATH = Scalar(noun="a guest path", parse=scalars.clean_path, pattern=scalars.CLEAN_PATH)
DOCUMENT_ROOT = Scalar(noun="a guest path or null", parse=scalars.clean_path, pattern=scalars.CLEAN_PATH, nullable=True)
HOST_NAME = Scalar(noun="a host name", parse=scalars.host_name, pattern=scalars.HOST)
SUFFIX = Scalar(noun="a suffix", parse=scalars.suffix, pattern=scalars.SUFFIX)
FILE_NAME = Scalar(noun="a file name", parse=scalars.file_name, pattern=scalars.FILE_NAME)
METHOD = Scalar(noun="a request method", parse=scalars.method, pattern=scalars.METHOD)
VARIABLE = Scalar(noun="a variable name", parse=scalars.variable, pattern=scalars.NAME)
PATTERN = Scalar(noun="a variable name or pattern", parse=scalars.variable_pattern, pattern=scalars.NAME_PATTERN)
HEADER = Scalar(noun="a request header", parse=scalars.request_header, pattern=scalars.TOKEN)
FIELD_VALUE = Scalar(noun="a field value", parse=scalars.field_value, pattern=scalars.FIELD_VALUE)
FIELD = Scalar(noun="a response field", parse=scalars.response_field, pattern=scalars.TOKEN)
SCRIPT_ARG = Scalar(noun="a text", parse=scalars.script_argument, types=("string", "number", "boolean"))

PROFILE = Scalar(noun="a text or null", parse=scalars.plain_text, nullable=True)
LABEL = Scalar(noun="a label", parse=scalars.label, pattern=scalars.LABEL)
REDIS_URL = Scalar(noun="a URL of Redis", parse=scalars.redis_url, pattern=scalars.REDIS_URL)
GUEST_VARIABLE = Scalar(noun="a name", parse=scalars.guest_variable, pattern=scalars.VARIABLE)

ALLOWED_HOST = Scalar(noun="an allowed host", parse=parse_site_host, pattern=r"[^:]+://.+")

ENV = MapOf(key=VARIABLE, value=TEXT, plural="variables")
DIRS = MapOf(key=GUEST_PATH, value=_section("dir", "a path or a mapping", "path", short="path"), plural="guest paths")
ROUTES = MapOf(key=ROUTE_PATH, value=_section("route", "a mapping of route keys"), plural="route paths")
INTERPRETERS = MapOf(
    key=SUFFIX,
    value=_section("interpreter", f"a module's path, {', '.join(NAMES)} or a mapping", "module", short="module"),
    plural="suffixes",
)
SPIN_VARIABLES = MapOf(
    key=Scalar(noun="a variable name", parse=scalars.spin_variable, pattern=scalars.SPIN_VARIABLE),
    value=TEXT,
    plural="variables",
)
PLUGS = MapOf(
    key=Scalar(noun="an import", parse=scalars.component_import, pattern=scalars.COMPONENT_IMPORT),
    value=HOST_PATH,
    plural="imports",
)
COMPOSITIONS = MapOf(key=HOST_PATH, value=PLUGS, plural="components")
STORE_LABELS = Labels(item=LABEL, plural="stores")
DATABASE_LABELS = Labels(item=LABEL, plural="databases")
STORES_BY_NAME = MapOf(key=LABEL, value=_section("store", "a mapping"), plural="stores")
DATABASES_BY_NAME = MapOf(
    key=LABEL, value=_section("database", "a path or a mapping", "path", short="path"), plural="databases"
)
VARIABLES = MapOf(
    key=GUEST_VARIABLE, value=_section("variable", "a text or a mapping", short="value"), plural="variables"
)
LIFETIME = duration("1ms", "24h")
FILE_SIZE = size("64KiB", "1TiB")


def _endpoints(port: int) -> ListOf:
    server = Scalar(noun="a server", parse=lambda text: scalars.endpoint(text, port), pattern=scalars.ENDPOINT)
    return ListOf(item=server, plural="servers")


SITE = _section("site", "a mapping of the file's keys")

ANY_ROUTE = "route defaults handler"

# One entry a paragraph: places, name, kind, default; example; documentation.
# fmt: off

# The file -------------------------------------------------------------------------------------------------------------

_key("site", "routes", ROUTES, {}, "{/hello: {module: hello.wasm}}",
     "Paths and what answers them; the longest matching path wins, whatever the order in the file.")
_key("site host", "defaults", _section("defaults", "a mapping of route keys"), {}, "{timeout: 10s}",
     "Route keys for every route that does not set them itself; those of a host go before those of the file.")
_key("site", "hosts", MapOf(key=HOST_NAME, value=_section("host", "a mapping", "routes"), plural="host names"), {},
     "{shop.example: {routes: {/: {module: shop.wasm}}}}",
     "Virtual hosts with routes of their own, by exact name or as `*.example` for every name below; a listed host "
     "does not fall through to the routes of the file.")
_key("host", "routes", ROUTES, NO_DEFAULT, "{/: {module: shop.wasm}}", "The routes of this host.")
_key("site", "handler", _section("handler", "a mapping of route keys"), {}, "{timeout: 5s}",
     "Route keys for scripts that Apache itself picks with `AddHandler` or `SetHandler`.")
_key("site", "engine", _section("engine", "a mapping"), {}, "{instances: 32}",
     "Settings of the WebAssembly engine, for all routes.")
_key("site", "key_value", STORES_BY_NAME, {}, "{sessions: {redis: \"redis://cache.example/0\"}}",
     "Key-value stores that routes may grant. `default` need not be defined: it is kept in `state_dir`.")
_key("site", "sqlite", DATABASES_BY_NAME, {}, "{shop: ./shop.db}",
     "SQLite databases that routes may grant. `default` need not be defined: it is kept in `state_dir`.")
_key("site", "compose", COMPOSITIONS, {}, "{app.wasm: {greeter: greeter.wasm}}",
     "Components that are plugged into the imports of others, by the file that imports and by the import: an "
     "interface, a package, or the interface's name alone where only one import has it, with `=` and the export's name "
     "where that differs; a route that names `app.wasm` runs the composition.")
_key("site", "cache_dir", STATE_PATH, None, "/var/cache/wsgi-wasm",
     "Where compiled modules are kept; `WSGI_WASM_CACHE` goes before it, and null means "
     "`$XDG_CACHE_HOME/wsgi-wasm`, else `~/.cache/wsgi-wasm`, else `/var/cache/wsgi-wasm`.")
_key("site", "state_dir", STATE_PATH, None, "/var/lib/wsgi-wasm",
     "Where guests' stores and databases are kept that have no file of their own; made when first needed.")
_key("site", "reload", FLAG, False, "true",
     "Whether a running server takes over this file when it changes; changed modules are always taken over.")

# Routes ---------------------------------------------------------------------------------------------------------------

_key("route", "module", HOST_PATH, NO_DEFAULT, "shop.wasm",
     "The `.wasm` or `.wat` file to run; a missing one takes down its own route alone.", RUNS)
_key("route", "directory", HOST_PATH, NO_DEFAULT, "cgi-bin",
     "A directory of scripts: the first segment of the path that is a file names the one to run. "
     "Interpreters see the directory as `/`, read-only.", RUNS)
_key("route", "spin", _section("spin", "a manifest's path or a mapping", "manifest", short="manifest"), NO_DEFAULT,
     "shop/spin.toml",
     "A Spin application: the components of this `spin.toml` answer the paths below the route that its triggers name.",
     RUNS)
_key("route defaults", "index", ListOf(item=FILE_NAME, plural="file names"), ["index.wasm"], "[index.wasm, index.py]",
     "Files to look for, in order, where the path names a directory; for `directory` routes.", RUNS)
_key("route defaults", "interpreters", INTERPRETERS, {}, INTERPRETER_EXAMPLE,
     "Modules that run scripts, by the script's suffix; other suffixes than these, `.wasm` and `.wat` are "
     "not served; for `directory` routes.", RUNS)
_key(ANY_ROUTE, "interface", Choice(allowed=INTERFACES), "auto", "cgi",
     "What the guest speaks; `auto` looks at the module and finds `cgi` or `http`. `wws` is the JSON of Wasm Workers "
     "Server; what a `raw` guest prints is the body.", RUNS)
_key(ANY_ROUTE, "methods", ListOf(item=METHOD, plural="request methods", at_least=1, nullable=True), None,
     "[GET, POST]", "Allowed request methods, others get 405; GET brings HEAD, and null allows any.", RUNS)
_key("route", "exact", FLAG, False, "true", "Whether only the path itself matches, nothing below it.", RUNS)
_key("route", "selectable", FLAG, False, "true",
     "Whether Apache may choose this route for a script of its own, by `SetEnv wsgi_wasm.route` and the route's path "
     "(with the host before it for a route of `hosts`, `shop.example/cart`); "
     "such a route needs no module.", RUNS)

_key(ANY_ROUTE, "args", ListOf(item=TEXT, plural="texts", unique=False), [], "[--fast]",
     "Arguments after the program's name.", TOLD)
_key(ANY_ROUTE, "env", ENV, {}, "{TZ: UTC}",
     "Variables for the guest; `defaults` and route are merged name by name. "
     "What the request decides (`HTTP_*`, `SCRIPT_NAME`, ...) cannot be set, unless `interface` is `http` or `raw`.",
     TOLD)
_key(ANY_ROUTE, "pass_env", ListOf(item=PATTERN, plural="variable names or patterns"), [], '["SSL_*", UNIQUE_ID]',
     "Variables that the front server made (`SetEnv`, `SSL_*`) to hand on, `*` and `?` as in file names; the "
     "process's own environment is never passed.", TOLD)
_key(ANY_ROUTE, "pass_headers", ListOf(item=HEADER, plural="request headers", fold=True), [], "[Proxy-Authorization]",
     "Request headers to hand on that are normally kept back.", TOLD)
_key(ANY_ROUTE, "pass_authorization", FLAG, False, "true",
     "Whether the guest gets the client's `Authorization` header.", TOLD)
_key(ANY_ROUTE, "query_args", FLAG, False, "true",
     "Whether a query without `=` becomes arguments, as in RFC 3875 4.4.", TOLD)

_key(ANY_ROUTE, "dirs", DIRS, {}, "{/data: ./data, /out: {path: ./out, writable: true}}",
     "Host directories that the guest sees, by guest path; read-only unless said.", FILES)
_key(ANY_ROUTE, "document_root", DOCUMENT_ROOT, None, "/data",
     "The guest path that the paths of requests are translated to (`DOCUMENT_ROOT`, `PATH_TRANSLATED`), at or below "
     "one of `dirs`; null is `/` in a `directory` route and none elsewhere.", FILES)

_key(ANY_ROUTE, "key_value", STORE_LABELS, [], "[default, sessions]",
     "Key-value stores that the guest may open, by the labels that it uses: stores of the file's `key_value`, or a "
     "mapping from labels to them. For components, and for workers (`interface: wws`), whose namespaces they are.",
     STORES)
_key(ANY_ROUTE, "sqlite", DATABASE_LABELS, [], "{default: shop}",
     "SQLite databases that the guest may open, by the labels that it uses: databases of the file's `sqlite`, or a "
     "mapping from labels to them. For components.", STORES)
_key(ANY_ROUTE, "variables", VARIABLES, {}, "{greeting: hello, token: {file: /run/secrets/token}}",
     "Values that the guest may ask for by name. For components.", STORES)
_key(ANY_ROUTE, "redis", _endpoints(6379), [], "[cache.example]",
     "Redis servers that the guest may connect to, as `host` or `host:port`; the port is 6379 unless said. "
     "For components.", STORES)
_key(ANY_ROUTE, "postgres", _endpoints(5432), [], "[db.example]",
     "PostgreSQL servers that the guest may connect to, as `host` or `host:port`; the port is 5432 unless said. "
     "For components.", STORES)

_key(ANY_ROUTE, "allowed_outbound_hosts", ListOf(item=ALLOWED_HOST, plural="hosts"), [],
     '["https://*.example", "http://10.1.0.0/16:8080"]',
     "Where the guest may send HTTP requests, as `scheme://host:port` in Spin's words; a name that leads to a private "
     "or local address is refused unless an entry names that address or its network. For components.", STORES)
_key(ANY_ROUTE, "outbound_timeout", LIFETIME, "30s", "5s",
     "The longest that such a request may take with its answer; it never outlives the guest.", STORES)
_key(ANY_ROUTE, "max_outbound", size("1KiB", "1TiB"), "100MiB", "10MiB",
     "The largest body of such a request, and of its answer; over it the connection is cut.", STORES)
_key(ANY_ROUTE, "outbound_concurrency", integer(1, 1000), 16, "4",
     "Such requests of this route at a time in one process.", STORES)

_key(ANY_ROUTE, "stream_request", FLAG, False, "true",
     "Whether the guest starts before the request body is whole; a body cut short is then no 400.", ANSWERS)
_key(ANY_ROUTE, "response_fields", ListOf(item=FIELD, plural="response fields"), [], "[X-Sendfile]",
     "Response fields to let through that are normally dropped because front servers obey them.", ANSWERS)
_key(ANY_ROUTE, "content_type", FIELD_VALUE, "text/html; charset=utf-8", "text/plain",
     "The type of what guests print, where `interface` is `raw`; others say it themselves.", ANSWERS)
_key(ANY_ROUTE, "local_redirects", ListOf(item=ROUTE_PATH, plural="route paths", nullable=True), None, "[/shop, /cart]",
     "Routes of the same host that a `Location: /path` may lead to inside the server, past its access rules; "
     "null means the route itself, and for `handler` none.", ANSWERS)

_key(ANY_ROUTE, "timeout", LIFETIME, "25s", "5s",
     "Wall clock for one request, from the guest's first instruction to its last; waiting for the client's body or "
     "for a slow reader does not count.", LIMITS)
_key(ANY_ROUTE, "cpu", LIFETIME, "10s", "2s", "The guest's own CPU time.", LIMITS)
_key(ANY_ROUTE, "memory", size("64KiB", "4GiB", whole="64KiB"), "128MiB", "64MiB",
     "Linear memory that a guest can grow to; past it, its allocations fail.", LIMITS)
_key(ANY_ROUTE, "max_body", size("0B", "1TiB"), "10MiB", "1MiB", "The largest request body; over it: 413.", LIMITS)
_key(ANY_ROUTE, "max_head", size("256B", "1MiB"), "64KiB", "16KiB",
     "The largest head of an answer; over it: 502.", LIMITS)
_key(ANY_ROUTE, "max_output", size("1KiB", "1TiB"), "100MiB", "1GiB",
     "The largest answer; over it: cut off and logged, or 502 where nothing was sent yet. Where `interface` is `wws`, "
     "answers are held in memory as a whole, and this is `10MiB` unless it is written.", LIMITS)
_key(ANY_ROUTE, "max_stderr", size("0B", "16MiB"), "64KiB", "4KiB",
     "How much of a request's stderr goes to the log.", LIMITS)
_key(ANY_ROUTE, "concurrency", integer(1, 10_000, nullable=True), None, "8",
     "Guests of this route that run at a time in one process; null means as many as `engine.instances`.", LIMITS)
_key(ANY_ROUTE, "queue_timeout", duration("0s", "1h"), "5s", "500ms",
     "How long a request waits for a free place; after it: 503 with `Retry-After`.", LIMITS)
_key(ANY_ROUTE, "body_timeout", LIFETIME, "60s", "10s",
     "How long the client may take to send its body; after it: 408.", LIMITS)
_key(ANY_ROUTE, "send_timeout", LIFETIME, "60s", "30s",
     "How long the client may leave what was sent untaken; after it: cut off.", LIMITS)

# Entries --------------------------------------------------------------------------------------------------------------

_key("dir", "path", HOST_PATH, NO_DEFAULT, "./out", "The host directory; this key alone may be written as a text.")
_key("dir", "writable", FLAG, False, "true", "Whether guests may change what is in it.")

_key("interpreter", "module", PathOrName(path=HOST_PATH, names=NAMES), NO_DEFAULT, NAMES[0],
     f"The interpreter's module, or the name of one that `wsgi-wasm interpreter` builds: {_names()} (write "
     f"`./{NAMES[0]}` for a file of that name); this key alone may be written as a text.")
_key("interpreter", "args", ListOf(item=SCRIPT_ARG, plural="texts", unique=False), ["{script}"], '[-I, "{script}"]',
     "Arguments after the program's name; `{script}` is the script's guest path.")
_key("interpreter", "env", ENV, {}, "{LUA_PATH: /lib/?.lua}",
     "Variables for this interpreter, besides the route's `env`.")
_key("interpreter", "dirs", DIRS, {}, "{/lib: ./lua/lib}",
     "Host directories for this interpreter, besides the route's `dirs`.")

_key("spin", "manifest", HOST_PATH, NO_DEFAULT, "shop/spin.toml",
     "The application's manifest; this key alone may be written as a text.")
_key("spin", "variables", SPIN_VARIABLES, {}, "{api_host: api.example}",
     "Values of the application's variables; they go before `SPIN_VARIABLE_*` and the manifest's defaults.")
_key("spin", "state_dir", STATE_PATH, None, "/var/lib/shop",
     "Where its key-value stores and databases are kept; null is `.spin` beside the manifest.")
_key("spin", "runtime_config", STATE_PATH, None, "shop/runtime-config.toml",
     "A runtime configuration file of Spin's: stores, databases and where variables come from.")
_key("spin", "profile", PROFILE, None, "debug", "The `[component.<id>.profile.<name>]` whose overrides are used.")

_key("store", "path", HOST_PATH, NO_DEFAULT, "./sessions.db",
     "The SQLite file; without `path` and `redis` the store is kept in `state_dir`.")
_key("store", "redis", REDIS_URL, NO_DEFAULT, "redis://cache.example:6379/0",
     "The Redis or Valkey database that keeps the store, for several machines.")
_key("store", "prefix", TEXT, NO_DEFAULT, '"shop:"',
     "What this store's keys begin with in Redis; unless said, the store's name and a colon.")
_key("store", "max_size", FILE_SIZE, "1GiB", "64MiB", "How large the SQLite file may grow.")

_key("database", "path", HOST_PATH, NO_DEFAULT, "./shop.db", "The file; this key alone may be written as a text.")
_key("database", "max_size", FILE_SIZE, "1GiB", "64MiB", "How large the file may grow.")

_key("variable", "value", TEXT, NO_DEFAULT, "hello", "The value; this key alone may be written as a text.")
_key("variable", "file", HOST_PATH, NO_DEFAULT, "/run/secrets/token",
     "The file that holds the value, read when the guest asks for it; a newline at its end is left out.")

_key("engine", "instances", integer(1, 1000), 64, "32", "Guests that can exist at a time in one process.")
_key("engine", "features", ListOf(item=Choice(allowed=FEATURES), plural="features: " + ", ".join(FEATURES)), [],
     "[exceptions]", "WebAssembly features to switch on; each is more code within a hostile module's reach.")

# fmt: on
