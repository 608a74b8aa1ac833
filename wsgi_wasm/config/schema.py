"""The table of keys: the one source for reading a file into the model, for its JSON Schema and for
the reference page.

An entry says where a key stands, where its value goes, what it may be, its default, an example in
YAML, and in Markdown what it does. A new key is an entry here and a field of the model.
"""

from __future__ import annotations

from typing import Any

from wsgi_wasm.config import value_kinds as v
from wsgi_wasm.config.kinds import Choice, Kind, ListOf, PathOrName
from wsgi_wasm.config.model import (
    FEATURES,
    INTERFACES,
    Config,
    Database,
    Dir,
    DirectoryTarget,
    EngineSettings,
    Grants,
    Interpreter,
    KeyValueStore,
    Limits,
    ModuleTarget,
    Outbound,
    Route,
    SpinTarget,
    Variable,
)
from wsgi_wasm.config.quantities import duration, integer, size
from wsgi_wasm.config.section import NO_DEFAULT, DefaultWhere, Into, Key
from wsgi_wasm.interpreters import NAMES, SUFFIXES

TABLE = v.TABLE
SITE = v.SITE

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


def _key(
    places: str, name: str, into: Into, kind: Kind, default: Any, example: str, doc: str, group: str = "", **more: Any
) -> None:
    made = Key(
        name=name,
        into=into,
        kind=kind,
        default=default,
        places=tuple(places.split()),
        group=group,
        doc=doc,
        example=example,
        **more,
    )
    TABLE.keys.append(made)


def _names() -> str:
    return ", ".join(f"`{name}`" for name in NAMES)


ANY_ROUTE = "route defaults handler"

# One entry a paragraph: places, name, destination, kind, default; example; documentation.
# fmt: off

# The file -------------------------------------------------------------------------------------------------------------

_key("site", "routes", None, v.ROUTES, {}, "{/hello: {module: hello.wasm}}",
     "Paths and what answers them; the longest matching path wins, whatever the order in the file.")
_key("site host", "defaults", None, v.DEFAULTS, {}, "{timeout: 10s}",
     "Route keys for every route that does not set them itself; those of a host go before those of the file.")
_key("site", "hosts", None, v.HOSTS, {}, "{shop.example: {routes: {/: {module: shop.wasm}}}}",
     "Virtual hosts with routes of their own, by exact name or as `*.example` for every name below; a listed host "
     "does not fall through to the routes of the file.")
_key("host", "routes", None, v.ROUTES, NO_DEFAULT, "{/: {module: shop.wasm}}", "The routes of this host.")
_key("site", "handler", None, v.HANDLER, {}, "{timeout: 5s}",
     "Route keys for scripts that Apache itself picks with `AddHandler` or `SetHandler`.")
_key("site", "engine", None, v.ENGINE, {}, "{instances: 32}",
     "Settings of the WebAssembly engine, for all routes.")
_key("site", "key_value", None, v.STORES_BY_NAME, {}, "{sessions: {redis: \"redis://cache.example/0\"}}",
     "Key-value stores that routes may grant. `default` need not be defined: it is kept in `state_dir`.")
_key("site", "sqlite", None, v.DATABASES_BY_NAME, {}, "{shop: ./shop.db}",
     "SQLite databases that routes may grant. `default` need not be defined: it is kept in `state_dir`.")
_key("site", "compose", None, v.COMPOSITIONS, {}, "{app.wasm: {greeter: greeter.wasm}}",
     "Components that are plugged into the imports of others, by the file that imports and by the import: an "
     "interface, a package, or the interface's name alone where only one import has it, with `=` and the export's name "
     "where that differs; a route that names `app.wasm` runs the composition.")
_key("site", "cache_dir", Config, v.STATE_PATH, None, "/var/cache/wsgi-wasm",
     "Where compiled modules are kept; `WSGI_WASM_CACHE` goes before it, and null means "
     "`$XDG_CACHE_HOME/wsgi-wasm`, else `~/.cache/wsgi-wasm`, else `/var/cache/wsgi-wasm`.")
_key("site", "state_dir", Config, v.STATE_PATH, None, "/var/lib/wsgi-wasm",
     "Where guests' stores and databases are kept that have no file of their own; made when first needed.")
_key("site", "reload", Config, v.FLAG, False, "true",
     "Whether a running server takes over this file when it changes; changed modules are always taken over.")

# Routes ---------------------------------------------------------------------------------------------------------------

_key("route", "module", (ModuleTarget, "path"), v.HOST_PATH, NO_DEFAULT, "shop.wasm",
     "The `.wasm` or `.wat` file to run; a missing one takes down its own route alone.", RUNS)
