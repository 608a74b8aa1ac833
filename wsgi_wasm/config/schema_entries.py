"""The second part of the table of keys (see `schema`): what stands in the entries of mappings, and
under `engine`."""

from __future__ import annotations

from wsgi_wasm.config import value_kinds as v
from wsgi_wasm.config.granted import Database, HostCommand, KeyValueStore, Mail, Variable
from wsgi_wasm.config.hardening import Hardening
from wsgi_wasm.config.kinds import Choice, ListOf, PathOrName
from wsgi_wasm.config.log import FORMATS, LEVELS, Log
from wsgi_wasm.config.model import FEATURES, Dir, EngineSettings, Interpreter, SpinTarget
from wsgi_wasm.config.proxies import FAMILIES, TrustedProxies
from wsgi_wasm.config.quantities import duration, integer, size
from wsgi_wasm.config.section import NO_DEFAULT
from wsgi_wasm.interpreters import NAMES, Additions

key = v.TABLE.key


def _names() -> str:
    return ", ".join(f"`{name}`" for name in NAMES)


# fmt: off

# Entries ------------------------------------------------------------------------------------------

key("dir", "path", (Dir, "host"), v.HOST_PATH, NO_DEFAULT, "./out",
     "The host directory. If this is the only key, you can write just the path. Links in it are followed when the file "
     "is read; if one is changed later, see [security](security.md#directories).")
key("dir", "writable", Dir, v.FLAG, False, "true",
     "Whether guests may change files in the directory.")

key("interpreter", "module", None, PathOrName(path=v.HOST_PATH, names=NAMES), NO_DEFAULT, "python",
     f"The interpreter's module, or the name of one that `wsgi-wasm interpreter` builds: {_names()}. Write "
     f"`./{NAMES[0]}` for a file of that name. If this is the only key, you can write just the path or name.")
key("interpreter", "args", Interpreter, ListOf(item=v.SCRIPT_ARG, plural="texts", unique=False), ["{script}"],
     '[-I, "{script}"]',
     "Arguments after the program's name. `{script}` stands for the script's guest path.")
key("interpreter", "env", Interpreter, v.ENV, {}, "{LUA_PATH: /lib/?.lua}",
     "Variables for this interpreter, in addition to the route's `env`.")
key("interpreter", "dirs", None, v.DIRS, {}, "{/lib: ./lua/lib}",
     "Host directories for this interpreter, in addition to the route's `dirs`.")

key("interpreter", "packages", (Additions, "packages"), v.STATE_PATH, None, "requirements.txt",
     "For an interpreter that `wsgi-wasm interpreter` builds: packages for its scripts, as a requirements file or a "
     "directory of installed ones. The same command installs them, see [Python](python.md#packages).")
key("interpreter", "library", (Additions, "library"), v.STATE_PATH, None, "./lib",
     "For such an interpreter: a directory of the site's own modules, which its scripts can import.")
key("interpreter", "preload", (Additions, "preload"), ListOf(item=v.IMPORTED, plural="names of modules"), [],
     "[flask, shop.pages]",
     "For such an interpreter: modules to import when it is built, so that no request has to. They are then as they "
     "were when the interpreter was built.")

key("spin", "manifest", (SpinTarget, "path"), v.HOST_PATH, NO_DEFAULT, "shop/spin.toml",
     "The application's manifest. If this is the only key, you can write just the path.")
key("spin", "variables", SpinTarget, v.SPIN_VARIABLES, {}, "{api_host: api.example}",
     "Values of the application's variables. They override `SPIN_VARIABLE_*` and the manifest's defaults.")
key("spin", "state_dir", SpinTarget, v.STATE_PATH, None, "/var/lib/shop",
     "Directory for the application's key-value stores and databases. `null` means `.spin` beside the manifest.")
key("spin", "runtime_config", SpinTarget, v.STATE_PATH, None, "shop/runtime-config.toml",
     "A runtime configuration file of Spin: stores, databases and variable providers.")
