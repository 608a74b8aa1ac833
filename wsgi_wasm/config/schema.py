"""The table of keys: the one source for reading a file into the model, for its JSON Schema and for
the reference page.

An entry says where a key stands, where its value goes, what it may be, its default, an example in
YAML, and in Markdown what it does. A new key is an entry here and a field of the model.
"""

from __future__ import annotations

from wsgi_wasm.config import schema_entries as _entries  # noqa: F401 - its keys are in the table, too
from wsgi_wasm.config import value_kinds as v
from wsgi_wasm.config.granted import Grants, Outbound
from wsgi_wasm.config.kinds import Choice, ListOf
from wsgi_wasm.config.model import (
    INTERFACES,
    LOCAL_KEYS,
    PROGRAMS,
    Config,
    DirectoryTarget,
    Limits,
    ModuleTarget,
    Route,
)
from wsgi_wasm.config.quantities import duration, integer, size
from wsgi_wasm.config.section import NO_DEFAULT, DefaultWhere
from wsgi_wasm.interpreters import NAMES, SUFFIXES

TABLE = v.TABLE
key = TABLE.key
SITE = v.SITE

INTERPRETER_EXAMPLE = f"{{{SUFFIXES[NAMES[0]]}: {NAMES[0]}}}"

# What answers a route: exactly one of them.
TARGETS = ("module", "directory", "spin")

# Groups of route keys, in the order of the reference page.
RUNS, APART, TOLD, FILES, STORES, HOST, ANSWERS, LIMITS = GROUPS = (
    "What runs",
    "Processes of their own",
    "Arguments, variables and headers",
    "Directories",
    "Stores, variables and servers",
    "Programs of the host",
    "Bodies, answers and redirects",
    "Limits",
)


ANY_ROUTE = "route defaults handler"

# One entry a paragraph: places, name, destination, kind, default; example; documentation.
# fmt: off

# The file -----------------------------------------------------------------------------------------

key("site", "routes", None, v.ROUTES, {}, "{/hello: {module: hello.wasm}}",
     "Paths and what answers them. The longest matching path wins, whatever the order in the file.")
key("site host", "defaults", None, v.DEFAULTS, {}, "{timeout: 10s}",
     "Route keys for every route that does not set them itself. Those of a host override those of the file.")
key("site", "hosts", None, v.HOSTS, {}, "{shop.example: {routes: {/: {module: shop.wasm}}}}",
     "Virtual hosts with their own routes, by exact name or as `*.example` for every name below. A host that is "
     "listed does not fall back to the routes of the file.")
key("host", "routes", None, v.ROUTES, NO_DEFAULT, "{/: {module: shop.wasm}}",
     "The routes of this host.")
key("site", "handler", None, v.HANDLER, {}, "{timeout: 5s}",
     "Route keys for scripts that Apache itself selects with `AddHandler` or `SetHandler`.")
key("site", "engine", None, v.ENGINE, {}, "{instances: 32}",
     "Settings of the WebAssembly engine, for all routes.")
key("site", "harden", None, v.HARDEN, False, "true",
     "Whether the server's own processes keep only the files, system calls and rights that this file needs, see "
     "[security](security.md#walls-around-the-server). A restart is needed to change it.")
key("site", "log", None, v.LOG, {}, "{level: warning, format: json}",
     "What the server's log has of this package, and in which form, see [operations](operations.md#logs). "
     "`WSGI_WASM_LOG` overrides it.")
key("site", "trusted_proxies", None, v.TRUSTED_PROXIES, NO_DEFAULT, "{from: [127.0.0.1, unix]}",
     "Front servers that are believed for whom they ask. Without it, a guest's client is whoever connects. Under "
     "Apache, mod_remoteip does this, and the key has no effect.")
key("site", "key_value", None, v.STORES_BY_NAME, {}, "{sessions: {redis: \"redis://cache.example/0\"}}",
     "Key-value stores that routes can grant. You need not define `default`, which is stored in `state_dir`.")
