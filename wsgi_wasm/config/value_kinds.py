"""The kinds of values that the keys of the table have, and the sections that hold the keys."""

from __future__ import annotations

from wsgi_wasm.config import module_names, processes, proxies, scalars, server_names
from wsgi_wasm.config.allowed_hosts import parse_site_host
from wsgi_wasm.config.granted import Endpoint
from wsgi_wasm.config.kinds import Labels, ListOf, MapOf, Scalar
from wsgi_wasm.config.quantities import duration, size
from wsgi_wasm.config.section import KeyTable, SectionKind
from wsgi_wasm.interpreters import NAMES

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
    "harden": "harden",
    "log": "log",
    "trusted_proxies": "trusted_proxies",
    "store": "a store of key_value",
    "database": "a database of sqlite",
    "variable": "an entry of variables",
    "command": "a command",
    "mail": "mail",
}


TABLE = KeyTable(titles=TITLES)


def _section(name: str, noun: str, required: str = "", short: str = "", one_of: tuple[str, ...] = ()) -> SectionKind:
    """A section of the table. Its keys are looked up there, so it may be made before them."""
    made = SectionKind(name=name, noun=noun, table=TABLE, required=required, short=short, one_of=one_of)
    TABLE.sections[name] = made
    return made


def _with_head(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Who allows GET allows HEAD (RFC 9110 9.3.2)."""
    if "GET" not in methods or "HEAD" in methods:
        return methods
    after = methods.index("GET") + 1
    return (*methods[:after], "HEAD", *methods[after:])


FLAG = Scalar(noun="true or false", parse=scalars.flag, pattern="true|false", types=("boolean", "string"))
ISOLATION = Scalar(
    noun="true, false or a name", parse=processes.isolation, pattern=scalars.LABEL, types=("boolean", "string")
)
USER = Scalar(noun="a user's name or null", parse=processes.user, pattern=processes.USER, nullable=True)
TEXT = Scalar(noun="a text", parse=scalars.plain_text, types=("string", "number", "boolean"))
HOST_PATH = Scalar(noun="a path", parse=scalars.host_path, pattern=scalars.HOST_PATH, is_path=True)
STATE_PATH = Scalar(
    noun="a path or null", parse=scalars.host_path, pattern=scalars.HOST_PATH, is_path=True, nullable=True
)
ROUTE_PATH = Scalar(noun="a route's path", parse=scalars.route_path, pattern=scalars.ROUTE_PATH)
GUEST_PATH = Scalar(noun="a guest path", parse=scalars.clean_path, pattern=scalars.CLEAN_PATH)
DOCUMENT_ROOT = Scalar(noun="a guest path or null", parse=scalars.clean_path, pattern=scalars.CLEAN_PATH, nullable=True)
HOST_NAME = Scalar(noun="a host name", parse=scalars.host_name, pattern=scalars.HOST)
SCRIPTS = Scalar(noun="a suffix or a name in '#!' lines", parse=scalars.scripts, pattern=scalars.SCRIPTS)
FILE_NAME = Scalar(noun="a file name", parse=scalars.file_name, pattern=scalars.FILE_NAME)
METHOD = Scalar(noun="a request method", parse=scalars.method, pattern=scalars.METHOD)
VARIABLE = Scalar(noun="a variable name", parse=scalars.variable, pattern=scalars.NAME)
PATTERN = Scalar(noun="a variable name or pattern", parse=scalars.variable_pattern, pattern=scalars.NAME_PATTERN)
HEADER = Scalar(noun="a request header", parse=scalars.request_header, pattern=scalars.TOKEN)
FIELD_VALUE = Scalar(noun="a field value", parse=scalars.field_value, pattern=scalars.FIELD_VALUE)
FIELD = Scalar(noun="a response field", parse=scalars.response_field, pattern=scalars.TOKEN)
SCRIPT_ARG = Scalar(noun="a text", parse=scalars.script_argument, types=("string", "number", "boolean"))

IMPORTED = Scalar(noun="a module's name", parse=module_names.imported, pattern=module_names.IMPORTED)

METHODS = ListOf(item=METHOD, plural="request methods", at_least=1, nullable=True, completed=_with_head)
ENTRY_POINT = Scalar(noun="an exported function's name or null", parse=scalars.plain_text, nullable=True)
ARGV = Scalar(noun="a text or null", parse=scalars.plain_text, nullable=True)
PROFILE = Scalar(noun="a text or null", parse=scalars.plain_text, nullable=True)
LABEL = Scalar(noun="a label", parse=scalars.label, pattern=scalars.LABEL)
DATABASE_LABEL = Scalar(  # a name, or the path that a program has for the file
    noun="a label or a path",
    parse=lambda text: scalars.clean_path(text) if text.startswith("/") else scalars.label(text),
    pattern=f"(?:{scalars.LABEL}|{scalars.CLEAN_PATH})",
)
REDIS_URL = Scalar(noun="a Redis URL", parse=server_names.redis_url, pattern=server_names.REDIS_URL)
GUEST_VARIABLE = Scalar(noun="a name", parse=scalars.guest_variable, pattern=scalars.VARIABLE)

ALLOWED_HOST = Scalar(noun="an allowed host", parse=parse_site_host, pattern=r"[^:]+://.+")

ENV = MapOf(key=VARIABLE, value=TEXT, plural="variables")
DIRS = MapOf(key=GUEST_PATH, value=_section("dir", "a path or a mapping", "path", short="path"), plural="guest paths")
ROUTES = MapOf(
    key=ROUTE_PATH,
    value=_section("route", "a mapping of route keys"),
    plural="route paths",
    inner=lambda: TABLE.at("route"),
)
INTERPRETERS = MapOf(
    key=SCRIPTS,
    value=_section("interpreter", f"a module's path, {', '.join(NAMES)} or a mapping", "module", short="module"),
    plural="suffixes or names in '#!' lines",
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
DATABASE_LABELS = Labels(item=DATABASE_LABEL, plural="databases")
STORES_BY_NAME = MapOf(key=LABEL, value=_section("store", "a mapping", one_of=("path", "redis")), plural="stores")
DATABASES_BY_NAME = MapOf(
    key=LABEL, value=_section("database", "a path or a mapping", "path", short="path"), plural="databases"
)
VARIABLES = MapOf(
    key=GUEST_VARIABLE,
    value=_section("variable", "a text or a mapping", short="value", one_of=("value", "file")),
    plural="variables",
)
COMMANDS = MapOf(key=LABEL, value=_section("command", "a path or a mapping", "path", short="path"), plural="commands")
MAIL = _section("mail", "a mapping", "server")
MAIL_SERVER = Scalar(noun="an SMTP URL or a path", parse=server_names.mail_server, pattern=server_names.MAIL_SERVER)
ADDRESSES = ListOf(
    item=Scalar(noun="an address or pattern", parse=server_names.address_pattern, pattern=server_names.ADDRESS_PATTERN),
    plural="addresses",
    at_least=1,
)
LIFETIME = duration("1ms", "24h")
FILE_SIZE = size("64KiB", "1TiB")


def endpoints(port: int) -> ListOf:
    """Servers, each with this port where none is written."""

    def parse(text: str) -> Endpoint:
        host, written = server_names.endpoint(text, port)
        return Endpoint(host=host, port=written)

    return ListOf(item=Scalar(noun="a server", parse=parse, pattern=server_names.ENDPOINT), plural="servers")


HOSTS = MapOf(key=HOST_NAME, value=_section("host", "a mapping", "routes"), plural="host names")
SITE = _section("site", "a mapping of the file's keys")
DEFAULTS = _section("defaults", "a mapping of route keys")
HANDLER = _section("handler", "a mapping of route keys")
SPIN = _section("spin", "a manifest's path or a mapping", "manifest", short="manifest")
ENGINE = _section("engine", "a mapping")
HARDEN = _section("harden", "true, false or a mapping", short="enabled")
LOG = _section("log", "a level or a mapping", short="level")
PEERS = ListOf(
    item=Scalar(noun="an address, a network or unix", parse=proxies.peer, pattern=proxies.PEER),
    plural="addresses, networks and unix",
    at_least=1,
)
TRUSTED_PROXIES = _section("trusted_proxies", "a mapping", "from")
HOST_PATHS = ListOf(item=HOST_PATH, plural="paths")