_key("route", "directory", (DirectoryTarget, "path"), v.HOST_PATH, NO_DEFAULT, "cgi-bin",
     "A directory of scripts: the first segment of the path that is a file names the one to run. "
     "Interpreters see the directory as `/`, read-only.", RUNS)
_key("route", "spin", None, v.SPIN, NO_DEFAULT, "shop/spin.toml",
     "A Spin application: the components of this `spin.toml` answer the paths below the route that its triggers name.",
     RUNS)
_key("route defaults", "index", DirectoryTarget, ListOf(item=v.FILE_NAME, plural="file names"), ["index.wasm"],
     "[index.wasm, index.py]",
     "Files to look for, in order, where the path names a directory; for `directory` routes.", RUNS,
     only_with="directory")
_key("route defaults", "interpreters", None, v.INTERPRETERS, {}, INTERPRETER_EXAMPLE,
     "Modules that run scripts, by the script's suffix; other suffixes than these, `.wasm` and `.wat` are "
     "not served; for `directory` routes.", RUNS, only_with="directory")
_key(ANY_ROUTE, "interface", Route, Choice(allowed=INTERFACES), "auto", "cgi",
     "What the guest speaks; `auto` looks at the module and finds `cgi` or `http`. `wws` is the JSON of Wasm Workers "
     "Server; what a `raw` guest prints is the body.", RUNS, in_manifest=True)
_key(ANY_ROUTE, "methods", Route, v.METHODS, None, "[GET, POST]",
     "Allowed request methods, others get 405; GET brings HEAD, and null allows any.", RUNS)
_key("route", "exact", Route, v.FLAG, False, "true", "Whether only the path itself matches, nothing below it.", RUNS,
     in_manifest=True)
_key("route", "selectable", Route, v.FLAG, False, "true",
     "Whether Apache may choose this route for a script of its own, by `SetEnv wsgi_wasm.route` and the route's path "
     "(with the host before it for a route of `hosts`, `shop.example/cart`); "
     "such a route needs no module.", RUNS, in_manifest=True)

_key(ANY_ROUTE, "args", Route, ListOf(item=v.TEXT, plural="texts", unique=False), [], "[--fast]",
     "Arguments after the program's name.", TOLD, in_manifest=True)
_key(ANY_ROUTE, "env", Route, v.ENV, {}, "{TZ: UTC}",
     "Variables for the guest; `defaults` and route are merged name by name. "
     "What the request decides (`HTTP_*`, `SCRIPT_NAME`, ...) cannot be set, unless `interface` is `http` or `raw`.",
     TOLD, by_name=True)
_key(ANY_ROUTE, "pass_env", Route, ListOf(item=v.PATTERN, plural="variable names or patterns"), [],
     '["SSL_*", UNIQUE_ID]',
     "Variables that the front server made (`SetEnv`, `SSL_*`) to hand on, `*` and `?` as in file names; the "
     "process's own environment is never passed.", TOLD)
_key(ANY_ROUTE, "pass_headers", Route, ListOf(item=v.HEADER, plural="request headers", fold=True), [],
     "[Proxy-Authorization]",
     "Request headers to hand on that are normally kept back.", TOLD)
_key(ANY_ROUTE, "pass_authorization", Route, v.FLAG, False, "true",
     "Whether the guest gets the client's `Authorization` header.", TOLD)
_key(ANY_ROUTE, "query_args", Route, v.FLAG, False, "true",
     "Whether a query without `=` becomes arguments, as in RFC 3875 4.4.", TOLD, in_manifest=True)

_key(ANY_ROUTE, "dirs", None, v.DIRS, {}, "{/data: ./data, /out: {path: ./out, writable: true}}",
     "Host directories that the guest sees, by guest path; read-only unless said.", FILES)
_key(ANY_ROUTE, "document_root", Route, v.DOCUMENT_ROOT, None, "/data",
     "The guest path that the paths of requests are translated to (`DOCUMENT_ROOT`, `PATH_TRANSLATED`), at or below "
     "one of `dirs`; null is `/` in a `directory` route and none elsewhere.", FILES, in_manifest=True)

_key(ANY_ROUTE, "key_value", None, v.STORE_LABELS, [], "[default, sessions]",
     "Key-value stores that the guest may open, by the labels that it uses: stores of the file's `key_value`, or a "
     "mapping from labels to them. For components, and for workers (`interface: wws`), whose namespaces they are.",
     STORES, in_manifest=True)
