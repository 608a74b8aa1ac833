"""Counts the shape of the package: `python -m tests.shape [-v] [DIRECTORY]`, by default over `wsgi_wasm` beside it.

It reads every Python file there, those for guests too. A function's lines run from its `def` to its last one. All
parameters of a signature count: `self`, those by keyword alone, `*` and `**`. An import within a function, or under
`if TYPE_CHECKING:`, makes a cycle as any other does; one of the package that a module lies in does not.

Each count has a ceiling in `MEASURES`, which `tests/test_shape.py` holds. Lower it with a count that fell; to raise
one is a decision that the commit explains.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "wsgi_wasm"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """A Python file: its path from the package's parent, its dotted name, and what is in it."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    def functions(self) -> Iterator[FunctionNode]:
        """Every function and method, those within others too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, FunctionNode))

    def place(self, line: int, detail: str) -> str:
        return f"{self.path}:{line}: {detail}"


def read(package: Path) -> list[Source]:
    """The files of a package, in order. A package's own name ends in `.__init__` at the top alone."""
    found = []
    for file in sorted(package.rglob("*.py")):
        path = file.relative_to(package.parent)
        name = ".".join(path.with_suffix("").parts)
        if path.parent != Path(package.name):
            name = name.removesuffix(".__init__")
        text = file.read_text("utf-8")
        found.append(Source(path, name, text, ast.parse(text)))
    return found


def long_modules(sources: Sequence[Source], most: int = 300) -> Iterator[str]:
    for source in sources:
        lines = len(source.text.splitlines())
        if lines > most:
            yield source.place(1, f"{lines} lines")


def long_functions(sources: Sequence[Source], most: int = 50) -> Iterator[str]:
    for source in sources:
        for function in source.functions():
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > most:
                yield source.place(function.lineno, f"{function.name}, {lines} lines")


def many_parameters(sources: Sequence[Source], most: int = 5) -> Iterator[str]:
    for source in sources:
        for function in source.functions():
            given = function.args
            named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            count = len([*named, *filter(None, (given.vararg, given.kwarg))])
            if count > most:
                yield source.place(function.lineno, f"{function.name}, {count} parameters")


def ignores(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and re.match(r"#\s*type:\s*ignore", token.string):
                yield source.place(token.start[0], token.string)


def wide_prose(sources: Sequence[Source], most: int = 100) -> Iterator[str]:
    """Lines of docstrings and comments that are too wide. Words for tools (`noqa`) and single words, such as addresses,
    may be wider."""
    for source in sources:
        lines = source.text.splitlines()
        prose = set()
        for node in ast.walk(source.tree):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                prose |= set(range(node.lineno, (node.end_lineno or 0) + 1))
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and not re.match(r"#\s*(type:|noqa)", token.string):
                prose.add(token.start[0])
        for line in sorted(prose):
            if len(lines[line - 1]) > most and len(lines[line - 1].split()) > 2:
                yield source.place(line, lines[line - 1].strip())


def wide_comments(text: str, most: int = 100) -> Iterator[int]:
    """The same in C: the numbers of such lines."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        comment = inside or "/*" in line or "//" in line
        if "/*" in line or "*/" in line:
            inside = line.rfind("/*") > line.rfind("*/")
        if comment and len(line) > most:
            yield number


def late_imports(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        inner = {node for function in source.functions() for node in ast.walk(function)}
        late = [node for node in inner if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in sorted(late, key=lambda node: node.lineno):
            yield source.place(node.lineno, ast.unparse(node))


def imports(source: Source, names: Collection[str]) -> set[str]:
    """What it imports, wherever in the file: what is taken from a package is named itself where it is one of these
    modules. Relative imports, which there are none of, are an error."""
    wanted: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, source.place(node.lineno, "a relative import")
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                wanted.add(whole if whole in names else str(node.module))
    return wanted


def cycles(sources: Sequence[Source]) -> Iterator[str]:
    names = {source.name for source in sources}
    graph = {
        source.name: {
            other for other in imports(source, names) & names if not f"{source.name}.".startswith(f"{other}.")
        }
        for source in sources
    }
    reached = {name: reachable(graph, name) for name in graph}
    groups = {frozenset(other for other in reached[name] if name in reached[other]) for name in graph}
    for group in sorted(map(sorted, filter(None, groups))):
        yield ", ".join(group)


def shared_class_names(sources: Sequence[Source]) -> Iterator[str]:
    """Classes that two files have under one name, `_X` being `X`; nested ones too. Those for guests run elsewhere, and
    some of their names are fixed."""
    found: dict[str, list[str]] = {}
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and "guestlib" not in source.path.parts:
                found.setdefault(node.name.lstrip("_"), []).append(f"{source.path}:{node.lineno}")
    for name, places in sorted(found.items()):
        if len({place.partition(":")[0] for place in places}) > 1:
            yield f"{name}: {', '.join(places)}"


def reachable(graph: Mapping[str, set[str]], name: str) -> set[str]:
    """What can be come to from here; `name` itself only by way of others."""
    found: set[str] = set()
    new = set(graph[name])
    while new:
        found |= new
        new = {other for one in new for other in graph[one]} - found
    return found


@dataclass(frozen=True, slots=True)
class Measure:
    """A count, the most that it may be, and what finds the places that are counted."""

    what: str
    ceiling: int
    find: Callable[[Sequence[Source]], Iterator[str]]


MEASURES = (
    Measure("modules over 300 lines", 0, long_modules),
    Measure("functions over 50 lines", 0, long_functions),
    Measure("functions with more than 5 parameters", 20, many_parameters),
    Measure("type: ignore", 5, ignores),
    Measure("imports in functions", 27, late_imports),
    Measure("import cycles", 0, cycles),
    Measure("lines of prose over 100 columns", 0, wide_prose),
    Measure("class names in two files", 0, shared_class_names),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.shape", description=__doc__.partition("\n")[0])
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE, metavar="DIRECTORY")
    parser.add_argument("-v", "--verbose", action="store_true", help="list the places that are counted")
    options = parser.parse_args()
    sources = read(options.package.resolve())
    over = False
    for measure in MEASURES:
        places = list(measure.find(sources))
        over |= len(places) > measure.ceiling
        print(f"{len(places):5}  {measure.what} (at most {measure.ceiling})")
        for place in places if options.verbose else ():
            print(f"         {place}")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
