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
from wsgi_wasm.files.locations import PYTHON

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

# What answers a route: exactly one of them.
TARGETS = ("module", "directory", "spin")

# Groups of route keys, in the order of the reference page.
RUNS, TOLD, FILES, STORES, ANSWERS, LIMITS = GROUPS = (
    "What runs",
    "Arguments, variables and headers",
    "Directories",
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
    value=_section("interpreter", "a module's path, python or a mapping", "module", short="module"),
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
     "Paths and what answers them. The longest matching path wins, whatever the order in the file.")
_key("site host", "defaults", _section("defaults", "a mapping of route keys"), {}, "{timeout: 10s}",
     "Route keys for every route that does not set them itself. Those of a host override those of the file.")
_key("site", "hosts", MapOf(key=HOST_NAME, value=_section("host", "a mapping", "routes"), plural="host names"), {},
     "{shop.example: {routes: {/: {module: shop.wasm}}}}",
     "Virtual hosts with their own routes, by exact name or as `*.example` for every name below. A host that is "
     "listed does not fall back to the routes of the file.")
_key("host", "routes", ROUTES, NO_DEFAULT, "{/: {module: shop.wasm}}", "The routes of this host.")
_key("site", "handler", _section("handler", "a mapping of route keys"), {}, "{timeout: 5s}",
     "Route keys for scripts that Apache itself selects with `AddHandler` or `SetHandler`.")
_key("site", "engine", _section("engine", "a mapping"), {}, "{instances: 32}",
     "Settings of the WebAssembly engine, for all routes.")
_key("site", "key_value", STORES_BY_NAME, {}, "{sessions: {redis: \"redis://cache.example/0\"}}",
     "Key-value stores that routes can grant. You need not define `default`, which is stored in `state_dir`.")
_key("site", "sqlite", DATABASES_BY_NAME, {}, "{shop: ./shop.db}",
     "SQLite databases that routes can grant. You need not define `default`, which is stored in `state_dir`.")
_key("site", "compose", COMPOSITIONS, {}, "{app.wasm: {greeter: greeter.wasm}}",
     "Components to plug into the imports of other components, by the importing file and by the import. An import is "
     "an interface, a package, or the interface's name alone if only one import has it; add `=` and the export's name "
     "if that differs. A route that names `app.wasm` runs the composition.")
_key("site", "cache_dir", STATE_PATH, None, "/var/cache/wsgi-wasm",
     "Directory for compiled modules. `WSGI_WASM_CACHE` overrides it. `null` means `$XDG_CACHE_HOME/wsgi-wasm`, else "
     "`~/.cache/wsgi-wasm`, else `/var/cache/wsgi-wasm`.")
_key("site", "state_dir", STATE_PATH, None, "/var/lib/wsgi-wasm",
     "Directory for guests' stores and databases that have no file of their own. It is created when it is first "
     "needed.")
_key("site", "reload", FLAG, False, "true",
     "Whether a running server reloads this file when it changes. Changed modules are always reloaded.")

# Routes ---------------------------------------------------------------------------------------------------------------

_key("route", "module", HOST_PATH, NO_DEFAULT, "shop.wasm",
     "The `.wasm` or `.wat` file to run. If it is missing, only this route is disabled.", RUNS)
_key("route", "directory", HOST_PATH, NO_DEFAULT, "cgi-bin",
     "A directory of scripts. The first segment of the path that is a file names the script to run. "
     "Interpreters see the directory as `/`, read-only.", RUNS)
_key("route", "spin", _section("spin", "a manifest's path or a mapping", "manifest", short="manifest"), NO_DEFAULT,
     "shop/spin.toml",
     "A Spin application. The components of this `spin.toml` answer the paths that its triggers name, below the "
     "route.", RUNS)
_key("route defaults", "index", ListOf(item=FILE_NAME, plural="file names"), ["index.wasm"], "[index.wasm, index.py]",
     "For `directory` routes: files to look for, in order, if the path names a directory.", RUNS)
