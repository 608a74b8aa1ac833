"""A site in the configuration of httpd: enabled, disabled, looked at."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from wsgi_wasm.apache.fragment import Choices, Programs, fragment
from wsgi_wasm.apache.ownership import KnownFile, Ownership, look, look_at_link, stamped
from wsgi_wasm.apache.places import ApacheError, ConfPlaces, mistakes
from wsgi_wasm.apache.undo import Content, Undo, alone, make, sweep
from wsgi_wasm.config import Config
from wsgi_wasm.messages import escaped, reason

_BEFORE = ".before-wsgi-wasm"

_SCRIPT = """\
from wsgi_wasm.mod_wsgi import site_handler

handle_request = site_handler({site!r})
"""


@dataclass(frozen=True, slots=True)
class SiteFiles:
    """The files of one site under one name. `site` is the absolute path of its file."""

    name: str
    site: Path
    places: ConfPlaces

    @property
    def conf(self) -> Path:
        """The configuration file."""
        return self.places.available / f"{self.name}.conf"

    @property
    def script(self) -> Path:
        """What mod_wsgi loads."""
        return self.places.available / f"{self.name}.wsgi"

    @property
    def link(self) -> tuple[Path, str] | None:
        """The link that enables the file, and what is in it."""
        return self.places.link(self.conf.name)

    def known(self) -> dict[Path, KnownFile]:
        """What is there now. Raises OSError."""
        found = {path: look(path) for path in (self.script, self.conf)}
        if self.link is not None:
            found[self.link[0]] = look_at_link(*self.link)
        return found

    @property
    def undo(self) -> Undo:
        """The journal of changes."""
        return Undo(self.places.available, self.name)


def contents(target: SiteFiles, config: Config, choices: Choices, programs: Programs) -> dict[Path, bytes | str]:
    """What belongs into each file, and into the link, which comes last. Raises NotWritable."""
    made_for = {"site": os.fspath(target.site), **asdict(choices)}
    text = fragment(target.name, config, target.script, choices, programs)
    found: dict[Path, bytes | str] = {
        target.script: stamped(made_for, _SCRIPT.format(site=os.fspath(target.site))),
        target.conf: stamped(made_for, text),
    }
    if target.link is not None:
        path, link = target.link
        found[path] = link
    return found


def difference(known: Mapping[Path, KnownFile], wanted: Mapping[Path, Content]) -> list[str]:
    """The changes, as lines of a unified diff."""
    lines = []
    for path, content in wanted.items():
        name, now = escaped(path), known.get(path, KnownFile(Ownership.MISSING))
        if isinstance(content, str):
            lines += [] if now.state is Ownership.OURS else [f"link {name} -> {escaped(content)}"]
        elif isinstance(content, Path):
            lines.append(f"rename {escaped(content)} to {name}")
        elif content is None and not now.data:
            lines.append(f"remove {name}")
        else:
            before, after = _lines(now.data), _lines(content or b"")
            source = name if now.state is not Ownership.MISSING else "/dev/null"
            lines += difflib.unified_diff(before, after, source, name if content else "/dev/null", lineterm="")
    return lines


def _lines(data: bytes) -> list[str]:
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    return lines if lines[-1] else lines[:-1]


def to_enable(target: SiteFiles, wanted: Mapping[Path, bytes | str], *, force: bool) -> dict[Path, Content]:
    """What has to change. Raises ApacheError where that would lose something of somebody else's;
    with `force` that is kept aside, or its changes are lost."""
    changes: dict[Path, Content] = {}
    for path, known in target.known().items():
        if known.made_for is not None and known.made_for.get("site") != os.fspath(target.site):
            raise ApacheError(
                f"{escaped(path)} belongs to another site, {escaped(known.made_for.get('site', '?'))}: choose another "
                "--name"
            )
        if known.state is Ownership.FOREIGN:
            before = path.with_name(path.name + _BEFORE)
            if not force or os.path.lexists(before):
                hint = "choose another --name" + ("" if force else ", or replace it with --force, until `disable`")
                raise ApacheError(f"{escaped(path)} {known.state.value}: {hint}")
            changes[before] = path
        elif known.state is Ownership.EDITED and not force:
            raise ApacheError(f"{escaped(path)} {known.state.value}: --force overwrites what was changed")
        if known.state is not Ownership.OURS or known.data != (wanted[path] if known.data else b""):
            changes[path] = wanted[path]
    return changes


def to_disable(target: SiteFiles, *, force: bool) -> dict[Path, Content]:
    """The same for the way back: what was there before comes back, and nothing else stays."""
    changes: dict[Path, Content] = {}
    for path, known in reversed(target.known().items()):
        if known.state is Ownership.EDITED and not force:
            raise ApacheError(f"{escaped(path)} {known.state.value}: --force removes it nevertheless")
        before = path.with_name(path.name + _BEFORE)
        if known.state in (Ownership.OURS, Ownership.EDITED):
            changes[path] = before if os.path.lexists(before) else None
    return changes


@contextmanager
def changing(target: SiteFiles) -> Iterator[bool]:
    """Within the block, this process alone changes the files; whether what an interrupted command
    has left was undone before. Raises ApacheError."""
    directory = target.places.available
    for one in target.places.directories():
        if not os.access(one, os.W_OK):
            raise ApacheError(
                f"{escaped(one)} cannot be written to by this user: run this command as root (sudo), or with "
                "--dry-run to see what it would do"
            )
    try:
        with alone(directory):
            target.undo.sweep()
            for one in target.places.directories():
                sweep(one)
            left = target.undo.is_left()
            if left:
                target.undo.roll_back()
            yield left
    except OSError as error:
        raise ApacheError(f"{escaped(error.filename or directory)}: {reason(error)}") from None


def change(target: SiteFiles, changes: Mapping[Path, Content], command: str, *, must_be_right: bool) -> str:
    """Make the changes, and undo them where httpd then finds its configuration wrong. What it says,
    if it is wrong and that is accepted. Raises ApacheError, OSError; nothing has changed then."""
    moved = [content for content in changes.values() if isinstance(content, Path)]
    undo = target.undo
    undo.begin(list(dict.fromkeys([*changes, *moved])))
    try:
        make(changes)
        wrong = mistakes(command)
        if wrong and must_be_right:
            raise ApacheError(f"Apache refuses the change, so it was undone:\n{_explained(wrong)}")
    except BaseException:
        undo.roll_back()
        raise
    undo.settle()
    return wrong


def _explained(wrong: str) -> str:
    if "Invalid command 'WSGI" in wrong:
        return f"{wrong}\nmod_wsgi is not loaded: on Debian, apt-get install libapache2-mod-wsgi-py3, a2enmod wsgi"
    return wrong