_key(ANY_ROUTE, "sqlite", None, v.DATABASE_LABELS, [], "{default: shop}",
     "SQLite databases that the guest may open, by the labels that it uses: databases of the file's `sqlite`, or a "
     "mapping from labels to them. For components.", STORES, in_manifest=True)
_key(ANY_ROUTE, "variables", None, v.VARIABLES, {}, "{greeting: hello, token: {file: /run/secrets/token}}",
     "Values that the guest may ask for by name. For components.", STORES, in_manifest=True)
_key(ANY_ROUTE, "redis", Grants, v.endpoints(6379), [], "[cache.example]",
     "Redis servers that the guest may connect to, as `host` or `host:port`; the port is 6379 unless said. "
     "For components.", STORES, in_manifest=True)
_key(ANY_ROUTE, "postgres", Grants, v.endpoints(5432), [], "[db.example]",
     "PostgreSQL servers that the guest may connect to, as `host` or `host:port`; the port is 5432 unless said. "
     "For components.", STORES, in_manifest=True)

_key(ANY_ROUTE, "allowed_outbound_hosts", (Outbound, "hosts"), ListOf(item=v.ALLOWED_HOST, plural="hosts"), [],
     '["https://*.example", "http://10.1.0.0/16:8080"]',
     "Where the guest may send HTTP requests, as `scheme://host:port` in Spin's words; a name that leads to a private "
     "or local address is refused unless an entry names that address or its network. For components.", STORES,
     in_manifest=True)
_key(ANY_ROUTE, "outbound_timeout", (Outbound, "timeout"), v.LIFETIME, "30s", "5s",
     "The longest that such a request may take with its answer; it never outlives the guest.", STORES)
_key(ANY_ROUTE, "max_outbound", (Outbound, "max_bytes"), size("1KiB", "1TiB"), "100MiB", "10MiB",
     "The largest body of such a request, and of its answer; over it the connection is cut.", STORES)
_key(ANY_ROUTE, "outbound_concurrency", (Outbound, "concurrency"), integer(1, 1000), 16, "4",
     "Such requests of this route at a time in one process.", STORES)

_key(ANY_ROUTE, "stream_request", Route, v.FLAG, False, "true",
     "Whether the guest starts before the request body is whole; a body cut short is then no 400.", ANSWERS)
_key(ANY_ROUTE, "response_fields", Route, ListOf(item=v.FIELD, plural="response fields"), [], "[X-Sendfile]",
     "Response fields to let through that are normally dropped because front servers obey them.", ANSWERS)
_key(ANY_ROUTE, "content_type", Route, v.FIELD_VALUE, "text/html; charset=utf-8", "text/plain",
     "The type of what guests print, where `interface` is `raw`; others say it themselves.", ANSWERS)
_key(ANY_ROUTE, "local_redirects", None, ListOf(item=v.ROUTE_PATH, plural="route paths", nullable=True), None,
     "[/shop, /cart]",
     "Routes of the same host that a `Location: /path` may lead to inside the server, past its access rules; "
     "null means the route itself, and for `handler` none.", ANSWERS)

_key(ANY_ROUTE, "timeout", Limits, v.LIFETIME, "25s", "5s",
     "Wall clock for one request, from the guest's first instruction to its last; waiting for the client's body or "
     "for a slow reader does not count.", LIMITS)
_key(ANY_ROUTE, "cpu", Limits, v.LIFETIME, "10s", "2s", "The guest's own CPU time.", LIMITS)
_key(ANY_ROUTE, "memory", Limits, size("64KiB", "4GiB", whole="64KiB"), "128MiB", "64MiB",
     "Linear memory that a guest can grow to; past it, its allocations fail.", LIMITS)
_key(ANY_ROUTE, "max_body", Limits, size("0B", "1TiB"), "10MiB", "1MiB",
     "The largest request body; over it: 413.", LIMITS)
_key(ANY_ROUTE, "max_head", Limits, size("256B", "1MiB"), "64KiB", "16KiB",
     "The largest head of an answer; over it: 502.", LIMITS)
_key(ANY_ROUTE, "max_output", Limits, size("1KiB", "1TiB"), "100MiB", "1GiB",
     "The largest answer; over it: cut off and logged, or 502 where nothing was sent yet. Where `interface` is `wws`, "
     "answers are held in memory as a whole, and this is `10MiB` unless it is written.", LIMITS,
     default_where=DefaultWhere("interface", "wws", "10MiB"))
_key(ANY_ROUTE, "max_stderr", Limits, size("0B", "16MiB"), "64KiB", "4KiB",
     "How much of a request's stderr goes to the log.", LIMITS)
