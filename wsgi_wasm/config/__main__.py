"""`python -m wsgi_wasm.config --schema | --reference`: print what is made from the
table of keys."""

from __future__ import annotations

import argparse
import json
import sys

from wsgi_wasm.config.jsonschema import json_schema
from wsgi_wasm.config.reference import reference


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m wsgi_wasm.config", description=__doc__)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--schema", action="store_true", help="the JSON Schema: conf/site.schema.json")
    kind.add_argument("--reference", action="store_true", help="the reference page: docs/configuration.md")
    chosen = parser.parse_args(arguments)
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n" if chosen.schema else reference())
    return 0


if __name__ == "__main__":
    sys.exit(main())
