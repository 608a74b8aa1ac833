"""How a site stands in the configuration of httpd: what `wsgi-wasm apache status` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from wsgi_wasm.apache.enabling import SiteFiles, contents
from wsgi_wasm.apache.fragment import Choices, Programs
from wsgi_wasm.apache.ownership import KnownFile, Ownership
from wsgi_wasm.apache.running import started
from wsgi_wasm.config import Config
from wsgi_wasm.errors import ConfigError, WsgiWasmError
from wsgi_wasm.messages import escaped


@dataclass(slots=True)
class Standing:
    """Lines for a person, and whether all is well."""

    lines: list[str] = field(default_factory=list)
    well: bool = True

    def say(self, line: str, well: bool = True) -> None:
        """Add a line."""
        self.lines.append(line)
        self.well = self.well and well


def standing(target: SiteFiles, load: Callable[[], Config], programs: Programs) -> Standing:
    """What is there, whether it still is what the site asks for, and whether Apache uses it. `load`
    gives the site. Raises OSError."""
    found = Standing()
    known = target.known()
    if target.undo.is_left():
        found.say("a command was interrupted: run it again, which first undoes what it had changed", well=False)
    if all(one.state is Ownership.MISSING for one in known.values()):
        found.say(f"{target.name} is not enabled in {escaped(target.places.available)}", well=False)
        return found
    for path, one in known.items():
        words = "is a link" if one.state is Ownership.OURS and not one.data else one.state.value
        found.say(f"{escaped(path)} {words}", one.state is Ownership.OURS)
    conf = known[target.conf]
    if conf.made_for is not None:
        choices = _choices(conf.made_for)
        if choices is not None:
            _compare(found, target, known, lambda: contents(target, load(), choices, programs))
        if choices is None or not choices.embedded:
            _look_at_processes(found, target)
        else:
            found.say("it is embedded in Apache's own processes, which do not show whether they use it")
    return found


def _choices(made_for: Any) -> Choices | None:
    try:
        return Choices(**{one.name: made_for[one.name] for one in fields(Choices)})
    except (KeyError, TypeError):
        return None  # of another version


def _compare(
    found: Standing,
    target: SiteFiles,
    known: Mapping[Path, KnownFile],
    wish: Callable[[], Mapping[Path, bytes | str]],
) -> None:
    try:
        wanted = wish()
    except ConfigError as error:
        found.say(f"the site has mistakes: {str(error).splitlines()[0]}", well=False)
        return
    except WsgiWasmError as error:
        found.say(str(error), well=False)
        return
    same = all(known[path].data == data for path, data in wanted.items() if isinstance(data, bytes))
    if same:
        found.say(f"they match {escaped(target.site)}")
    else:
        found.say(f"they no longer match {escaped(target.site)}: run `wsgi-wasm apache enable` again", well=False)


def _look_at_processes(found: Standing, target: SiteFiles) -> None:
    times = started(target.name)
    if not times:
        found.say("Apache does not run it: reload Apache, or look at its error log", well=False)
        return
    try:
        written = target.conf.stat().st_mtime
    except FileNotFoundError:
        return
    since = datetime.fromtimestamp(times[-1]).isoformat(" ", timespec="seconds")
    # starts are counted in hundredths of a second
    if times[0] + 1 < written:
        found.say(f"Apache runs it since {since}, before this was written: reload Apache", well=False)
    else:
        found.say(f"Apache runs it in processes ({len(times)}), since {since}")