_key(ANY_ROUTE, "concurrency", Limits, integer(1, 10_000, nullable=True), None, "8",
     "Guests of this route that run at a time in one process; null means as many as `engine.instances`.", LIMITS)
_key(ANY_ROUTE, "queue_timeout", Limits, duration("0s", "1h"), "5s", "500ms",
     "How long a request waits for a free place; after it: 503 with `Retry-After`.", LIMITS)
_key(ANY_ROUTE, "body_timeout", Limits, v.LIFETIME, "60s", "10s",
     "How long the client may take to send its body; after it: 408.", LIMITS)
_key(ANY_ROUTE, "send_timeout", Limits, v.LIFETIME, "60s", "30s",
     "How long the client may leave what was sent untaken; after it: cut off.", LIMITS)

# Entries --------------------------------------------------------------------------------------------------------------

_key("dir", "path", (Dir, "host"), v.HOST_PATH, NO_DEFAULT, "./out",
     "The host directory; this key alone may be written as a text.")
_key("dir", "writable", Dir, v.FLAG, False, "true", "Whether guests may change what is in it.")

_key("interpreter", "module", None, PathOrName(path=v.HOST_PATH, names=NAMES), NO_DEFAULT, NAMES[0],
     f"The interpreter's module, or the name of one that `wsgi-wasm interpreter` builds: {_names()} (write "
     f"`./{NAMES[0]}` for a file of that name); this key alone may be written as a text.")
_key("interpreter", "args", Interpreter, ListOf(item=v.SCRIPT_ARG, plural="texts", unique=False), ["{script}"],
     '[-I, "{script}"]',
     "Arguments after the program's name; `{script}` is the script's guest path.")
_key("interpreter", "env", Interpreter, v.ENV, {}, "{LUA_PATH: /lib/?.lua}",
     "Variables for this interpreter, besides the route's `env`.")
_key("interpreter", "dirs", None, v.DIRS, {}, "{/lib: ./lua/lib}",
     "Host directories for this interpreter, besides the route's `dirs`.")

_key("spin", "manifest", (SpinTarget, "path"), v.HOST_PATH, NO_DEFAULT, "shop/spin.toml",
     "The application's manifest; this key alone may be written as a text.")
_key("spin", "variables", SpinTarget, v.SPIN_VARIABLES, {}, "{api_host: api.example}",
     "Values of the application's variables; they go before `SPIN_VARIABLE_*` and the manifest's defaults.")
_key("spin", "state_dir", SpinTarget, v.STATE_PATH, None, "/var/lib/shop",
     "Where its key-value stores and databases are kept; null is `.spin` beside the manifest.")
_key("spin", "runtime_config", SpinTarget, v.STATE_PATH, None, "shop/runtime-config.toml",
     "A runtime configuration file of Spin's: stores, databases and where variables come from.")
_key("spin", "profile", SpinTarget, v.PROFILE, None, "debug",
     "The `[component.<id>.profile.<name>]` whose overrides are used.")

_key("store", "path", None, v.HOST_PATH, NO_DEFAULT, "./sessions.db",
     "The SQLite file; without `path` and `redis` the store is kept in `state_dir`.")
_key("store", "redis", KeyValueStore, v.REDIS_URL, NO_DEFAULT, "redis://cache.example:6379/0",
     "The Redis or Valkey database that keeps the store, for several machines.")
_key("store", "prefix", None, v.TEXT, NO_DEFAULT, '"shop:"',
     "What this store's keys begin with in Redis; unless said, the store's name and a colon.")
_key("store", "max_size", KeyValueStore, v.FILE_SIZE, "1GiB", "64MiB", "How large the SQLite file may grow.")

_key("database", "path", None, v.HOST_PATH, NO_DEFAULT, "./shop.db",
     "The file; this key alone may be written as a text.")
_key("database", "max_size", Database, v.FILE_SIZE, "1GiB", "64MiB", "How large the file may grow.")

_key("variable", "value", Variable, v.TEXT, NO_DEFAULT, "hello", "The value; this key alone may be written as a text.")
_key("variable", "file", Variable, v.HOST_PATH, NO_DEFAULT, "/run/secrets/token",
     "The file that holds the value, read when the guest asks for it; a newline at its end is left out.")

_key("engine", "instances", EngineSettings, integer(1, 1000), 64, "32",
     "Guests that can exist at a time in one process.")
_key("engine", "features", EngineSettings,
     ListOf(item=Choice(allowed=FEATURES), plural="features: " + ", ".join(FEATURES)), [],
     "[exceptions]", "WebAssembly features to switch on; each is more code within a hostile module's reach.")

# fmt: on