_key("route defaults", "interpreters", INTERPRETERS, {}, "{.py: python}",
     "For `directory` routes: modules that run scripts, by the script's suffix. Only these suffixes, `.wasm` "
     "and `.wat` are served.", RUNS)
_key(ANY_ROUTE, "interface", Choice(allowed=INTERFACES), "auto", "cgi",
     "The guest's interface. `auto` looks at the module and chooses `cgi` or `http`. `wws` is the JSON of Wasm "
     "Workers Server. With `raw`, everything that the guest prints is the body.", RUNS)
_key(ANY_ROUTE, "methods", ListOf(item=METHOD, plural="request methods", at_least=1, nullable=True), None,
     "[GET, POST]", "Allowed request methods; others get 405. GET includes HEAD. `null` allows every method.", RUNS)
_key("route", "exact", FLAG, False, "true", "Whether only the path itself matches, and nothing below it.", RUNS)
_key("route", "selectable", FLAG, False, "true",
     "Whether Apache may choose this route for one of its scripts, with `SetEnv wsgi_wasm.route` and the "
     "route's path (for a route of `hosts` with the host before it, `shop.example/cart`). Such a route needs no "
     "module.", RUNS)

_key(ANY_ROUTE, "args", ListOf(item=TEXT, plural="texts", unique=False), [], "[--fast]",
     "Arguments after the program's name.", TOLD)
_key(ANY_ROUTE, "env", ENV, {}, "{TZ: UTC}",
     "Variables for the guest. Those of `defaults` and of the route are merged by name. Names that the request "
     "sets (`HTTP_*`, `SCRIPT_NAME`, ...) are not allowed, unless `interface` is `http` or `raw`.", TOLD)
_key(ANY_ROUTE, "pass_env", ListOf(item=PATTERN, plural="variable names or patterns"), [], '["SSL_*", UNIQUE_ID]',
     "Variables of the front server (`SetEnv`, `SSL_*`) to pass on; `*` and `?` match as in file names. The "
     "environment of the server process is never passed on.", TOLD)
_key(ANY_ROUTE, "pass_headers", ListOf(item=HEADER, plural="request headers", fold=True), [], "[Proxy-Authorization]",
     "Request headers to pass on that are withheld by default.", TOLD)
_key(ANY_ROUTE, "pass_authorization", FLAG, False, "true",
     "Whether the guest receives the client's `Authorization` header.", TOLD)
_key(ANY_ROUTE, "query_args", FLAG, False, "true",
     "Whether a query without `=` becomes arguments, as in RFC 3875 4.4.", TOLD)

_key(ANY_ROUTE, "dirs", DIRS, {}, "{/data: ./data, /out: {path: ./out, writable: true}}",
     "Host directories that the guest sees, by guest path. They are read-only by default.", FILES)
_key(ANY_ROUTE, "document_root", DOCUMENT_ROOT, None, "/data",
     "The guest path to which request paths are translated (`DOCUMENT_ROOT`, `PATH_TRANSLATED`), at or below "
     "one of `dirs`. `null` means `/` in a `directory` route, and no translation elsewhere.", FILES)

_key(ANY_ROUTE, "key_value", STORE_LABELS, [], "[default, sessions]",
     "Key-value stores that the guest may open, by the labels that it uses: a list of stores from the file's "
     "`key_value`, or a mapping from labels to them. For components, and for workers (`interface: wws`), "
     "which use them as namespaces.", STORES)
_key(ANY_ROUTE, "sqlite", DATABASE_LABELS, [], "{default: shop}",
     "SQLite databases that the guest may open, by the labels that it uses: a list of databases from the "
     "file's `sqlite`, or a mapping from labels to them. For components.", STORES)
_key(ANY_ROUTE, "variables", VARIABLES, {}, "{greeting: hello, token: {file: /run/secrets/token}}",
     "Values that the guest can request by name. For components.", STORES)
_key(ANY_ROUTE, "redis", _endpoints(6379), [], "[cache.example]",
     "Redis servers that the guest may connect to, as `host` or `host:port`. The default port is 6379. For "
     "components.", STORES)
