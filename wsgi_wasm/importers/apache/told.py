"""Variables and limits of a place as keys of its route."""

from __future__ import annotations

import os
import re

from wsgi_wasm.importers.apache.reading import Source
from wsgi_wasm.importers.apache.settings import PlaceSettings
from wsgi_wasm.importers.apache.syntax import undefined
from wsgi_wasm.importers.apache.walks import Said
from wsgi_wasm.importers.drafts import RouteDraft
from wsgi_wasm.importers.report import SourceLine
from wsgi_wasm.importers.yaml_text import escaped as in_yaml
from wsgi_wasm.messages import escaped, size_text

_PAGE = 1 << 16
_MOST_MEMORY, _MOST_BODY, _LONGEST = 4 << 30, 1 << 40, 86_400
_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "mi": 60.0, "min": 60.0, "h": 3600.0}


def put_settings(draft: RouteDraft, settings: PlaceSettings, source: Source) -> None:
    """Write them into a route that has its program."""
    report = source.report
    is_raw = draft.keys.get("interface") == "raw"
    if not is_raw:
        _variables(draft, settings, source)
    for name, place in settings.front_env.items():
        if is_raw:
            report.dropped(place, "the program is given no request")
        elif re.fullmatch(r"[A-Za-z_*?][A-Za-z0-9_*?]*", name):
            patterns = draft.keys.get("pass_env", [])
            assert isinstance(patterns, list)
            if name not in patterns:
                places = draft.places.get(("pass_env", ""), [])
                draft.put("pass_env", [*patterns, name], *places, place)
        else:
            report.decide(place, "sets a variable that no program can have by that name")
    if settings.authorization is not None and not is_raw:
        draft.put("pass_authorization", True, settings.authorization)
    _limits(draft, settings, source)


def _variables(draft: RouteDraft, settings: PlaceSettings, source: Source) -> None:
    for name, said in settings.env.items():
        if said.value is None:
            _passed(draft, name, said.place, source)
            continue
        left = undefined(said.value)
        if left is not None:
            source.report.decide(said.place, f"${{{escaped(left)}}} is not defined: give it with --define")
        elif name not in draft.items.get("env", {}):  # WasmEnv goes first
            draft.put_item("env", name, in_yaml(said.value), said.place)


def _passed(draft: RouteDraft, name: str, place: SourceLine, source: Source) -> None:
    """A variable of the server's own environment, which has to be there for the site to load."""
    if name in os.environ:
        draft.put_item("env", name, f"${{{name}}}", place)
    else:
        question = (
            f"{escaped(name)} is not set here: where the server has it, write it into `env` as ${{{escaped(name)}}}"
        )
        source.report.decide(place, question)


def _limits(draft: RouteDraft, settings: PlaceSettings, source: Source) -> None:
    limits, report = settings.limits, source.report
    run = limits.get("cgidscripttimeout") or limits.get("cgiscripttimeout") or limits.get("timeout")
    for key, said, text in (
        ("cpu", limits.get("rlimitcpu"), _seconds),
        ("timeout", run, _seconds),
        ("memory", limits.get("rlimitmem"), _memory),
        ("max_body", limits.get("limitrequestbody"), _body),
    ):
        if said is None:
            continue
        found = text(said)
        if found is None:
            report.decide(said.place, f"{escaped(said.value)} cannot be a `{key}`")
        elif found == "":
            report.dropped(said.place, f"`{key}` keeps its default: the gateway always has a limit")
        else:
            draft.put(key, found, said.place)
    if "rlimitnproc" in limits:
        report.meaningless(limits["rlimitnproc"].place, "guests start no processes")


def _seconds(said: Said) -> str | None:
    """A duration; empty for none."""
    match = re.fullmatch(r"(\d{1,9})(ms|s|min|mi|h)?", said.value.lower())
    if said.value.lower() == "max" or (match and match[1].strip("0") == ""):
        return ""
    if match is None:
        return None
    seconds = min(int(match[1]) * _UNITS[match[2] or ""], _LONGEST)
    return f"{seconds:g}s" if seconds >= 1 and seconds == int(seconds) else f"{max(1, round(seconds * 1000))}ms"


def _memory(said: Said) -> str | None:
    """Whole pages; as much as there can be for no limit."""
    if said.value.lower() == "max":
        return ""
    if not re.fullmatch(r"\d{1,18}", said.value):
        return None
    return size_text(min(max(int(said.value) // _PAGE, 1) * _PAGE, _MOST_MEMORY))


def _body(said: Said) -> str | None:
    if not re.fullmatch(r"\d{1,18}", said.value):
        return None
    most = int(said.value)
    bounded = min(most or _MOST_BODY, _MOST_BODY)
    return f"{bounded}B" if most % 1024 else size_text(bounded)