key("site", "sqlite", None, v.DATABASES_BY_NAME, {}, "{shop: ./shop.db}",
     "SQLite databases that routes can grant. You need not define `default`, which is stored in `state_dir`.")
key("site", "compose", None, v.COMPOSITIONS, {}, "{app.wasm: {greeter: greeter.wasm}}",
     "Components to plug into the imports of other components, by the importing file and by the import. An "
     "import is an interface, a package, or the interface's name alone if only one import has it; add `=` and "
     "the export's name if that differs. A route that names `app.wasm` runs the composition.")
key("site", "cache_dir", Config, v.STATE_PATH, None, "/var/cache/wsgi-wasm",
     "Directory for compiled modules. `WSGI_WASM_CACHE` overrides it. `null` means `$XDG_CACHE_HOME/wsgi-wasm`, "
     "else `~/.cache/wsgi-wasm`, else `/var/cache/wsgi-wasm`.")
key("site", "state_dir", Config, v.STATE_PATH, None, "/var/lib/wsgi-wasm",
     "Directory for guests' stores and databases that have no file of their own. It is created when it is first "
     "needed.")
key("site", "reload", Config, v.FLAG, False, "true",
     "Whether a running server reloads this file when it changes. Changed modules are always reloaded.")

# Routes -------------------------------------------------------------------------------------------

key("route", "module", (ModuleTarget, "path"), v.HOST_PATH, NO_DEFAULT, "shop.wasm",
     "The `.wasm` or `.wat` file to run. If it is missing, only this route is disabled.", RUNS)
key("route", "entry_point", ModuleTarget, v.ENTRY_POINT, None, "handle",
     "For `module` routes: the exported function to call, which takes and returns nothing. `null` means what "
     "Wasmtime runs: the export without a name, else `_start`, else `_initialize` or the start section alone. For "
     "programs.", RUNS, only_with="module")
key("route", "directory", (DirectoryTarget, "path"), v.HOST_PATH, NO_DEFAULT, "cgi-bin",
     "A directory of scripts. The first segment of the path that is a file names the script to run. "
     "Interpreters see the directory as `/`, read-only.", RUNS)
key("route", "spin", None, v.SPIN, NO_DEFAULT, "shop/spin.toml",
     "A Spin application. The components of this `spin.toml` answer the paths that its triggers name, below the "
     "route.",
     RUNS)
key("route defaults", "index", DirectoryTarget, ListOf(item=v.FILE_NAME, plural="file names"), ["index.wasm"],
     "[index.wasm, index.py]",
     "For `directory` routes: files to look for, in order, if the path names a directory.", RUNS,
     only_with="directory")
key("route defaults", "interpreters", None, v.INTERPRETERS, {}, INTERPRETER_EXAMPLE,
     "For `directory` routes: modules that run scripts, by the script's suffix in any case, or by the name in its "
     "`#!` line if `programs` has `shebang`. Directories, `env` and versions in that line do not count: `python3` "
     "is also for `#!/usr/bin/env python3.11`.", RUNS, only_with="directory")
key(ANY_ROUTE, "programs", Route,
     ListOf(item=Choice(allowed=PROGRAMS), plural="ways to tell programs: " + ", ".join(PROGRAMS), at_least=1),
     ["suffix"], "[suffix, magic]",
     "What makes a file of a directory a program, tried in this order: its `suffix` (`.wasm`, `.wat` and those of "
     "`interpreters`), its first bytes (`magic`, those of a WebAssembly module or component, whatever the name), or "
     "its `#!` line (`shebang`, which `interpreters` must have). Other files get 404. Also for programs that Apache "
     "selects, but without `shebang`. See [directory routes](cgi.md#directory-routes).", RUNS,
     only_with="directory selectable")
key(ANY_ROUTE, "executable", Route, v.FLAG, False, "true",
     "Whether a program must also have the execute bit (`chmod +x`). Other files get 404.", RUNS,
     only_with="directory selectable")
