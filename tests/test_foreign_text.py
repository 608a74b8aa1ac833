"""What others wrote cannot forge a line of a log or command a terminal: held at the places where text leaves the
package, and by a look at the source that nothing goes by them."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import logging
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shape import PACKAGE, Source, read
from wsgi_wasm.cli import terminal
from wsgi_wasm.errors import MOST_TEXT, BuildError, ConfigError, Problem, WsgiWasmError, text_lines
from wsgi_wasm.hostapi.log import guest_log, log
from wsgi_wasm.logs import MOST_LOGGED, MOST_MISTAKES, log_error, package_log
from wsgi_wasm.messages import MOST_LINES, printable, printable_lines

HOSTILE = (
    "before\nFORGED line\r\x1b[31m\x1b]0;title\x07 \x9b31m \x00 \x7f \x85 \u2028 \u2029 \u202e \u2066 \u200b \ufeff"
    "\U000e0041 \udcff \ud800 \xad after"
)


# --- the places where text leaves ---


def check_line(text: str, *, tabs: bool = False) -> None:
    assert (text.replace("\t", "") if tabs else text).isprintable()
    text.encode("utf-8")


@given(st.text())
def test_any_text_is_one_line_and_stays_as_it_is_then(text: str) -> None:
    for tabs in (False, True):
        once = printable(text, tabs=tabs)
        check_line(once, tabs=tabs)
        assert printable(once, tabs=tabs) == once


def test_every_character() -> None:
    for start in range(0, sys.maxunicode + 1, 0x1000):
        check_line(printable("".join(map(chr, range(start, start + 0x1000)))))


def classes(base: type) -> Iterator[type]:
    yield base
    for one in list[type](base.__subclasses__()):
        yield from classes(one)


def made(kind: Any, text: str) -> Any:
    """An error of this class with the text wherever it takes one."""
    if issubclass(kind, ConfigError):
        return kind([Problem(text, 1, 1, text), Problem(text, 0, 0, text)])
    if not inspect.isfunction(kind.__init__):
        return kind(text)
    wanted = list(inspect.signature(kind.__init__).parameters.values())[1:]
    values: dict[str, Any] = {"int": 1, "Sequence[str]": [text]}
    return kind(*(values.get(str(one.annotation), text) for one in wanted if one.default is one.empty))


SEVERAL_LINES = {"ConfigError", "BuildError", "UserError", "ApacheError"}


def all_modules() -> None:
    for source in read(PACKAGE):
        if "guestlib" not in source.path.parts and not source.name.endswith(("__main__", ".wsgi")):
            importlib.import_module(source.name)


def test_every_error_is_one_line() -> None:
    """Or several where they are its own: a mistake of a configuration each, or the lines of a compiler."""
    all_modules()
    for kind in classes(WsgiWasmError):
        error = made(kind, HOSTILE)
        for line in str(error).split("\n"):
            check_line(line, tabs=kind.__name__ in SEVERAL_LINES)
        assert kind.__name__ in SEVERAL_LINES or "\n" not in str(error), kind
        assert len(str(made(kind, "x" * 100_000))) <= MOST_TEXT * 3
    lines = text_lines(made(ConfigError, HOSTILE))
    assert len(lines) == 2
    assert all("FORGED" in line and line.isprintable() for line in lines)


def test_lines_of_a_compiler() -> None:
    assert str(BuildError("a.c:1: \x1b[1merror\n\tint x;\n")) == "a.c:1: \\x1b[1merror\n\tint x;"
    assert len(printable_lines("x" * 5000 + "\n" * 100_000).split("\n")) == MOST_LINES + 1


@pytest.fixture
def records() -> Iterator[io.StringIO]:
    """What a handler with an ordinary formatter writes of the package's records."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("LOG %(name)s %(message)s"))
    own = logging.getLogger("wsgi_wasm")
    own.addHandler(handler)
    yield stream
    own.removeHandler(handler)


class Words(Exception):
    pass


def test_records_are_one_line(records: io.StringIO) -> None:
    own = package_log("gateway")
    for message, *values in (
        (HOSTILE,),
        ("%s and %r and %d", HOSTILE, HOSTILE, 1),
        ("%s", Words(HOSTILE)),
        ("%(a)s", {"a": HOSTILE}),
        ("tabs\tstay %s", "\t"),
        ("%s", "x" * 1_000_000),
    ):
        records.seek(records.truncate(0))
        own.warning(message, *values)
        (line,) = records.getvalue().splitlines()
        check_line(line, tabs=True)
        assert line.startswith("LOG wsgi_wasm.gateway ")
        assert len(line) < MOST_LOGGED + 100