key("spin", "profile", SpinTarget, v.PROFILE, None, "debug",
     "The `[component.<id>.profile.<name>]` whose overrides are used.")

key("store", "path", None, v.HOST_PATH, NO_DEFAULT, "./sessions.db",
     "The SQLite file. Without `path` and `redis`, the store is in `state_dir`.")
key("store", "redis", KeyValueStore, v.REDIS_URL, NO_DEFAULT, "redis://cache.example:6379/0",
     "The Redis or Valkey database that holds the store, so that several machines can share it.")
key("store", "prefix", None, v.TEXT, NO_DEFAULT, '"shop:"',
     "Prefix of this store's keys in Redis. The default is the store's name and a colon.")
key("store", "max_size", KeyValueStore, v.FILE_SIZE, "1GiB", "64MiB",
     "The largest size of the SQLite file.")

key("database", "path", None, v.HOST_PATH, NO_DEFAULT, "./shop.db",
     "The file. If this is the only key, you can write just the path.")
key("database", "max_size", Database, v.FILE_SIZE, "1GiB", "64MiB",
     "The largest size of the file.")

key("variable", "value", Variable, v.TEXT, NO_DEFAULT, "hello",
     "The value. If this is the only key, you can write just the value.")
key("variable", "file", Variable, v.HOST_PATH, NO_DEFAULT, "/run/secrets/token",
     "The file that holds the value. It is read when the guest requests the value, and a newline at its end is "
     "removed.")

key("command", "path", HostCommand, v.HOST_PATH, NO_DEFAULT, "/usr/bin/git",
     "The program. If this is the only key, you can write just the path, and then it takes no arguments.")
key("command", "args", HostCommand, ListOf(item=v.TEXT, plural="patterns"), [], '[log, "--max-count=*", "[0-9a-f]*"]',
     "Which arguments it may be given: each must match one of these. `*` stands for any text, `?` for one character "
     "and `[a-z]` for one of them; a pattern that does not begin with `-` matches no option.")
key("command", "env", HostCommand, v.ENV, {}, "{HOME: /srv/git}",
     "Its environment, besides `PATH` and `LANG=C.UTF-8`. The guest's and the server's are not "
     "passed on.")
key("command", "cwd", HostCommand, v.HOST_PATH, "/", "/srv/git",
     "The host directory in which it runs.")
key("command", "timeout", HostCommand, v.LIFETIME, "10s", "2s",
     "Wall clock time. Then it is ended, with everything that it has started. It never outlives the guest.")
key("command", "memory", HostCommand, size("1MiB", "1TiB"), "256MiB", "64MiB",
     "Address space of each of its processes.")
key("command", "max_output", HostCommand, size("1KiB", "1TiB"), "10MiB", "1MiB",
     "How much it may write to standard output and error. Then it is ended.")
key("command", "concurrency", HostCommand, integer(1, 1000), 4, "1",
     "How many of it can run at the same time for this route in one process of the server. More are refused, as by a "
     "system without free processes.")

key("mail", "server", Mail, v.MAIL_SERVER, NO_DEFAULT, "smtp://mail.example:25",
     "The server that mail is handed to: `smtp://host:port`, `smtp+starttls://` (port 587) or `smtps://` (465), with "
     "`user:password@` before the host if needed; or the path of the machine's own `sendmail`.")
key("mail", "from", (Mail, "senders"), v.ADDRESSES, NO_DEFAULT, "[shop@example.org]",
     "Addresses that may send, in the envelope and in `From` and `Sender`: an address, `*@example.org` or `*`. The "
     "first that is an address is the sender of mail that names none.")
key("mail", "to", (Mail, "recipients"), v.ADDRESSES, NO_DEFAULT, '["*@example.org"]',
     "Addresses that mail may be for, in the same form.")
key("mail", "max_recipients", Mail, integer(1, 10_000), 10, "1",
     "How many recipients a message can have.")
