"""A Spin application as routes of its own. `spin: spin.toml` runs it as it is; this is for those
who want to go on without the manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from wsgi_wasm.config.allowed_hosts import parse_allowed_host
from wsgi_wasm.config.scalars import route_path, variable
from wsgi_wasm.errors import ConfigError, Problem
from wsgi_wasm.importers.imported import NO_OPTIONS, Imported, Options
from wsgi_wasm.importers.report import ImportReport
from wsgi_wasm.importers.yaml_text import Value, comment, escaped, host_path, scalar, value
from wsgi_wasm.spin.globs import is_glob
from wsgi_wasm.spin.manifest import read_manifest
from wsgi_wasm.spin.model import Component, Manifest, Mount, Trigger
from wsgi_wasm.spin.patterns import PatternTable, RoutePattern, parse_pattern
from wsgi_wasm.spin.runtime_config import KEY_VALUE_FILE, SQLITE_FILE
from wsgi_wasm.spin.variables import PREFIX, expand

_HEAD = (
    "With these routes, components do not receive spin-* headers, and an exact route does not match a trailing slash.",
    "Let the front server answer static files, redirects and the like.",
)


# Keys of the site and of its routes, of a manifest's component, and Spin's file for what
# has no definition.
_STORES = (("key_value", "key_value_stores", KEY_VALUE_FILE), ("sqlite", "sqlite_databases", SQLITE_FILE))


def convert(file: Path, base: Path, options: Options = NO_OPTIONS) -> Imported:
    """See the package."""
    manifest = read_manifest(file)
    lines = comment(f"{manifest.name}{' ' + manifest.version if manifest.version else ''}, from {file}")
    for text in (*_HEAD, *manifest.remarks):
        lines += comment(text)
    lines += _variables(manifest)
    lines += _stores(manifest, base)
    lines += _compositions(manifest, base)
    lines.append("routes:")
    taken: dict[str, str] = {}
    for trigger in _in_order(manifest):
        lines += _route(trigger, manifest, base, taken)
    if not taken:
        lines[lines.index("routes:")] = "routes: {}"
    return Imported("\n".join(lines) + "\n", ImportReport())


def _in_order(manifest: Manifest) -> Iterator[Trigger]:
    """The triggers, the ones that go before others first: of two that become one path, the
    first is kept."""
    routed = [trigger for trigger in manifest.triggers if trigger.route is not None]
    shadowed = [
        lost
        for _, lost, _ in PatternTable(((trigger.route or "", trigger) for trigger in routed), manifest.base).shadowed
    ]
    yield from sorted(
        (trigger for trigger in routed if trigger not in shadowed),
        key=lambda one: _plainness(parse_pattern(one.route or "")),
    )
    yield from shadowed
    yield from (trigger for trigger in manifest.triggers if trigger.route is None)


def _plainness(pattern: RoutePattern) -> tuple[bool, bool]:
    return pattern.has_names, not pattern.wild


def _variables(manifest: Manifest) -> list[str]:
    """What became of the application's variables, where components use them."""
    if not any(component.variables for component in manifest.components.values()):
        return []
    return comment(
        "Variables have the manifest's defaults; those without a default come from the server's environment. Other "
        f"values in {PREFIX}_* are no longer used."
    )


def _stores(manifest: Manifest, base: Path) -> list[str]:
    """Where the data of the application already is."""
    state = manifest.path.parent / ".spin"
    lines: list[str] = []
    for key, kind, file in (
        ("key_value", "key_value_stores", KEY_VALUE_FILE),
        ("sqlite", "sqlite_databases", SQLITE_FILE),
    ):
        labels = {label: None for one in manifest.components.values() for label in getattr(one, kind)}
        if not labels:
            continue
        lines.append(f"{key}:")
        for label in labels:
            if label == "default":
                lines.append(f"  default: {value({'path': host_path(state / file, base)})}")
            else:
                lines += comment("Spin reads this from its runtime configuration: enter the file or server here.", "  ")
                lines.append(f"  {scalar(label)}: {value({'path': host_path(state / f'{label}.db', base)})}")
    return lines


def _compositions(manifest: Manifest, base: Path) -> list[str]:
    lines = []
    for component in manifest.components.values():
        if component.dependencies:
            plugs = {name: host_path(path, base) for name, path in component.dependencies.items()}
            lines.append(f"  {scalar(host_path(component.source, base))}: {value(plugs)}")
    return ["compose:", *lines] if lines else []


