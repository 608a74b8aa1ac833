"""The option `--features` of commands that take a module by itself."""

from __future__ import annotations

import argparse

from wsgi_wasm.config import FEATURES, EngineSettings
from wsgi_wasm.messages import did_you_mean


def add_features(parser: argparse.ArgumentParser) -> None:
    """Add the option; its value is a set of names."""
    parser.add_argument(
        "--features",
        metavar="NAMES",
        type=features,
        default=frozenset(EngineSettings().features),
        help="engine features for modules given by name, separated by commas; for a site, its file sets them",
    )


def features(text: str) -> frozenset[str]:
    """Names with commas between. Raises ArgumentTypeError."""
    names = frozenset(filter(None, (name.strip() for name in text.split(","))))
    unknown = sorted(names - frozenset(FEATURES))
    if unknown:
        near = did_you_mean(unknown[0], FEATURES)
        raise argparse.ArgumentTypeError(
            f"unknown engine features: {', '.join(unknown)}; the known ones are {', '.join(FEATURES)}{near}"
        )
    return names
