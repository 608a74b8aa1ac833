"""The reference page: one table per section, made from the table of keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wsgi_wasm.config.schema import GROUPS, INTERPRETER_EXAMPLE, RUNS, STORES, TABLE
from wsgi_wasm.config.section import NO_DEFAULT, Key
from wsgi_wasm.interpreters import NAMES, SUFFIXES

INTRODUCTION = """\
# Configuration

One YAML file says which paths are answered by which WebAssembly modules, with what rights and within what limits.
`wsgi-wasm check site.yaml` reads it, reports every mistake at once and prints the routes. The file is strict: an
unknown key, a missing unit or a doubtful value is an error with its place, never a guess.

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

`conf/site.yaml` shows every key with its default, and `conf/site.schema.json` lets editors complete and check keys.
This page and the schema are made from the same table as the loader: `python -m wsgi_wasm.config --reference` and
`--schema` print them.

## How values are written

| kind | written | |
|---|---|---|
| duration | `500ms` `1.5s` `2m` `1h` | the unit is required |
| size | `512B` `64KiB` `10MiB` `1GiB` `10MB` | `KiB`, `MiB`, `GiB` count in 1024, `kB`, `MB`, `GB` in 1000 |
| whole number | `8` | decimal digits alone, no leading zero |
| true or false | `true` `false` | not `yes`, `on` or `1` |
| text | `UTC` `no` `0777` `"a: b"` | kept as written, also where YAML would see a number or a date |
| path | `shop.wasm` `/srv/site/data` | relative paths start at the file's directory; `~` is not expanded |
| guest path | `/data` | what a guest sees: absolute, no `..`, no slash at the end |
| `null` | `null` | only where the table says so; an empty value is an error |

`${NAME}` in a value is replaced by the server's environment variable of that name, which must be set; write `$${` for a
plain `${`. Keys are never expanded, and what a variable holds is never read as YAML. Inside `[ ]` and `{ }` quote such
values: `{KEY: "${KEY}"}`. Anchors and aliases work; merge keys (`<<`), tags and several documents do not.
"""

ROUTES = """\
A key of `routes` is a path: decoded (`/a b`, not `/a%20b`), starting with a slash and not ending in one. `/shop`
answers `/shop` and everything below, never `/shopping`. Every route has exactly one of `module`, `directory` and
`spin`; only a `selectable` one may have none.

All keys but `module`, `directory`, `spin`, `exact` and `selectable` may also stand in `defaults`, and these but `index`
and `interpreters` in `handler`. A route's key replaces the default's whole value; `env` alone is merged name by name.
"""

HOSTS = """\
A key of `hosts` is a name such as `shop.example` (case does not count), or `*.example` for every name below `example`.
Ports are left out; names outside ASCII are written as clients send them, `xn--...`.
"""

DIRS = """\
A guest path in `dirs` leads to a host directory: a path, or a mapping with these keys. Two directories of one guest may
not overlap on the host with different rights, and a writable one may not reach modules, script directories, this file,
`cache_dir` or `state_dir`. In a `directory` route the guest path `/` is taken: it is the directory itself.
"""

INTERPRETERS = """\
A suffix in `interpreters` leads to the module that runs such scripts: a path, or a mapping with these keys.
"""

SPIN = """\
A Spin application is written as the path of its manifest, or as a mapping with these keys. [Spin](spin.md) says what of
it runs here. The route's limits and `dirs` hold for each of its components, and its `env` comes to their environment.
"""

STORE = """\
A name in `key_value` leads to a mapping with these keys. A store has `path` or `redis`, or neither: `{}` is kept in
`state_dir`, as are all such stores in one file.
"""

DATABASE = """\
A name in `sqlite` leads to the database's file: a path, or a mapping with these keys.
"""

VARIABLE = """\
A name in `variables` leads to its value: a text, or a mapping with one of these keys.
"""

# Needs a `directory`, or excludes what the other lines of its example have.
_NOT_IN_EXAMPLE = frozenset({"module", "spin", "exact", "selectable"})


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
    example = _nested("interpreters:", f"{SUFFIXES[NAMES[0]]}:", interpreter)
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
    parts.append(_part("## Engine", "", _at("engine"), _nested("engine:", "", _at("engine"))))
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


def _at(place: str) -> list[Key]:
    return list(TABLE.at(place).values())


def _part(title: str, text: str, keys: Iterable[Key], example: str) -> str:
    lines = [title, ""]
    if text:
        lines += [text]
    lines += ["| key | kind | default | |", "|---|---|---|---|"]
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
    if group == STORES:
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