def _route(trigger: Trigger, manifest: Manifest, base: Path, taken: dict[str, str]) -> list[str]:
    if trigger.route is None:
        return comment(f"Trigger {trigger.id} is a private endpoint, which cannot be called here.", "  ")
    pattern = parse_pattern(trigger.route, manifest.base)
    if trigger.response is not None:
        return comment(f"{trigger.route} has a static response of status {trigger.response.status}.", "  ")
    path = _site_path(pattern)
    try:
        route_path(path)
    except ValueError as error:
        return comment(f"{trigger.route} cannot be a path here: {path} {error}", "  ")
    if path in taken:
        return comment(f"{trigger.route} would also be {path}, which {taken[path]} already uses; it is omitted.", "  ")
    taken[path] = trigger.route
    assert trigger.component is not None
    component = manifest.components[trigger.component]
    lines = [f"  {scalar(path)}:"]
    if pattern.has_names:
        lines += comment(f"was {trigger.route}: the component must read the values of the names from the path", "    ")
    keys = dict(_keys(trigger, pattern, component, manifest, base))
    dirs, remarks = _dirs(component, manifest.path.parent, base)
    for remark in (*_wagi_remarks(trigger), *_component_remarks(component), *remarks):
        lines += comment(remark, "    ")
    if dirs:
        keys["dirs"] = dirs
    return [*lines, *(f"    {name}: {value(data)}" for name, data in keys.items())]


def _site_path(pattern: RoutePattern) -> str:
    """The path of the part without names, decoded."""
    fixed = []
    for segment in pattern.segments:
        if segment.startswith(":"):
            break
        fixed.append(unquote(segment))
    return "/" + "/".join(fixed)


def _keys(
    trigger: Trigger, pattern: RoutePattern, component: Component, manifest: Manifest, base: Path
) -> Iterator[tuple[str, Value]]:
    yield "module", host_path(component.source, base)
    yield "interface", "http" if trigger.wagi is None else "cgi"
    if not pattern.wild and not pattern.has_names:
        yield "exact", True
    if trigger.wagi is None:
        yield "pass_authorization", True
    else:
        yield "query_args", True
    environment = {name: escaped(text) for name, text in component.environment.items() if _can_be_set(name)}
    if environment:
        yield "env", environment
    if component.key_value_stores:
        yield "key_value", list(component.key_value_stores)
    if component.sqlite_databases:
        yield "sqlite", list(component.sqlite_databases)
    hosts = _http_hosts(component)
    if hosts:
        yield "allowed_outbound_hosts", hosts
    if component.variables:
        yield "variables", _expanded(component, manifest)


def _expanded(component: Component, manifest: Manifest) -> dict[str, str]:
    """The component's variables, with the site's way to name the server's
    environment. Raises ConfigError."""
    values = {
        name: f"\0{PREFIX}_{name.upper()}\0" if one.default is None else one.default
        for name, one in manifest.variables.items()
    }
    found = {}
    for name, template in component.variables.items():
        try:
            text = escaped(expand(template, values))
        except ValueError as error:
            key_path = f"component.{component.id}.variables.{name}"
            raise ConfigError([Problem(str(manifest.path), 0, 0, f"{key_path}: {error}")]) from None
        found[name] = re.sub(r"\0([A-Z0-9_]+)\0", r"${\1}", text)
    return found


def _http_hosts(component: Component) -> list[str]:
    """Entries of `allowed_outbound_hosts` that a route can have as they are."""
    found = []
    for text in component.allowed_outbound_hosts:
        with suppress(ValueError):
            host = parse_allowed_host(text)
            if host.scheme in ("http", "https", "*") and host.host != "self":
                found.append(text)
    return found


def _wagi_remarks(trigger: Trigger) -> Iterator[str]:
    if trigger.wagi is not None and trigger.wagi.argv is not None:
        yield f"had argv = {trigger.wagi.argv!r}; write the parts that do not depend on the request into `args`"


def _can_be_set(name: str) -> bool:
    try:
        return bool(variable(name))
    except ValueError:
        return False


def _component_remarks(component: Component) -> Iterator[str]:
    for name in component.environment:
        if not _can_be_set(name):
            yield f"had the variable {name}, which the request sets here"
    others = [host for host in component.allowed_outbound_hosts if host not in _http_hosts(component)]
    if others:
        yield f"was allowed the hosts {', '.join(others)}"


def _dirs(component: Component, root: Path, base: Path) -> tuple[dict[str, str], list[str]]:
    """Directories that stand for `files`, and what is to be said of them."""
    dirs: dict[str, str] = {}
    remarks = []
    for mount in component.files:
        found = None if component.exclude_files else _as_directory(mount, root)
        if found is None:
            remarks.append(f"saw {mount.source!r} as {mount.destination or '/' + mount.source!r}")
        else:
            dirs[found[0]] = host_path(found[1], base)
    if component.exclude_files:
        remarks.append(
            f"did not see {', '.join(component.exclude_files)}: put the files that it may see into a separate directory"
        )
    if dirs:
        remarks.append("sees the directories themselves; Spin made copies")
    return dirs, remarks


def _as_directory(mount: Mount, root: Path) -> tuple[str, Path] | None:
    """Guest path and directory, if the entry names everything in one directory."""
    source = re.sub(r"/\*\*(?:/\*)?$", "", mount.source.removeprefix("./")).rstrip("/")
    if is_glob(source) or not (root / source).is_dir():
        return None
    guest = mount.destination if mount.destination is not None else source
    return "/" + guest.strip("/"), root / source