key(ANY_ROUTE, "local", Route, ListOf(item=Choice(allowed=LOCAL_KEYS), plural="route keys"), [],
     "[args, env, timeout]",
     "Keys that a file `wsgi_wasm.yaml` beside programs may set, for programs of a `directory` and for those that "
     f"Apache selects: {', '.join(f'`{name}`' for name in LOCAL_KEYS)}. It narrows what this file says, and never "
     "widens it, see [what a site's author may set](cgi.md#what-a-sites-author-may-set).", RUNS,
     only_with="directory selectable")
key(ANY_ROUTE, "interface", Route, Choice(allowed=INTERFACES), "auto", "cgi",
     "The guest's interface. `auto` looks at the module and chooses `cgi` or `http`. `wws` is the JSON of Wasm "
     "Workers Server. With `raw`, everything that the guest prints is the body.", RUNS, in_manifest=True)
key(ANY_ROUTE, "methods", Route, v.METHODS, None, "[GET, POST]",
     "Allowed request methods; others get 405. GET includes HEAD. null allows every method.", RUNS)
key("route", "exact", Route, v.FLAG, False, "true",
     "Whether only the path itself matches, and nothing below it.", RUNS,
     in_manifest=True)
key("route", "native", Route, v.FLAG, False, "true",
     "Whether requests that the route has no program for go on to the application that the gateway wraps, or, with "
     "[`wsgi-wasm apache enable SITE`](apache.md#one-program-at-a-time), stay Apache's. In a `directory` route these "
     "are the requests whose path names no program, in a `module` route all, as long as there is no such file.", RUNS,
     in_manifest=True)
key("route", "selectable", Route, v.FLAG, False, "true",
     "Whether Apache may choose this route for one of its scripts, with `SetEnv wsgi_wasm.route` and the "
     "route's path (for a route of `hosts` with the host before it, `shop.example/cart`). Such a route needs no "
     "module.", RUNS, in_manifest=True)

key(ANY_ROUTE, "isolate", Route, v.ISOLATION, False, "shop",
     "Whether guests run in a process of their own, which cannot reach more than they may: `true` for one of this "
     "route alone, or a name that several routes share. For `handler`, `true` means one for each owner of a file. "
     "`concurrency` then counts for the whole server. See [security](security.md#a-process-of-their-own).", APART)
key(ANY_ROUTE, "user", Route, v.USER, None, "www-shop",
     "The user that this process runs as. Only where the server's master process is root's; needs `isolate`.", APART)

key(ANY_ROUTE, "args", Route, ListOf(item=v.TEXT, plural="texts", unique=False), [], "[--fast]",
     "Arguments after the program's name.", TOLD, in_manifest=True)
key("route", "argv", ModuleTarget, v.ARGV, None, '"$${SCRIPT_NAME} --verbose $${ARGS}"',
     "For `module` routes: all arguments, the program's name among them, as WAGI and Spin write them. The text is "
     "split at spaces; `${SCRIPT_NAME}` is the path as the client sent it, `${ARGS}` the query with spaces for `&`. "
     "It replaces `args` and `query_args`. Clients can set options of the program with `${ARGS}`.", TOLD,
     only_with="module")
key(ANY_ROUTE, "env", Route, v.ENV, {}, "{TZ: UTC}",
     "Variables for the guest. Those of `defaults` and of the route are merged by name. Names that the request "
     "sets (`HTTP_*`, `SCRIPT_NAME`, ...) are not allowed, unless `interface` is `http` or `raw`.",
     TOLD, by_name=True)
key(ANY_ROUTE, "pass_env", Route, ListOf(item=v.PATTERN, plural="variable names or patterns"), [],
     '["SSL_*", UNIQUE_ID]',
     "Variables of the front server (`SetEnv`, `SSL_*`) to pass on; `*` and `?` match as in file names. The "
     "environment of the server process is never passed on.", TOLD)