def test_words_of_servers_and_libraries(records: io.StringIO) -> None:
    """As host APIs log them: of Redis, PostgreSQL and SQLite, with statements of a guest."""
    for write in (log.warning, guest_log.warning):
        records.seek(records.truncate(0))
        write("key-value store %r: %s: %s", HOSTILE, "ServerError", Words(HOSTILE))
        (line,) = records.getvalue().splitlines()
        check_line(line)


def test_tracebacks_cannot_look_like_records(records: io.StringIO) -> None:
    def deep(left: int) -> None:
        if not left:
            raise Words("\nLOG wsgi_wasm.gateway FORGED\r" + HOSTILE)
        if left % 2:  # two ways, or the lines would be counted and not written
            deep(left - 1)
        else:
            deep(left - 1)

    for depth in (1, 300):
        records.seek(records.truncate(0))
        try:
            deep(depth)
        except Words:
            package_log("engine").exception("it broke")
        first, *rest = records.getvalue().split("\n")[:-1]
        assert first == "LOG wsgi_wasm.engine it broke"
        assert all(line.startswith("  ") for line in rest)
        assert any("FORGED" in line for line in rest)
        assert len(rest) < 300
        for line in rest:
            check_line(line, tabs=True)


def test_a_thousand_mistakes_are_a_hundred_lines(records: io.StringIO) -> None:
    own = package_log("gateway")
    log_error(own, ConfigError([Problem("x.yaml", number, 1, HOSTILE) for number in range(1000)]), before="no: ")
    lines = records.getvalue().splitlines()
    assert len(lines) == MOST_MISTAKES + 1
    assert all(line.startswith("LOG wsgi_wasm.gateway no: ") and line.isprintable() for line in lines)
    assert lines[-1].endswith("and 900 more mistakes, which `wsgi-wasm check` shows")


def test_records_without_anything_hostile_keep_their_parts() -> None:
    """Handlers that group records go by the message before its values are put in."""
    own = package_log("guest")
    record = own.makeRecord(own.name, logging.WARNING, "x.py", 1, "%s [%s] %s", ("/a", "id", "text"), None)
    assert own.filter(record)
    assert (record.msg, record.args) == ("%s [%s] %s", ("/a", "id", "text"))


def test_wrong_values_of_a_record_are_the_handlers_business(records: io.StringIO) -> None:
    logging.raiseExceptions, before = False, logging.raiseExceptions
    package_log("gateway").warning("%d", "not a number")
    logging.raiseExceptions = before
    assert records.getvalue() == ""


def test_what_commands_print(capsys: pytest.CaptureFixture[str]) -> None:
    for write in (terminal.tell, terminal.say):
        write(HOSTILE, "\x1b[31mred\x1b[0m\tx", "")
        shown = "".join(capsys.readouterr()).split("\n")
        assert len(shown) == 4
        check_line(shown[0])
        assert shown[1:] == ["\\x1b[31mred\\x1b[0m\tx", "", ""]
    terminal.tell(*terminal.table([("a", HOSTILE), (HOSTILE, "b")]))
    assert capsys.readouterr().out.count("\n") == 2
    check_line(terminal.shown(Path(HOSTILE.replace("\0", ""))))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_of_a_terminal_are_all_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    terminal.tell(terminal.Style(sys.stdout)("red", "broken"), "\x1b[31m\x1b[2J\x1b[31;1m\x1b]0;x\x07")
    assert isinstance(sys.stdout, Terminal)
    shown = sys.stdout.getvalue()
    assert shown == "\x1b[31mbroken\x1b[0m\n\x1b[31m\\x1b[2J\\x1b[31;1m\\x1b]0;x\\x07\n"


# --- that nothing goes by them ---

LOGGERS = {
    "wsgi_wasm.logs": "makes them",
    "wsgi_wasm.cli.commands.check": "switches loggers off",
}

PRINTS = {
    "wsgi_wasm.cli.terminal": "where everything is printed",
    "wsgi_wasm.cli.progress": "rewrites a line of the terminal; what stands in it is escaped",
    "wsgi_wasm.cli.commands.exec_": "what a program prints, as it prints it",
    "wsgi_wasm.cli.commands.tools": "what the compiler says of its user's own files",
    "wsgi_wasm.cli.commands.import_": "YAML for a file, which `yaml_text` escapes",
    "wsgi_wasm.config.__main__": "the reference, of nothing foreign",
    "wsgi_wasm.walls.__main__": "the same",
    "wsgi_wasm.engine.code.compiler": "the compiler's child, which the parent reads",
    "wsgi_wasm.isolation.fork": "a child's last words, which the spawner reads and escapes",
    "wsgi_wasm.toolchain.driver": "answers to options, which configure reads",
    "wsgi_wasm.toolchain.adapter": "for developers, of their own files",
}