key("mail", "max_size", Mail, size("1KiB", "32MiB"), "1MiB", "10MiB",
     "The largest message.")
key("mail", "per_minute", Mail, integer(1, 100_000), 30, "5",
     "How many messages guests of a route can send in a minute, in all processes together.")
key("mail", "spool", (Mail, "spool"), v.HOST_PATH, NO_DEFAULT, "/var/spool/wsgi-wasm",
     "The directory in which mail waits for its server. The default is `mail` in `state_dir`. Routes that share it "
     "have the same `server`.")
key("mail", "retry", Mail, duration("1s", "1h"), "1m", "5m",
     "When mail that the server has not taken is tried again; after that the time doubles each time, up to an hour.")
key("mail", "expires", Mail, duration("1s", "240h"), "48h", "24h",
     "When it is given up, and kept in the directory `failed` of the spool.")

key("harden", "enabled", Hardening, v.FLAG, True, "true",
     "Whether processes are confined. If this is the only key, you can write just `true` or `false`.")
key("harden", "read", Hardening, v.HOST_PATHS, [], "[/var/www/html]",
     "More directories and files to read: a document root of Apache's in which programs lie, or what an application "
     "that the gateway wraps needs.")
key("harden", "write", Hardening, v.HOST_PATHS, [], "[/srv/uploads]",
     "More directories to write to, for a wrapped application.")

key("log", "level", Log, Choice(allowed=LEVELS), NO_DEFAULT, "warning",
     "The lowest level that is logged. If this is the only key, you can write just the level. The default is `info`; "
     "under gunicorn it is gunicorn's `loglevel`. Under Apache its own `LogLevel` applies, too.")
key("log", "format", Log, Choice(allowed=FORMATS), "text", "json",
     "`text`, or `json` for one JSON object a line.")

key("trusted_proxies", "from", (TrustedProxies, "peers"), v.PEERS, NO_DEFAULT, "[10.0.0.0/8, unix]",
     "Addresses and networks of the proxies, and `unix` for whoever may connect to a Unix socket.")
key("trusted_proxies", "header", TrustedProxies, Choice(allowed=FAMILIES), "x-forwarded", "forwarded",
     "The fields in which they say it: `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`, or `Forwarded` "
     "(RFC 7239).")

key("engine", "instances", EngineSettings, integer(1, 1000), 64, "32",
     "How many guests can exist at the same time in one process.")
key("engine", "memory", EngineSettings, size("64KiB", "1TiB", nullable=True), None, "2GiB",
     "Memory that all guests of one process may use together. Each running guest counts with its `memory`, or with the "
     "maximum that its module declares. A request for which there is no room waits for `queue_timeout`, then gets 503. "
     "`null` means no limit. Each process of isolated guests (`isolate`) has as much for itself.")
key("engine", "compile_time", EngineSettings, duration("1s", "1h"), "60s", "30s",
     "CPU time, over all threads, in which a module must be compiled if a request needs it or `serve` starts. Limits "
     "the wall clock time to five times as much. `wsgi-wasm compile` has a limit of its own, 30 min.")
key("engine", "compile_memory", EngineSettings, size("64MiB", "64GiB"), "1GiB", "512MiB",
     "Resident memory that this may take.")
key("engine", "processes", EngineSettings, integer(1, 10_000), 128, "32",
     "How many processes for isolated guests (`isolate`) there can be at the same time, for the whole server. "
     "Beyond that, one in which nothing runs is ended, or the request gets 503.")
key("engine", "features", EngineSettings,
     ListOf(item=Choice(allowed=FEATURES), plural="features: " + ", ".join(FEATURES)), ["exceptions_if_used"],
     "[exceptions]",
     "WebAssembly features to enable. Each one exposes more of the engine's code to hostile modules. With "
     "`exceptions_if_used`, programs (not components) that need `exceptions` run in an engine of their own that has "
     "it: C with `setjmp`, C++. Write `[]` where strangers put modules.")

# fmt: on