key(ANY_ROUTE, "pass_headers", Route, ListOf(item=v.HEADER, plural="request headers", fold=True), [],
     "[Proxy-Authorization]",
     "Request headers to pass on that are withheld by default.", TOLD)
key(ANY_ROUTE, "pass_authorization", Route, v.FLAG, False, "true",
     "Whether the guest receives the client's `Authorization` header.", TOLD)
key(ANY_ROUTE, "query_args", Route, v.FLAG, False, "true",
     "Whether a query without `=` becomes arguments, as in RFC 3875 4.4.", TOLD, in_manifest=True)

key(ANY_ROUTE, "dirs", None, v.DIRS, {}, "{/data: ./data, /out: {path: ./out, writable: true}}",
     "Host directories that the guest sees, by guest path. They are read-only by default.", FILES)
key(ANY_ROUTE, "document_root", Route, v.DOCUMENT_ROOT, None, "/data",
     "The guest path to which request paths are translated (`DOCUMENT_ROOT`, `PATH_TRANSLATED`), at or below "
     "one of `dirs`. `null` means `/` in a `directory` route, and no translation elsewhere.", FILES, in_manifest=True)

key(ANY_ROUTE, "key_value", None, v.STORE_LABELS, [], "[default, sessions]",
     "Key-value stores that the guest may open, by the labels that it uses: a list of stores from the file's "
     "`key_value`, or a mapping from labels to them. For components, and for workers (`interface: wws`), which "
     "use them as namespaces.",
     STORES, in_manifest=True)
key(ANY_ROUTE, "sqlite", None, v.DATABASE_LABELS, [], "{default: shop}",
     "SQLite databases that the guest may open, by the labels that it uses: a list of databases from the file's "
     "`sqlite`, or a mapping from labels to them. A label can be the path by which a script opens the file.",
     STORES, in_manifest=True)
key(ANY_ROUTE, "variables", None, v.VARIABLES, {}, "{greeting: hello, token: {file: /run/secrets/token}}",
     "Values that the guest can request by name. For components.", STORES, in_manifest=True)
key(ANY_ROUTE, "redis", Grants, v.endpoints(6379), [], "[cache.example]",
     "Redis servers that the guest may connect to, as `host` or `host:port`. The default port is 6379. For "
     "components.", STORES, in_manifest=True)
key(ANY_ROUTE, "postgres", Grants, v.endpoints(5432), [], "[db.example]",
     "PostgreSQL servers that the guest may connect to, as `host` or `host:port`. The default port is "
     "5432.", STORES, in_manifest=True)
key(ANY_ROUTE, "mysql", Grants, v.endpoints(3306), [], "[db.example]",
     "MySQL and MariaDB servers that the guest may connect to, as `host` or `host:port`. The default port is "
     "3306.", STORES, in_manifest=True)

key(ANY_ROUTE, "allowed_outbound_hosts", (Outbound, "hosts"), ListOf(item=v.ALLOWED_HOST, plural="hosts"), [],
     '["https://*.example", "http://10.1.0.0/16:8080"]',
     "Where the guest may send HTTP requests, as `scheme://host:port` in Spin's syntax. A name that resolves to "
     "a private or local address is refused unless an entry names that address or its network. For components.", STORES,
     in_manifest=True)
key(ANY_ROUTE, "outbound_timeout", (Outbound, "timeout"), v.LIFETIME, "30s", "5s",
     "The longest time for such a request and its answer. It never outlives the guest.", STORES)
key(ANY_ROUTE, "max_outbound", (Outbound, "max_bytes"), size("1KiB", "1TiB"), "100MiB", "10MiB",
     "The largest body of such a request, and of its answer. If a body is larger, the connection is cut.", STORES)
key(ANY_ROUTE, "outbound_concurrency", (Outbound, "concurrency"), integer(1, 1000), 16, "4",
     "How many such requests this route can have at the same time in one process.", STORES)

