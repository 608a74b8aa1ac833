"""The package keeps its shape, and what counts it sees what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from shape import (
    MEASURES,
    PACKAGE,
    Measure,
    Source,
    cycles,
    ignores,
    late_imports,
    long_functions,
    many_parameters,
    read,
    shared_class_names,
    wide_comments,
    wide_prose,
)

SAMPLE = """
def outer(self, a, /, b, *rest, c=1, **more):
    import os  # type: ignore[import]

    class Inner:
        async def method(self):
            from os import path
            return "# type: ignore"

    return os, Inner
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "__init__.py").write_text("from made import a\n")
    return tmp_path / "made"


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return read(PACKAGE)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.what)
def test_no_count_grows(measure: Measure, sources: list[Source]) -> None:
    places = list(measure.find(sources))
    assert len(places) <= measure.ceiling, "\n".join(places)


def test_what_is_counted(package: Path) -> None:
    (package / "a.py").write_text(SAMPLE)
    sources = read(package)
    assert list(many_parameters(sources)) == ["made/a.py:2: outer, 6 parameters"]
    assert list(long_functions(sources, most=8)) == ["made/a.py:2: outer, 9 lines"]
    assert list(ignores(sources)) == ["made/a.py:3: # type: ignore[import]"]
    assert list(late_imports(sources)) == ["made/a.py:3: import os", "made/a.py:7: from os import path"]


def test_cycles(package: Path) -> None:
    """Each group of modules that import each other, by whichever way, is one."""
    (package / "a.py").write_text("import made.b\nimport made.c\n")
    (package / "b.py").write_text("def late():\n    from made import c\n")
    (package / "c.py").write_text("from made.a import x\n")
    (package / "d.py").write_text("import os\nfrom made import a\n")
    assert list(cycles(read(package))) == ["made.a, made.b, made.c"]


def test_shared_class_names(package: Path) -> None:
    """A private name is the same as a public one; twice in one file is no clash."""
    (package / "guestlib").mkdir()
    (package / "guestlib" / "run.py").write_text("class Run: ...\n")
    (package / "a.py").write_text("class Run: ...\nclass Two: ...\nclass Outer:\n    class Two: ...\n")
    (package / "b.py").write_text("def f():\n    class _Run: ...\n")
    assert list(shared_class_names(read(package))) == ["Run: made/a.py:1, made/b.py:2"]


def test_wide_prose(package: Path) -> None:
    wide = "word " * 20
    (package / "a.py").write_text(
        f'"""Short.\n\n{wide}.\n"""\n\nx = """\n{wide}.\n"""  # {wide}.\n# https://{"a" * 100}\n'
    )
    assert [place.split()[0] for place in wide_prose(read(package))] == ["made/a.py:3:", "made/a.py:8:"]
    (package / "b.py").write_text(f"x = {'1' * 90}  # noqa: E501, with a reason\n")
    assert len(list(wide_prose(read(package)))) == 2
    assert list(wide_comments(f"/* {wide}\n * {wide}. */\nint {'x' * 100}; int y;\nint x; // {wide}\n")) == [1, 2, 4]


@pytest.mark.parametrize("file", [*PACKAGE.rglob("*.[ch]")], ids=lambda file: file.name)
def test_comments_in_c(file: Path) -> None:
    assert not list(wide_comments(file.read_text("utf-8")))
