"""The reference page: one table per section, made from the table of keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wsgi_wasm.config.schema import GROUPS, HOST, INTERPRETER_EXAMPLE, RUNS, STORES, TABLE
from wsgi_wasm.config.section import NO_DEFAULT, Key

INTRODUCTION = """\
# Configuration

One YAML file says which WebAssembly modules answer which paths, what they may access, and which limits apply.
`wsgi-wasm check site.yaml` reads the file, reports all mistakes at once and prints the routes. The loader is strict and
never guesses: an unknown key, a missing unit or an ambiguous value is an error that names the file, line and column.

    site.yaml:7:5: routes./shop: unknown key 'modul'; did you mean 'module'?

```yaml
# yaml-language-server: $schema=site.schema.json
defaults:
  timeout: 10s
routes:
  /hello:
    module: hello.wasm
  /cgi-bin:
    directory: cgi-bin
    interpreters: INTERPRETER_EXAMPLE
```

`conf/site.yaml` shows every key with its default. With `conf/site.schema.json`, editors can complete and check keys.
This page and the schema are generated from the table that the loader uses: `python -m wsgi_wasm.config --reference` and
`--schema` print them.

## How values are written

| kind | examples | rules |
|---|---|---|
| duration | `500ms` `1.5s` `2m` `1h` | the unit is required |
| size | `512B` `64KiB` `10MiB` `1GiB` `10MB` | `KiB`, `MiB`, `GiB` count in 1024s, `kB`, `MB`, `GB` in 1000s |
| whole number | `8` | only decimal digits, no leading zero |
| true or false | `true` `false` | not `yes`, `on` or `1` |
| text | `UTC` `no` `0777` `"a: b"` | kept as written, even if YAML would read a number or a date |
| path | `shop.wasm` `/srv/site/data` | relative paths start at the file's directory; `~` is not expanded |
| guest path | `/data` | the path that a guest sees: absolute, without `..` and without a trailing slash |
| `null` | `null` | only where a table on this page says so; an empty value is an error |

`${NAME}` in a value is replaced by the server's environment variable of that name, which must be set. Write `$${` for a
literal `${`. Keys are never expanded, and the value of a variable is never parsed as YAML. Inside `[ ]` and `{ }`,
quote such values: `{KEY: "${KEY}"}`. Anchors and aliases work. Merge keys (`<<`), tags and several documents do not.
"""

ROUTES = """\
A key of `routes` is a decoded path (`/a b`, not `/a%20b`). It starts with a slash and does not end with one. `/shop`
answers `/shop` and everything below it, but never `/shopping`. Every route has exactly one of `module`, `directory` and
`spin`; only a `selectable` route may have none.

