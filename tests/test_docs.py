"""What the documentation says, against the code: links, samples, commands, tables and names cannot drift."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from servers.test_differential import DIFFERENCES
from wsgi_wasm import errors
from wsgi_wasm.cli import COMMANDS, PASSED, _split, parser
from wsgi_wasm.config import parse_config
from wsgi_wasm.config.reference import default_text
from wsgi_wasm.config.schema import LIMITS, TABLE
from wsgi_wasm.walls.__main__ import as_markdown

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
NAMES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "apache/README.md", "examples/README.md")
PAGES = [*(ROOT / name for name in NAMES), *DOCS, *sorted((ROOT / "examples").glob("*/README.md"))]

# A YAML block below this comment is left out.
NO_SITE = "<!-- not a site -->\n"

FENCE = re.compile(r"^( *)```([\w{}]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^]\n]*(?:\n[^]\n]*)?\]\(([^)\s]+)\)")
HEREDOC = re.compile(r"<<'YAML'\n(.*?)^YAML$", re.MULTILINE | re.DOTALL)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    """A page without its code, which holds no links and headings."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub and MyST make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The code blocks of these languages, without the indentation of the list that they are in."""
    text = page.read_text("utf-8")
    for match in FENCE.finditer(text):
        indent, language, body = match.groups()
        if language in languages and not text[: match.start()].endswith(NO_SITE):
            yield re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}$", page.read_text("utf-8"), flags=re.MULTILINE)[1]
    rows = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


@pytest.fixture(scope="module")
def sources() -> str:
    """Everything that can read an environment variable or a Define."""
    files = [path for folder in ("wsgi_wasm", "conf", "apache") for path in (ROOT / folder).rglob("*")]
    return "\n".join(path.read_text("utf-8") for path in files if path.suffix in {".py", ".conf", ".wsgi", ".service"})


# Links ---------------------------------------------------------------------------------------------------------------


@pages
def test_links_and_anchors_resolve(page: Path) -> None:
    broken = []
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_table_of_contents() -> None:
    toctrees = "\n".join(blocks(ROOT / "docs" / "index.md", "{toctree}")).split()
    assert {page.stem for page in DOCS} - {"index"} <= set(toctrees)


def test_the_readme_leads_to_every_page() -> None:
    links = set(LINK.findall(text_of(ROOT / "README.md")))
    assert {f"docs/{page.name}" for page in DOCS} - {"docs/index.md"} <= links


def test_pages_of_the_docs_link_to_nothing_outside() -> None:
    """Sphinx has only `docs`; other files of the repository are named as text."""
    assert not [f"{page.name}: {link}" for page in DOCS for link in LINK.findall(text_of(page)) if "../" in link]


# Samples of configuration --------------------------------------------------------------------------------------------


class AnyVariable(dict[str, str]):
    """An environment in which every variable is set, and where that is read, to a word that it can be."""

    def __missing__(self, name: str) -> str:
        return "x"

    def get(self, name: str, default: str | None = None) -> str:  # type: ignore[override]
        return "json" if name == "WSGI_WASM_LOG" else "x"

    def __contains__(self, name: object) -> bool:
        return True


def whole_site(block: str) -> str:
    """A site that holds the fragment: route paths get `routes:`, route keys a route around them."""
    first = next(line for line in block.splitlines() if line and not line.startswith("#")).partition(":")[0]
    if first in TABLE.at("site") and first not in TABLE.at("route"):
        return block
    if not first.startswith("/"):
        target = "" if "directory:" in block else "directory: a" if first == "interpreters" else "module: a.wasm"
        block = "/a:\n" + indented(f"{target}\n{block}")
    used = {name for row in re.findall(r"local_redirects: \[(.*?)\]", block) for name in row.split(", ")}
    others = [f"{name}: {{module: b.wasm}}" for name in sorted(used) if not re.search(rf"^{name}:", block, re.M)]
    return "routes:\n" + indented("\n".join([block, *others]))


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def samples() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for block in blocks(page, "yaml"):
            yield page, block
        for block in blocks(page, "sh"):
            for match in HEREDOC.finditer(block):
                yield page, match[1]


def test_samples_of_configuration_load(tmp_path: Path) -> None:
    environ: Mapping[str, str] = AnyVariable()
    count, wrong = 0, []
    for page, block in samples():
        count += 1
        try:
            parse_config(whole_site(block).encode(), tmp_path / "site.yaml", environ)
        except errors.ConfigError as error:
            wrong.append(f"{page.name}: {error}\n{block}")
    assert not wrong, "\n".join(wrong)
    assert count > 25, "or the pattern no longer finds them"


def test_the_first_page_says_the_same_as_the_first_example() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    guest = (ROOT / "examples" / "hello" / "hello.wat").read_text("utf-8")
    (answer,) = re.findall(r"^<h1>.*</h1>$", readme, re.MULTILINE)
    assert answer in guest
    assert "/hello:" in (ROOT / "examples" / "hello" / "site.yaml").read_text("utf-8")
    assert (ROOT / "quickstart.py").is_file()
    assert (ROOT / "run-tests").is_file()


# Commands ------------------------------------------------------------------------------------------------------------


