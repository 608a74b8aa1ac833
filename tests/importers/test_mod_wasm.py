"""A server with mod_wasm moves: its configuration is imported, checked, and served with the right answers.

The configuration has what the one that mod_wasm comes with has (a program that prints, directories, an interpreter
with its library, the same with CGI, uploads, PHP beside static files), with programs of our own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.conftest import Done
from guests.build import guest
from servers.client import Answer, get, wait_compiled
from servers.fixtures import open_module_tmp as open_module_tmp
from servers.fixtures import serve
from servers.server import Server
from wsgi_wasm.importers import importer

CONF = """\
ServerRoot "ROOT"
Listen 8080
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule dir_module modules/mod_dir.so
LoadModule alias_module modules/mod_alias.so
LoadModule wasm_module modules/mod_wasm.so
Define PROGRAMS ROOT/programs

<IfModule wasm_module>
    IncludeOptional conf/absent-*.conf
    # Prints, and knows nothing of the request.
    <Location /prints>
        SetHandler wasm-handler
        WasmModule ${PROGRAMS}/args.wasm
        WasmEntryPoint _start
    </Location>
    <Location "/told">
        SetHandler wasm-handler
        WasmModule ${PROGRAMS}/args.wasm
        WasmArg "one \\"word\\""
        WasmArg \\
            two
    </Location>
    # An interpreter with the library that it reads, and a directory for its scripts.
    <Location /interpreted>
        SetHandler wasm-handler
        WasmModule ${PROGRAMS}/env.wasm
        WasmEnv    LIBRARY /lib/tool
        WasmEnv    ODD "${NOT} a 'name'"
        WasmEnv    YES 'on: # {x}'
        WasmMapDir /lib ROOT/library
        WasmMapDir /opt/ ROOT/programs
    </Location>
    <Location /requested>
        SetHandler wasm-handler
        WasmModule ${PROGRAMS}/env.wasm
        WasmEnv    LIBRARY /lib/tool
        WasmMapDir /lib ROOT/library
        WasmEnableCGI On
        WasmMapCGIFileNames On
    </Location>
    # Uploads: mod_wasm's directories can be written to.
    <Location /upload>
        SetHandler wasm-handler
        WasmModule ${PROGRAMS}/files.wasm
        WasmMapDir uploads/ ROOT/uploads
        WasmMapDir /shared ROOT/library
        WasmDir ROOT/uploads
        WasmEnableCGI On
    </Location>
    # A section inside another one starts anew: no variables, no directories.
    <Location /upload/inner>
        SetHandler wasm-handler
        WasmModule ${PROGRAMS}/env.wasm
        WasmEnableCGI On
    </Location>
    <IfModule dir_module>
        DirectoryIndex index.htm start.page
    </IfModule>
    <Location /pages>
        AddHandler wasm-handler .page
        WasmModule ${PROGRAMS}/env.wasm
        WasmEnv TMPDIR /tmp
        WasmMapDir / /
        WasmMapDir /tmp ROOT/tmp
        WasmEnableCGI On
    </Location>
    <Location /forgotten>
        SetHandler wasm-handler
    </Location>
</IfModule>
<IfModule !mpm_event_module>
    WasmArg never
</IfModule>
DocumentRoot "ROOT/htdocs"
<Directory />
    Require all denied
</Directory>
<Directory "ROOT/htdocs">
    Options Indexes
    Require all granted