key(ANY_ROUTE, "commands", None, v.COMMANDS, {}, '{git: {path: /usr/bin/git, args: [log]}}',
     "Programs of the host that the guest may start, by the name that it uses, see [commands](commands.md). There is "
     "no shell. Anything else fails as if it were not installed. For guests that use the "
     "[channel](channel.md).", HOST, in_manifest=True)

key(ANY_ROUTE, "mail", None, v.MAIL, NO_DEFAULT, '{server: "smtp://mail.example", from: [shop@b.example], to: ["*"]}',
     "Mail that the guest may send with `sendmail`, see [mail](mail.md). For guests that use the "
     "[channel](channel.md).", HOST, in_manifest=True)

key(ANY_ROUTE, "stream_request", Route, v.FLAG, False, "true",
     "Whether the guest starts before the whole request body has arrived. An incomplete body then no longer "
     "gets 400.", ANSWERS)
key(ANY_ROUTE, "response_fields", Route, ListOf(item=v.FIELD, plural="response fields"), [], "[X-Sendfile]",
     "Response fields to let through that are dropped by default because front servers obey them.", ANSWERS)
key(ANY_ROUTE, "content_type", Route, v.FIELD_VALUE, "text/html; charset=utf-8", "text/plain",
     "The type of what guests print if `interface` is `raw`. Other guests set it themselves.", ANSWERS)
key(ANY_ROUTE, "local_redirects", None, ListOf(item=v.ROUTE_PATH, plural="route paths", nullable=True), None,
     "[/shop, /cart]",
     "Routes of the same host that a `Location: /path` may lead to inside the server, bypassing its access "
     "rules. `null` means only the route itself, and for `handler` none.", ANSWERS)

key(ANY_ROUTE, "timeout", Limits, v.LIFETIME, "25s", "5s",
     "Wall clock time for one request, from the guest's first instruction to its last. Waiting for the client's "
     "body or for a slow reader does not count.", LIMITS)
key(ANY_ROUTE, "cpu", Limits, v.LIFETIME, "10s", "2s",
     "The guest's own CPU time.", LIMITS)
key(ANY_ROUTE, "memory", Limits, size("64KiB", "4GiB", whole="64KiB"), "128MiB", "64MiB",
     "Linear memory that a guest can grow to. Beyond it, its allocations fail.", LIMITS)
key(ANY_ROUTE, "max_body", Limits, size("0B", "1TiB"), "10MiB", "1MiB",
     "The largest request body. A larger one gets 413.", LIMITS)
key(ANY_ROUTE, "max_head", Limits, size("256B", "1MiB"), "64KiB", "16KiB",
     "The largest head of an answer. A larger one becomes 502.", LIMITS)
key(ANY_ROUTE, "max_output", Limits, size("1KiB", "1TiB"), "100MiB", "1GiB",
     "The largest answer. A larger one is cut off and logged, or becomes 502 if nothing has been sent yet. If "
     "`interface` is `wws`, whole answers are held in memory, and the default is `10MiB`.", LIMITS,
     default_where=DefaultWhere("interface", "wws", "10MiB"))
key(ANY_ROUTE, "max_stderr", Limits, size("0B", "16MiB"), "64KiB", "4KiB",
     "How much of a request's standard error goes to the log.", LIMITS)
key(ANY_ROUTE, "concurrency", Limits, integer(1, 10_000, nullable=True), None, "8",
     "How many guests of this route can run at the same time in one process. `null` means as many as "
     "`engine.instances`.", LIMITS)
key(ANY_ROUTE, "queue_timeout", Limits, duration("0s", "1h"), "5s", "500ms",
     "How long a request waits for a free slot. After that it gets 503 with `Retry-After`.", LIMITS)
key(ANY_ROUTE, "body_timeout", Limits, v.LIFETIME, "60s", "10s",
     "How long the client may take to send its body. After that it gets 408.", LIMITS)
key(ANY_ROUTE, "send_timeout", Limits, v.LIFETIME, "60s", "30s",
     "How long the client may leave sent data unread. After that the answer is cut off.", LIMITS)

# fmt: on