def command_lines() -> Iterator[tuple[str, str]]:
    """Each `wsgi-wasm ...` in a block of commands, and in running text if it has arguments."""
    for page in PAGES:
        for block in blocks(page, "sh", "console", ""):
            for line in block.splitlines():
                found = re.search(r"(?:^|[ /])(wsgi-wasm [a-z-].*)", line.removeprefix("$ "))
                if found and not line.startswith(("#", "127.", "cp ", "a2en", "systemctl")):
                    yield page.name, found[1]
        for line in re.findall(r"`([^`\n]*wsgi-wasm [^`\n]*)`", FENCE.sub("", page.read_text("utf-8"))):
            found = re.search(r"(?:^|[ /])(wsgi-wasm (?:\S+) .*)", line)
            if found and "COMMAND" not in line and not line.startswith("a2en"):
                yield page.name, found[1]


def parses(line: str) -> bool:
    words = shlex.split(re.split(r" \| | && ", line)[0], comments=True)[1:]
    if words[0] in PASSED:
        return True
    own, _ = _split(words) if words[:1] == ["build"] else (words, [])
    try:
        parser().parse_args(own)
    except SystemExit as end:
        return end.code == 0
    return True


def test_commands_parse(capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(command_lines())
    assert not [(page, line) for page, line in lines if not parses(line)]
    assert len(lines) > 30
    capsys.readouterr()


def test_named_commands_exist() -> None:
    for page in PAGES:
        named = re.findall(r"`(?:\S*/)?wsgi-wasm ([a-z]+)`", page.read_text("utf-8"))
        assert set(named) <= set(COMMANDS), page.name


def options_of(command: argparse.ArgumentParser) -> Iterator[str]:
    """The options of a command, and those of what it has below it."""
    for action in command._actions:
        yield from action.option_strings
        for below in action.choices.values() if isinstance(action.choices, dict) else ():
            yield from options_of(below)


def test_every_command_and_option_is_explained() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    (commands,) = (action.choices for action in parser()._actions if isinstance(action.choices, dict))
    for name, command in commands.items():
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert section, name
        options = set(options_of(command)) - {"-h", "--help"}
        assert not [option for option in options if not re.search(rf"{option}\b", section)], name


# Tables and names ----------------------------------------------------------------------------------------------------


def test_the_system_calls_of_the_walls() -> None:
    """`python -m wsgi_wasm.walls` prints them."""
    assert as_markdown() in (ROOT / "docs" / "security.md").read_text("utf-8")


def test_every_key_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert not [key.name for key in TABLE.keys if f"| `{key.name}` |" not in page]


def test_limits_and_their_defaults() -> None:
    rows = {row[0].strip("`"): row[1] for row in table(ROOT / "docs" / "security.md", "Limits")}
    keys = {key.name: key for key in TABLE.keys if key.group == LIMITS or key.name == "instances"}
    assert rows == {name: f"`{default_text(key.default)}`" for name, key in keys.items()}


def test_statuses() -> None:
    found = {int(row[0]) for row in table(ROOT / "docs" / "cgi.md", "Statuses")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    own = {kind.status for kind in kinds if issubclass(kind, errors.RequestError)}
    assert found == own | {302, 304}


def test_differences_from_mod_cgid() -> None:
    rows = table(ROOT / "docs" / "cgi.md", "Differences from Apache's mod_cgid")
    assert {row[0].strip("`") for row in rows} == set(DIFFERENCES)
    assert len(rows) == len(DIFFERENCES)
    assert all(len(row) == 3 and all(row) for row in rows)


def test_variables_are_read_somewhere(sources: str) -> None:
    rows = table(ROOT / "docs" / "operations.md", "Environment variables")
    listed = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row[0])}
    ours = {name for page in PAGES for name in re.findall(r"\bWSGI_WASM_[A-Z_]+\b", page.read_text("utf-8"))}
    assert len(listed) > 6
    assert not [name for name in listed | ours if name not in sources]


def test_fields_of_the_environ(sources: str) -> None:
    rows = table(ROOT / "docs" / "middleware.md", "What it adds to the environ")
    listed = {row[0].strip("`") for row in rows}
    assert listed == set(re.findall(r'environ\["(wsgi_wasm\.\w+)"\] =', sources))
    for page in PAGES:
        named = set(re.findall(r"\{(wsgi_wasm\.\w+)\}e", page.read_text("utf-8")))
        assert named <= listed, page.name


def test_loggers_exist(sources: str) -> None:
    for row in table(ROOT / "docs" / "operations.md", "Logs"):
        assert f'package_log("{row[0].strip("`").removeprefix("wsgi_wasm.")}")' in sources


def test_the_map_names_every_module() -> None:
    rows = table(ROOT / "docs" / "architecture.md", "The map")
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    package = ROOT / "wsgi_wasm"
    rooms = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/**/__init__.py")
    }
    assert named == rooms


def test_files_that_are_named_exist() -> None:
    rooms = "|".join(path.parent.name for path in (ROOT / "wsgi_wasm").glob("*/__init__.py"))
    folders = f"conf|examples|tests|apache|benchmarks|docs|wsgi_wasm|{rooms}"
    missing = []
    for page in PAGES:
        for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", FENCE.sub("", page.read_text("utf-8"))):
            if not any((base / name).exists() for base in (ROOT, ROOT / "wsgi_wasm")):
                missing.append(f"{page.name}: {name}")
    assert not missing


def test_the_page_on_performance_names_every_step_of_a_profile() -> None:
    from wsgi_wasm.cli.profile import REST, STEPS

    text = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert [step for step in (*STEPS, REST) if f"| {step} |" not in text] == []