# Names that hold what others wrote, more often than not.
FOREIGN = frozenset(
    [
        "address",
        "compiler",
        "directory",
        "file",
        "filename",
        "guest_path",
        "host",
        "imported",
        "interface",
        "label",
        "library",
        "method",
        "name",
        "output",
        "path",
        "script",
        "source",
        "target",
        "url",
    ]
)
ESCAPING = frozenset(
    [
        "escaped",
        "quote",
        "printable",
        "listed",
        "shown",
        "reason",
        "obstacle",
        "size_text",
        "did_you_mean",
        "ascii",
        "_excerpt",
    ]
)

# Expressions that look foreign and are not.
OURS = {
    "source[4:8].hex()": "digits",
    "target": "of an alias: a number",
    "draft.content_length": "a number",
    "type(error).__name__": "a class of ours or of a library",
    "kind.name": "of an interface that the package declares",
    "resource.name": "the same",
}


@cache
def sources() -> dict[str, Source]:
    return {source.name: source for source in read(PACKAGE) if "guestlib" not in source.path.parts}


def calls(source: Source, *names: str) -> list[int]:
    """Lines that call a function of these names: `print`, `logging.getLogger`."""
    return [
        node.lineno for node in ast.walk(source.tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    ]


def test_quotes_around_a_value_are_those_of_quote() -> None:
    """Text that is in quotes is somebody's, and quotes of a message's own escape nothing in it."""
    for source in (source for name, source in sources().items() if name != "wsgi_wasm.messages"):
        for text in (node for node in ast.walk(source.tree) if isinstance(node, ast.JoinedStr)):
            for before, value, after in zip(text.values, text.values[1:], text.values[2:], strict=False):
                if isinstance(value, ast.FormattedValue) and value.conversion == -1:
                    around = [one.value for one in (before, after) if isinstance(one, ast.Constant)]
                    quoted = len(around) == 2 and str(around[0]).endswith("'") and str(around[1]).startswith("'")
                    assert not quoted, source.place(text.lineno, ast.unparse(text))


def test_loggers_are_made_in_one_place() -> None:
    """The root and the package's own are asked for by those who give them handlers."""
    levels = ("debug", "info", "warning", "error", "exception", "critical", "log")
    handed = ("logging.getLogger()", "logging.getLogger('wsgi_wasm')", "logging.getLogger(OWN)")
    for name, source in sources().items():
        made = [
            ast.unparse(node)
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger"
        ]
        assert name in LOGGERS or set(made) <= set(handed), f"{name}: use `package_log`"
        through = (f"{logger}.{level}" for logger in ("logging", *handed) for level in levels)
        assert not calls(source, *through), f"{name} logs through the root"
    assert LOGGERS.keys() <= sources().keys()


def test_commands_print_in_one_place() -> None:
    writes = ("print", "sys.stdout.write", "sys.stderr.write", "sys.stderr.buffer.write", "traceback.print_exc")
    for name, source in sources().items():
        assert name in PRINTS or not calls(source, *writes), f"{name}: use `tell` or `say`"
    assert PRINTS.keys() <= sources().keys()


def leaves(source: Source) -> Iterator[ast.AST]:
    """What becomes an error or a record."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Raise) or (
            isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("remark", "Problem")
        ):
            yield node


def unescaped(source: Source) -> Iterator[str]:
    """Values that are put into such a text as they are, though their names say that others wrote them."""
    for leaf in leaves(source):
        for node in ast.walk(leaf):
            if not isinstance(node, ast.FormattedValue) or node.conversion in (ord("r"), ord("a")):
                continue
            value = node.value
            if isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in ESCAPING:
                continue
            names = {one.attr for one in ast.walk(value) if isinstance(one, ast.Attribute)}
            names |= {one.id for one in ast.walk(value) if isinstance(one, ast.Name)}
            if names & FOREIGN and ast.unparse(value) not in OURS:
                yield f"line {node.lineno}: {ast.unparse(value)}"


@pytest.mark.parametrize("name", sorted(sources()))
def test_foreign_values_are_escaped_where_they_are_put_in(name: str) -> None:
    """One long name would otherwise push the rest out of the text, which is cut as a whole behind."""
    assert list(unescaped(sources()[name])) == [], "use `escaped` or `quote` of wsgi_wasm.messages"