_key(ANY_ROUTE, "postgres", _endpoints(5432), [], "[db.example]",
     "PostgreSQL servers that the guest may connect to, as `host` or `host:port`. The default port is 5432. "
     "For components.", STORES)

_key(ANY_ROUTE, "allowed_outbound_hosts", ListOf(item=ALLOWED_HOST, plural="hosts"), [],
     '["https://*.example", "http://10.1.0.0/16:8080"]',
     "Where the guest may send HTTP requests, as `scheme://host:port` in Spin's syntax. A name that resolves "
     "to a private or local address is refused unless an entry names that address or its network. For "
     "components.", STORES)
_key(ANY_ROUTE, "outbound_timeout", LIFETIME, "30s", "5s",
     "The longest time for such a request and its answer. It never outlives the guest.", STORES)
_key(ANY_ROUTE, "max_outbound", size("1KiB", "1TiB"), "100MiB", "10MiB",
     "The largest body of such a request, and of its answer. If a body is larger, the connection is cut.", STORES)
_key(ANY_ROUTE, "outbound_concurrency", integer(1, 1000), 16, "4",
     "How many such requests this route can have at the same time in one process.", STORES)

_key(ANY_ROUTE, "stream_request", FLAG, False, "true",
     "Whether the guest starts before the whole request body has arrived. An incomplete body then no longer "
     "gets 400.", ANSWERS)
_key(ANY_ROUTE, "response_fields", ListOf(item=FIELD, plural="response fields"), [], "[X-Sendfile]",
     "Response fields to let through that are dropped by default because front servers obey them.", ANSWERS)
_key(ANY_ROUTE, "content_type", FIELD_VALUE, "text/html; charset=utf-8", "text/plain",
     "The type of what guests print if `interface` is `raw`. Other guests set it themselves.", ANSWERS)
_key(ANY_ROUTE, "local_redirects", ListOf(item=ROUTE_PATH, plural="route paths", nullable=True), None, "[/shop, /cart]",
     "Routes of the same host that a `Location: /path` may lead to inside the server, bypassing its access "
     "rules. `null` means only the route itself, and for `handler` none.", ANSWERS)

_key(ANY_ROUTE, "timeout", LIFETIME, "25s", "5s",
     "Wall clock time for one request, from the guest's first instruction to its last. Waiting for the "
     "client's body or for a slow reader does not count.", LIMITS)
_key(ANY_ROUTE, "cpu", LIFETIME, "10s", "2s", "The guest's own CPU time.", LIMITS)
_key(ANY_ROUTE, "memory", size("64KiB", "4GiB", whole="64KiB"), "128MiB", "64MiB",
     "Linear memory that a guest can grow to. Beyond it, its allocations fail.", LIMITS)
_key(ANY_ROUTE, "max_body", size("0B", "1TiB"), "10MiB", "1MiB",
     "The largest request body. A larger one gets 413.", LIMITS)
_key(ANY_ROUTE, "max_head", size("256B", "1MiB"), "64KiB", "16KiB",
     "The largest head of an answer. A larger one becomes 502.", LIMITS)
_key(ANY_ROUTE, "max_output", size("1KiB", "1TiB"), "100MiB", "1GiB",
     "The largest answer. A larger one is cut off and logged, or becomes 502 if nothing has been sent yet. If "
     "`interface` is `wws`, whole answers are held in memory, and the default is `10MiB`.", LIMITS)
_key(ANY_ROUTE, "max_stderr", size("0B", "16MiB"), "64KiB", "4KiB",
     "How much of a request's standard error goes to the log.", LIMITS)
_key(ANY_ROUTE, "concurrency", integer(1, 10_000, nullable=True), None, "8",
     "How many guests of this route can run at the same time in one process. `null` means as many as "
     "`engine.instances`.", LIMITS)
