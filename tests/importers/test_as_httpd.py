"""The importer reads a configuration as httpd does: the same text, once served by httpd with mod_cgid, once imported.

Each program is there twice, as a shell script for httpd and as a module for the gateway, and prints its environment.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from werkzeug.test import Client

from guests.build import guest
from guests.printed import variables
from servers.apache import Apache, Site
from servers.client import request
from servers.fixtures import open_module_tmp as open_module_tmp
from wsgi_wasm import create_app
from wsgi_wasm.importers import importer

TREES = ("native", "modules")  # of httpd, and of the gateway
SCRIPT = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec /usr/bin/env\n"
PROGRAMS = (
    "cgi/tool", "cgi/inner/tool", "cgi/files/tool", "one/alone.wasm", "docs/x.wasm", "docs/index.wasm",
    "docs/sub/x.wasm", "docs/sub/low/x.wasm", "docs/off/x.wasm", "docs/denied/x.wasm", "docs/set/tool",
    "docs/set/index.wasm", "docs/plain/x.wasm", "docs/loc/x.wasm", "docs/old/x.wasm", "docs/all/x.wasm",
    "docs/minus/x.wasm", "docs/replaced/x.wasm", "site/app/x.wasm", "site/app/deep/x.wasm", "site/x.wasm",
    "site/closed/x.wasm", "b/tool", "users/x.wasm", "un/one/tool", "un/two/tool",
)  # fmt: skip

CONF = """\
<IfModule alias_module>
Define PLACE TREE
SetEnv T_SERVER server
SetEnv T_A server
SetEnv T_B "server b"
SetEnv T_EMPTY
SetEnv T_QUOTED "a \\"quoted\\" \\\\ one"
SetEnv T_UNDEFINED '${NOT_DEFINED}'
SetEnvIf Host (.*) IGNORED=1
ScriptAlias /cgi-bin/ ${PLACE}/cgi/
ScriptAlias /cgi-bin/early ${PLACE}/b/
ScriptAlias "/alone" "TREE/one/alone.wasm"
ScriptAlias /un/ TREE/un/
ScriptAliasMatch ^/run/(.*)$ TREE/cgi/$1
Alias /docs TREE/docs
Alias /users/ TREE/users/
Alias /site TREE/site
</IfModule>
<IfModule no_module.c>
SetEnv T_A never
</IfModule>
<IfDefine !NOTHING>
<IfVersion >= 2.4>
SetEnv T_IF yes
</IfVersion>
</IfDefine>
<Directory TREE/un/two>
    UnsetEnv T_A
    UnsetEnv T_DIR
    SetEnv T_A2 2
</Directory>
<Location /un/one>
    UnsetEnv T_A
    UnsetEnv T_DIR
</Location>
<Directory TREE>
    Require all granted
    AllowOverride None
    SetEnv T_DIR \\
        tree
</Directory>
<Directory TREE/cgi/inner>
    SetEnv T_A inner
    UnsetEnv T_B
</Directory>
<Location /cgi-bin/files>
    SetEnv T_A location
</Location>
<Directory TREE/cgi/files>
    SetEnv T_A directory
    SetEnv T_B directory
</Directory>
# Shorter directories come first, whatever the order here.
<Directory TREE/docs/sub/low>
    SetEnv T_A low
</Directory>
<Directory TREE/docs/sub>
    SetEnv T_A sub
    SetEnv T_B sub
    AllowOverride FileInfo
</Directory>
<Directory TREE/docs>
    Options +ExecCGI
    AddHandler cgi-script .wasm
    DirectoryIndex none.html index.wasm x.wasm
    SetEnv T_A docs
</Directory>
<Directory TREE/docs/off>
    Options -ExecCGI
</Directory>
<Directory TREE/docs/replaced>
    Options Indexes
</Directory>
<Directory TREE/docs/all>
    Options All
</Directory>
<Directory TREE/docs/minus>
    Options -Indexes
</Directory>
<Directory TREE/docs/denied>
    Require all denied
</Directory>
<Directory TREE/docs/set>
    SetHandler cgi-script
</Directory>
<Directory TREE/docs/plain>
    RemoveHandler .wasm
</Directory>
<Directory TREE/site>
    AllowOverride All
</Directory>
<Directory TREE/site/closed>
    AllowOverride None
</Directory>
<Location /docs/loc>
    SetEnv T_A location
</Location>
<LocationMatch "^/docs/(old)$">
    SetEnv IGNORED 1
</LocationMatch>
"""
VHOSTS = """\
<VirtualHost *>
    ServerName first.example
</VirtualHost>
<VirtualHost *>
    ServerName b.example
    ServerAlias *.b.example
    SetEnv T_A b
    ScriptAlias /own/ TREE/b/
    ScriptAlias /cgi-bin/ TREE/b/