All keys except `module`, `directory`, `spin`, `exact` and `selectable` are also allowed in `defaults`. The same keys,
except `index` and `interpreters`, are allowed in `handler`. A key of a route replaces the whole value of the default;
only `env` is merged name by name.
"""

HOSTS = """\
A key of `hosts` is a name such as `shop.example` (in any case), or `*.example` for every name below `example`. Do not
write ports. Write non-ASCII names as clients send them, `xn--...`.
"""

DIRS = """\
Each entry of `dirs` maps a guest path to a host directory. Write a path, or a mapping with these keys. Two directories
of one guest must not overlap on the host with different rights. A writable directory must not give access to modules,
script directories, this file, `cache_dir` or `state_dir`. In a `directory` route, the guest path `/` is already in use
for the directory itself.
"""

INTERPRETERS = """\
Each entry of `interpreters` maps a suffix to the module that runs such scripts. Write a path, or a mapping with these
keys.
"""

SPIN = """\
Write a Spin application as the path of its manifest, or as a mapping with these keys. [Spin](spin.md) says which
applications run here. The route's limits and `dirs` apply to each component, and the route's `env` is added to its
environment.
"""

STORE = """\
Each entry of `key_value` maps a name to a mapping with these keys. A store has `path`, `redis` or neither. Stores with
neither (`{}`) share one file in `state_dir`.
"""

DATABASE = """\
Each entry of `sqlite` maps a name to the database's file. Write a path, or a mapping with these keys.
"""

VARIABLE = """\
Each entry of `variables` maps a name to its value. Write a text, or a mapping with one of these keys.
"""

COMMAND = """\
Each entry of `commands` maps a name to a program. Write its path, or a mapping with these keys.
"""

MAIL = """\
A mapping with these keys, of which `server`, `from` and `to` are needed. [Mail](mail.md) says what is checked.
"""

HARDEN = """\
Write `true`, or a mapping with these keys. [Security](security.md#walls-around-the-server) says what is confined.
"""

LOG = """\
Write a level, or a mapping with these keys. `WSGI_WASM_LOG` in the server's environment overrides both, with the same
words: `warning`, `json`, or `warning json`. [Operations](operations.md#logs) says where the log is.
"""

TRUSTED_PROXIES = """\
A front server is the client of this one, and names its own client in header fields, which anybody can send. They are
believed where the peer is one of `from`, and only those of one family, `header`; see
[gunicorn](gunicorn.md#behind-a-front-server).
"""

# Needs a `directory`, or excludes what the other lines of its example have.
_NOT_IN_EXAMPLE = frozenset({"module", "entry_point", "spin", "exact", "selectable"})


def reference() -> str:
    """The page, as Markdown."""
    introduction = INTRODUCTION.replace("INTERPRETER_EXAMPLE", INTERPRETER_EXAMPLE)
    parts = [introduction, _part("## The file", "", _at("site"), "")]
    parts.append("## Routes\n\n" + ROUTES)
    for group in GROUPS:
        keys = [key for key in _at("route") if key.group == group]
        parts.append(_part(f"### {group}", "", keys, _route_example(group, keys)))
    parts.append(_part("## Entries of `dirs`", DIRS, _at("dir"), _nested("dirs:", "/out:", _at("dir"))))
    interpreter = _at("interpreter")
    example = _nested("interpreters:", ".py:", interpreter)
    parts.append(_part("## Entries of `interpreters`", INTERPRETERS, interpreter, example))
    parts.append(_part("## Entries of `spin`", SPIN, _at("spin"), _nested("/shop:", "spin:", _at("spin"))))
    host = _at("host")
    parts.append(_part("## Hosts", HOSTS, host, _nested("hosts:", '"*.example":', host)))
    store = [key for key in _at("store") if key.name != "path"]
    parts.append(
        _part("## Stores in `key_value`", STORE, _at("store"), _state(_nested("key_value:", "sessions:", store)))
    )
    database = _at("database")
    parts.append(_part("## Databases in `sqlite`", DATABASE, database, _state(_nested("sqlite:", "shop:", database))))
    parts.append(_part("## Entries of `variables`", VARIABLE, _at("variable"), ""))
    command = _at("command")
    parts.append(_part("## Entries of `commands`", COMMAND, command, _nested("commands:", "git:", command)))
    mail = _at("mail")
    parts.append(_part("## Mail", MAIL, mail, _nested("mail:", "", mail)))
    parts.append(_part("## Engine", "", _at("engine"), _nested("engine:", "", _at("engine"))))
    parts.append(_part("## Harden", HARDEN, _at("harden"), _nested("harden:", "", _at("harden"))))
    proxies = _at("trusted_proxies")
    parts.append(_part("## Trusted proxies", TRUSTED_PROXIES, proxies, _nested("trusted_proxies:", "", proxies)))
    parts.append(_part("## Log", LOG, _at("log"), _nested("log:", "", _at("log"))))
    return "\n".join(parts)


def default_text(default: Any) -> str:
    """A default as it would be written in a file."""
    match default:
        case None:
            return "null"
        case bool():
            return str(default).lower()
        case list():
            return "[" + ", ".join(f'"{item}"' if "{" in item else item for item in default) + "]"
        case dict():
            return "{}"
        case _:
            return str(default)


def _at(section: str) -> list[Key]:
    return list(TABLE.at(section).values())


def _part(title: str, text: str, keys: Iterable[Key], example: str) -> str:
    lines = [title, ""]
    if text:
        lines += [text]
    lines += ["| key | kind | default | meaning |", "|---|---|---|---|"]
    lines += [f"| `{key.name}` | {_kind(key)} | {_default(key)} | {key.doc} |" for key in keys]
    if example:
        lines += ["", "```yaml", example, "```"]
    return "\n".join(lines) + "\n"


def _kind(key: Key) -> str:
    noun = key.kind.noun
    article, _, rest = noun.partition(" ")
    return rest if article in ("a", "an") else noun


def _default(key: Key) -> str:
    return "" if key.default is NO_DEFAULT else f"`{default_text(key.default)}`"


def _route_example(group: str, keys: list[Key]) -> str:
    lines = ["/cgi-bin:"] if group == RUNS else ["/shop:", "  module: shop.wasm"]
    lines += [f"  {key.name}: {key.example}" for key in keys if key.name not in _NOT_IN_EXAMPLE]
    if group in (STORES, HOST):
        # What a route grants is defined at the top of the file.
        around = ["state_dir: ./state"] + [
            f"{name}: {TABLE.at('site')[name].example}" for name in ("key_value", "sqlite")
        ]
        lines = [*around, "routes:", *(f"  {line}" for line in lines)]
    return "\n".join(lines)


def _state(example: str) -> str:
    return f"state_dir: ./state\n{example}"


def _nested(outer: str, inner: str, keys: list[Key]) -> str:
    lines = [outer, *([f"  {inner}"] if inner else [])]
    indent = "    " if inner else "  "
    return "\n".join([*lines, *(f"{indent}{key.name}: {key.example}" for key in keys)])
