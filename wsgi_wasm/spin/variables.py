"""Variables of an application and the templates that use them: `https://{{ host }}/api`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from wsgi_wasm.messages import did_you_mean, quote
from wsgi_wasm.spin.model import Manifest
from wsgi_wasm.spin.tables import ManifestReading

Provider = Callable[[str], str | None]
"""Gives a variable's value, None where it has none."""

PREFIX = "SPIN_VARIABLE"


def from_environment(environ: Mapping[str, str], prefix: str = PREFIX) -> Provider:
    """Values from variables such as `SPIN_VARIABLE_API_HOST`."""
    return lambda name: environ.get(f"{prefix}_{name.upper()}")


def resolve(
    manifest: Manifest, given: Mapping[str, str], providers: Sequence[Provider], reading: ManifestReading
) -> dict[str, str]:
    """The value of each variable: what is `given`, then the first provider that has one, then
    the manifest's default.

    Reports names in `given` that the manifest does not have, and variables that have no
    value at all.
    """
    for name in given:
        if name not in manifest.variables:
            near = did_you_mean(name, tuple(manifest.variables))
            reading.report("variables", f"a value is given for {quote(name)}, which is not declared{near}")
    values = {}
    for name, variable in manifest.variables.items():
        found = next(_values(name, given, providers), variable.default)
        if found is None:
            reading.report(
                f"variables.{name}",
                f"is required and has no value: set {PREFIX}_{name.upper()}, or `variables: {{{name}: ...}}` in the "
                "site's route",
            )
        values[name] = found or ""
    return values


def _values(name: str, given: Mapping[str, str], providers: Iterable[Provider]) -> Iterator[str]:
    if name in given:
        yield given[name]
    for provider in providers:
        value = provider(name)
        if value is not None:
            yield value


def expand(template: str, values: Mapping[str, str]) -> str:
    """The text with each `{{ name }}` replaced. Raises ValueError, worded to stand alone."""
    parts: list[str] = []
    rest = template
    while rest:
        text, braces, rest = rest.partition("{{")
        parts.append(text)
        if not braces:
            break
        expression, closing, rest = rest.partition("}}")
        if not closing:
            raise ValueError("'{{' without '}}'")
        name = expression.strip()
        if name not in values:
            raise ValueError(f"there is no variable named {quote(name)}{did_you_mean(name, tuple(values))}")
        parts.append(values[name])
    return "".join(parts)