_key(ANY_ROUTE, "queue_timeout", duration("0s", "1h"), "5s", "500ms",
     "How long a request waits for a free slot. After that it gets 503 with `Retry-After`.", LIMITS)
_key(ANY_ROUTE, "body_timeout", LIFETIME, "60s", "10s",
     "How long the client may take to send its body. After that it gets 408.", LIMITS)
_key(ANY_ROUTE, "send_timeout", LIFETIME, "60s", "30s",
     "How long the client may leave sent data unread. After that the answer is cut off.", LIMITS)

# Entries --------------------------------------------------------------------------------------------------------------

_key("dir", "path", HOST_PATH, NO_DEFAULT, "./out",
     "The host directory. If this is the only key, you can write just the path.")
_key("dir", "writable", FLAG, False, "true", "Whether guests may change files in the directory.")

_key("interpreter", "module", PathOrName(path=HOST_PATH, names=(PYTHON,)), NO_DEFAULT, "python",
     "The interpreter's module, or `python` for the one that `wsgi-wasm build-python` makes. Write `./python` for a "
     "file of that name. If this is the only key, you can write just the path or name.")
_key("interpreter", "args", ListOf(item=SCRIPT_ARG, plural="texts", unique=False), ["{script}"], '[-I, "{script}"]',
     "Arguments after the program's name. `{script}` stands for the script's guest path.")
_key("interpreter", "env", ENV, {}, "{LUA_PATH: /lib/?.lua}",
     "Variables for this interpreter, in addition to the route's `env`.")
_key("interpreter", "dirs", DIRS, {}, "{/lib: ./lua/lib}",
     "Host directories for this interpreter, in addition to the route's `dirs`.")

_key("spin", "manifest", HOST_PATH, NO_DEFAULT, "shop/spin.toml",
     "The application's manifest. If this is the only key, you can write just the path.")
_key("spin", "variables", SPIN_VARIABLES, {}, "{api_host: api.example}",
     "Values of the application's variables. They override `SPIN_VARIABLE_*` and the manifest's defaults.")
_key("spin", "state_dir", STATE_PATH, None, "/var/lib/shop",
     "Directory for the application's key-value stores and databases. `null` means `.spin` beside the manifest.")
_key("spin", "runtime_config", STATE_PATH, None, "shop/runtime-config.toml",
     "A runtime configuration file of Spin: stores, databases and variable providers.")
_key("spin", "profile", PROFILE, None, "debug", "The `[component.<id>.profile.<name>]` whose overrides are used.")

_key("store", "path", HOST_PATH, NO_DEFAULT, "./sessions.db",
     "The SQLite file. Without `path` and `redis`, the store is in `state_dir`.")
_key("store", "redis", REDIS_URL, NO_DEFAULT, "redis://cache.example:6379/0",
     "The Redis or Valkey database that holds the store, so that several machines can share it.")
_key("store", "prefix", TEXT, NO_DEFAULT, '"shop:"',
     "Prefix of this store's keys in Redis. The default is the store's name and a colon.")
_key("store", "max_size", FILE_SIZE, "1GiB", "64MiB", "The largest size of the SQLite file.")

_key("database", "path", HOST_PATH, NO_DEFAULT, "./shop.db",
     "The file. If this is the only key, you can write just the path.")
_key("database", "max_size", FILE_SIZE, "1GiB", "64MiB", "The largest size of the file.")

_key("variable", "value", TEXT, NO_DEFAULT, "hello",
     "The value. If this is the only key, you can write just the value.")
_key("variable", "file", HOST_PATH, NO_DEFAULT, "/run/secrets/token",
     "The file that holds the value. It is read when the guest requests the value, and a newline at its end is "
     "removed.")

_key("engine", "instances", integer(1, 1000), 64, "32", "How many guests can exist at the same time in one process.")
_key("engine", "features", ListOf(item=Choice(allowed=FEATURES), plural="features: " + ", ".join(FEATURES)), [],
     "[exceptions]", "WebAssembly features to enable. Each one exposes more of the engine's code to hostile modules.")

# fmt: on