</Directory>
"""


@pytest.fixture(scope="module")
def root(open_module_tmp: Path) -> Path:
    """The files of the old server."""
    root = open_module_tmp
    for folder in ("programs", "library", "uploads", "tmp", "htdocs/pages/sub"):
        (root / folder).mkdir(parents=True)
    for name in ("args", "env", "files"):
        shutil.copyfile(guest(name), root / "programs" / f"{name}.wasm")
    (root / "library" / "tool").write_text("a tool")
    for page in ("start.page", "other.page", "style.css", "sub/deep.page"):
        (root / "htdocs" / "pages" / page).write_text("x")
    conf = CONF.replace("ROOT", str(root))
    (root / "httpd.conf").write_text(conf)
    return root


@pytest.fixture(scope="module")
def site(root: Path) -> Path:
    made = importer("apache").convert(root / "httpd.conf", root)
    (root / "site.yaml").write_text(made.text)
    (root / "report.txt").write_text(made.report.text())
    return root / "site.yaml"


@pytest.fixture(scope="module")
def server(site: Path, open_module_tmp: Path) -> Iterator[Server]:
    with serve("gunicorn-gthread", site, open_module_tmp, ready="/requested", workers=1) as server:
        wait_compiled(server.address, "/prints", "/upload?op=stat&path=/")
        yield server


@pytest.fixture
def ask(server: Server) -> Callable[[str], Answer]:
    return lambda target: get(server.address, target)


def variables(answer: Answer) -> dict[str, str]:
    assert answer.status == 200, answer.text
    return dict(line.split("=", 1) for line in answer.text.splitlines() if "=" in line)


def test_check_accepts_it(wsgi_wasm: Callable[..., Done], site: Path) -> None:
    done = wsgi_wasm("check", str(site))
    assert done.status == 0, done.text + done.err


def test_a_program_that_prints(ask: Callable[[str], Answer]) -> None:
    answer = ask("/prints?query")
    assert (answer.field("Content-Type") or "").startswith("text/html")
    assert answer.text.splitlines()[-2:] == ["1", "[args.wasm]"]
    assert ask("/told/more").text.splitlines()[-4:] == ["3", "[args.wasm]", '[one "word"]', "[two]"]


def test_an_interpreter(ask: Callable[[str], Answer]) -> None:
    """Without CGI it has its own variables alone; with it, those of the request too."""
    assert variables(ask("/interpreted?a")) == {"LIBRARY": "/lib/tool", "YES": "on: # {x}"}
    told = variables(ask("/requested/a?b"))
    assert (told["PATH_INFO"], told["QUERY_STRING"], told["LIBRARY"]) == ("/a", "b", "/lib/tool")


def test_uploads(ask: Callable[[str], Answer], root: Path) -> None:
    assert "create OK" in ask("/upload?op=create&path=/uploads/new&text=sent").text
    assert (root / "uploads" / "new").read_text() == "sent"
    assert "<a tool>" in ask("/upload?op=read&path=/shared/tool").text
    assert "<sent>" in ask(f"/upload?op=read&path={root}/uploads/new").text


def test_a_section_inside_starts_anew(ask: Callable[[str], Answer], site: Path) -> None:
    told = variables(ask("/upload/inner/x"))
    assert (told["SCRIPT_NAME"], told["PATH_INFO"]) == ("/upload/inner", "/x")
    assert "a section that sets anything starts anew" in " ".join(site.read_text().replace("#", "").split())


@pytest.mark.parametrize(
    ("target", "script"),
    [("/pages/start.page", "/start.page"), ("/pages/", "/start.page"), ("/pages/sub/deep.page", "/sub/deep.page")],
)
def test_files_of_a_suffix(ask: Callable[[str], Answer], target: str, script: str) -> None:
    told = variables(ask(target))
    assert told["SCRIPT_FILENAME"] == script
    assert told["SCRIPT_NAME"] == f"/pages{script}"
    assert told["TMPDIR"] == "/tmp"


def test_other_files_are_not_served(ask: Callable[[str], Answer]) -> None:
    assert ask("/pages/style.css").status == 404
    assert ask("/forgotten").status == 404


# line, what became of it, words
REPORT = [
    ("Listen", "no meaning here", "front server"),
    ("LoadModule wasm_module", "no meaning here", ""),
    ("Define PROGRAMS", "kept", ""),
    ("IncludeOptional", "dropped", "no file has that name"),
    ("WasmEntryPoint", "kept", "_start is the default"),
    ("<Location /prints>", "kept", "routes./prints"),
    ("WasmMapDir /opt/", "needs your decision", "read-only"),
    ("WasmMapDir uploads/", "kept", "routes./upload.dirs./uploads"),
    ("WasmMapCGIFileNames", "kept", "routes./requested"),
    ("WasmMapDir / /", "dropped", "own directory as /"),
    ("WasmEnv ODD", "needs your decision", "--define NOT=VALUE"),
    ("<IfModule !mpm_event_module>", "dropped", "mpm_event_module is loaded"),
    ("Require all granted", "no meaning here", "everybody"),
]


def test_the_report(root: Path) -> None:
    made = importer("apache").convert(root / "httpd.conf", root)
    fates = list(made.report)
    for text, verdict, words in REPORT:
        fate = next(fate for _, fate in fates if fate.text.startswith(text))
        assert (fate.verdict, words in "; ".join(fate.notes)) == (verdict, True), (text, fate)
    forgotten = [fate for _, fate in fates if any("no WasmModule" in note for note in fate.notes)]
    assert [fate.verdict for fate in forgotten] == ["needs your decision"]
    assert all(fate.verdict for _, fate in fates), "every line has its verdict"
    assert "/lib/tool" not in made.report.text() + made.report.json(), "values are not shown"