</VirtualHost>
"""

# host, path
ASKED = [
    ("first.example", "/cgi-bin/tool"),
    ("first.example", "/cgi-bin/tool/more/path?q=1"),
    ("first.example", "/cgi-bin/none"),
    ("first.example", "/cgi-bin/inner/tool"),
    ("first.example", "/cgi-bin/files/tool"),
    ("first.example", "/cgi-bin/early/tool"),
    ("first.example", "/un/one/tool"),
    ("first.example", "/un/two/tool"),
    ("first.example", "/alone"),
    ("first.example", "/alone/more"),
    ("first.example", "/run/tool/x"),
    ("first.example", "/docs/x.wasm/p"),
    ("first.example", "/docs/"),
    ("first.example", "/docs/style.css"),
    ("first.example", "/docs/sub/x.wasm"),
    ("first.example", "/docs/sub/low/x.wasm"),
    ("first.example", "/docs/all/x.wasm"),
    ("first.example", "/docs/minus/x.wasm"),
    ("first.example", "/docs/set/tool/p"),
    ("first.example", "/docs/set/"),
    ("first.example", "/docs/loc/x.wasm"),
    ("first.example", "/docs/old/x.wasm"),
    ("first.example", "/users/x.wasm"),
    ("first.example", "/site/x.wasm"),
    ("first.example", "/site/app/x.wasm"),
    ("first.example", "/site/app/deep/x.wasm/p"),
    ("first.example", "/site/closed/x.wasm"),
    ("first.example", "/own/tool"),
    ("unknown.example", "/cgi-bin/tool"),
    ("b.example", "/cgi-bin/tool"),
    ("deep.b.example", "/own/tool"),
    ("B.EXAMPLE", "/docs/sub/low/x.wasm"),
]
# Where the gateway's route for the directory above answers as well, which the report says.
OUTSIDE = ["/docs/off/x.wasm", "/docs/replaced/x.wasm", "/docs/denied/x.wasm", "/docs/plain/x.wasm"]
COMPARED = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")


@dataclass(frozen=True)
class Both:
    """The same site by httpd and by the gateway; `report` has the notes by the text of a line."""

    apache: Apache
    gateway: Client
    report: dict[str, str]

    def of_httpd(self, host: str, target: str) -> dict[str, str] | None:
        answer = request(self.apache.address, "GET", target, fields=(("Host", host),))
        return told(answer.text) if answer.status == 200 else None

    def of_gateway(self, host: str, target: str) -> dict[str, str] | None:
        answer = self.gateway.get(target, headers={"Host": host})
        return told(answer.text) if answer.status_code == 200 else None


def told(text: str) -> dict[str, str] | None:
    """The variables that a program prints; None where it was none."""
    found = variables(text)
    if "SCRIPT_NAME" not in found:
        return None
    # httpd leaves an empty PATH_INFO out.
    return {name: value for name, value in found.items() if (value and name in COMPARED) or name.startswith("T_")}


def plant(root: Path, names: Iterable[str]) -> None:
    """Put programs of these names into both trees."""
    for tree, name in product(TREES, names):
        path = root / tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if tree == "native":
            path.write_text(SCRIPT)
        else:
            shutil.copyfile(guest("env"), path)
        path.chmod(0o755)


@pytest.fixture(scope="module")
def both(open_module_tmp: Path) -> Iterator[Both]:
    plant(open_module_tmp, PROGRAMS)
    for tree in TREES:
        (open_module_tmp / tree / "docs" / "style.css").write_text("x")
        for name in ("app", "closed"):
            own = "Options +ExecCGI\nAddHandler cgi-script .wasm\nSetEnv T_HT app\n"
            (open_module_tmp / tree / "site" / name / ".htaccess").write_text(own)
        (open_module_tmp / tree / "docs" / "sub" / ".htaccess").write_text("SetEnv T_B htaccess\nSetEnv T_HT yes\n")
    conf = open_module_tmp / "httpd.conf"
    loading = "LoadModule alias_module modules/mod_alias.so\n"  # as the server's own configuration does
    conf.write_text((loading + CONF + VHOSTS).replace("TREE", str(open_module_tmp / "modules")))
    made = importer("apache").convert(conf, open_module_tmp)
    (open_module_tmp / "site.yaml").write_text(made.text)
    text = (CONF + VHOSTS).replace("TREE", str(open_module_tmp / "native"))
    empty = open_module_tmp / "empty"
    empty.mkdir()
    site = Site(text=text, wsgi=False, modules=("version",), native={"/never": empty}, docroot=empty)
    with Apache.start(site, open_module_tmp) as apache:
        notes = {fate.text: "; ".join(fate.notes) for _, fate in made.report}
        yield Both(apache, Client(create_app(open_module_tmp / "site.yaml")), notes)


@pytest.mark.parametrize(("host", "target"), ASKED, ids=[f"{host}{target}" for host, target in ASKED])
def test_the_same_program_with_the_same_variables(both: Both, host: str, target: str) -> None:
    theirs = both.of_httpd(host, target)
    if theirs is not None:
        # An undefined name is left out and reported; httpd passes it on as it is written.
        assert theirs.pop("T_UNDEFINED") == "${NOT_DEFINED}"
    assert both.of_gateway(host, target) == theirs


@pytest.mark.parametrize("target", OUTSIDE)
def test_what_the_route_above_answers_is_reported(both: Both, target: str) -> None:
    assert both.of_httpd("first.example", target) is None
    section = next(
        line for line in both.report if line.startswith("<Directory") and line[:-1].endswith(os.path.dirname(target))
    )
    assert "answers here too" in both.report[section]
