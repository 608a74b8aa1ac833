"""Sections in any number and order, as one virtual host each: httpd and the importer agree on what runs at every path,
and on its variables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import Client

from servers.apache import Apache, Site
from servers.client import request
from servers.fixtures import open_module_tmp as open_module_tmp
from wsgi_wasm import create_app
from wsgi_wasm.importers import importer

from .test_as_httpd import plant, told

HOSTS = 40
SEED = 20261201
DIRECTORIES = ("a", "a/b", "a/b/c", "d", "d/e")
PLACES = ("p", "p/b", "p/b/c", "q", "q/e", "r", "cgi")
PATHS = (
    "/p/", "/p/x.wasm", "/p/tool", "/p/b/x.wasm", "/p/b/tool/i", "/p/b/c/x.wasm", "/q/", "/q/x.wasm", "/q/e/",
    "/q/e/tool", "/q/e/x.wasm", "/r/tool", "/r/e/x.wasm", "/cgi/tool", "/cgi/b/x.wasm/y", "/m/tool", "/m/b/c/tool",
)  # fmt: skip
ALIASES = (
    "Alias /p TREE/a", "Alias /q/ TREE/d/", "ScriptAlias /cgi/ TREE/a/", "ScriptAlias /r TREE/d",
    "ScriptAliasMatch ^/m/(.*)$ TREE/a/$1", "Alias /p/b TREE/d", "ScriptAlias /p/b/ TREE/d/",
)  # fmt: skip
OPTIONS = ("ExecCGI", "+ExecCGI", "+ExecCGI", "-ExecCGI", "None", "All", "Indexes", "+Indexes -ExecCGI")
LINES = (
    "AddHandler cgi-script .wasm", "AddHandler cgi-script wasm", "SetHandler cgi-script", "SetHandler none",
    "RemoveHandler .wasm", "DirectoryIndex index.wasm", "DirectoryIndex x.wasm none", "Require all granted",
)  # fmt: skip
USUAL = """\
Alias /p TREE/a
Alias /q/ TREE/d/
ScriptAlias /cgi/ TREE/a/
<Directory TREE/a>
    Options +ExecCGI
    AddHandler cgi-script .wasm
</Directory>
<Directory TREE/d>
    Options +ExecCGI
    SetHandler cgi-script
</Directory>
"""


def lines(some: random.Random) -> str:
    """A few lines of a section, of which one at most is about options."""
    found = [f"Options {some.choice(OPTIONS)}"] if some.random() < 0.4 else []
    for _ in range(some.randint(1, 4)):
        variable = f"T_{some.choice('ABC')}"
        found.append(
            some.choice([f"SetEnv {variable} {some.randint(0, 9)}"] * 4 + [f"UnsetEnv {variable}"] * 2 + [*LINES])
        )
    if some.random() < 0.05:
        found.append("Require all denied")
    some.shuffle(found)
    return "\n".join(found)


def host(some: random.Random) -> str:
    parts = [USUAL] if some.random() < 0.7 else []
    for _ in range(some.randint(2, 9)):
        kind = some.random()
        if kind < 0.4:
            parts.append(f"<Directory TREE/{some.choice(DIRECTORIES)}>\n{lines(some)}\n</Directory>")
        elif kind < 0.6:
            parts.append(f"<Location /{some.choice(PLACES)}>\n{lines(some)}\n</Location>")
        elif kind < 0.7:
            parts.append('<FilesMatch "\\.wasm$">\nSetHandler cgi-script\n</FilesMatch>')
        elif kind < 0.9:
            parts.append(some.choice(ALIASES))
        else:
            parts.append(f"SetEnv T_A {some.randint(0, 9)}\nOptions {some.choice(OPTIONS)}")
    return "\n".join(parts)


class Sites:
    """The hosts by both servers, and for each the notes of its lines in the report."""

    def __init__(self, root: Path, apache: Apache, text: str, notes: list[str]) -> None:
        self.apache, self.notes = apache, notes
        self.gateway = Client(create_app(root / "site.yaml"))
        self.hosts = text.split("<VirtualHost *>")[1:]


@pytest.fixture(scope="module")
def sites(open_module_tmp: Path) -> Iterator[Sites]:
    root, some = open_module_tmp, random.Random(SEED)
    plant(root, [f"{directory}/{file}" for directory in DIRECTORIES for file in ("x.wasm", "tool", "index.wasm")])
    text = "<Directory TREE>\nRequire all granted\n</Directory>\n" + "".join(
        f"<VirtualHost *>\nServerName h{number}.example\n{host(some)}\n</VirtualHost>\n" for number in range(HOSTS)
    )
    conf = root / "httpd.conf"
    conf.write_text(text.replace("TREE", str(root / "modules")))
    made = importer("apache").convert(conf, root)
    (root / "site.yaml").write_text(made.text)
    starts = [number for number, line in enumerate(text.splitlines(), 1) if line == "<VirtualHost *>"]
    notes = [""] * HOSTS
    for place, fate in made.report:
        notes[max(0, sum(start <= place.line for start in starts) - 1)] += "; ".join(fate.notes)
    (root / "empty").mkdir()
    site = Site(
        text=text.replace("TREE", str(root / "native")),
        wsgi=False,
        native={"/never": root / "empty"},
        docroot=root / "empty",
    )
    with Apache.start(site, root) as apache:
        yield Sites(root, apache, text, notes)


@pytest.mark.parametrize("number", range(HOSTS))
def test_httpd_and_the_importer_agree(sites: Sites, number: int) -> None:
    fields = {"Host": f"h{number}.example"}
    for path in PATHS:
        theirs = request(sites.apache.address, "GET", path, fields=tuple(fields.items()))
        ours = sites.gateway.get(path, headers=fields)
        ran = told(theirs.text) if theirs.status == 200 else None
        runs = told(ours.text) if ours.status_code == 200 else None
        if ran is None and "answers here too" in sites.notes[number]:
            continue  # said in the report, and in the file
        assert runs == ran, f"{path} of {sites.hosts[number]}"


def test_programs_ran(sites: Sites) -> None:
    """Or all of this would show nothing."""
    asked = [("Host", f"h{number}.example") for number in range(HOSTS)]
    found = [request(sites.apache.address, "GET", path, fields=(one,)).status for one in asked for path in PATHS]
    assert found.count(200) > len(found) // 4
