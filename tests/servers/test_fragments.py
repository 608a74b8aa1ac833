"""The fragments of apache/ in a server that has more than them: which trees and virtual hosts they change, and that
they change nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .apache import Apache, Site, include, runs_as_other_user
from .client import Answer, get_compiled
from .fixtures import FRAGMENTS, fragment_defines, scripts, server_environ
from .test_entries_serve import put, site

TREES = ("www", "shop", "tools", "host", "users/ann/public", "users/bob/public")

# `www` is the docroot of the drop-in; `tools`, `host` and ann's pages are added; `shop` and bob's are not.
TEXT = """
DirectoryIndex home.html
UserDir "{tmp}/users/*/public"
<Directory "{tmp}">
    Require all granted
</Directory>
{fragments}
Use WsgiWasm "{tmp}/tools"
Use WsgiWasm "{tmp}/users/a*/public"
<VirtualHost *:*>
    ServerName www.example
    DocumentRoot "{tmp}/www"
    Alias /tools "{tmp}/tools"
    Alias /native/app "{tmp}/shop"
</VirtualHost>
<VirtualHost *:*>
    ServerName shop.example
    DocumentRoot "{tmp}/shop"
    Include "${{WSGI_WASM_SHARE}}/wsgi-wasm-site.conf"
</VirtualHost>
<VirtualHost *:*>
    ServerName host.example
    DocumentRoot "{tmp}/host"
    Include "${{WSGI_WASM_SHARE}}/wsgi-wasm-files.conf"
    Alias /app "{tmp}/shop"
</VirtualHost>
"""


@dataclass(frozen=True)
class Running:
    """Apache with three virtual hosts."""

    apache: Apache
    tmp: Path

    def ask(self, host: str, path: str) -> Answer:
        """GET, again while a module is being compiled."""
        return get_compiled(self.apache.address, path, fields={"Host": host})


@pytest.fixture(scope="module", params=[False, True], ids=["every-host", "some-hosts"])
def running(request: pytest.FixtureRequest, open_module_tmp: Path) -> Iterator[Running]:
    some: bool = request.param
    tmp = open_module_tmp / ("some" if some else "every")
    for tree in TREES:
        for name in ("a.wasm", "below/index.wasm", "both/index.wasm", "listed/index.wasm"):
            put(tmp / tree / name)
        for name in ("home.html", "both/index.html", "listed/home.html"):
            (tmp / tree / name).write_text(f"{name} of {tree}", encoding="utf-8")
    tmp.chmod(0o755)
    config = site(tmp)
    environ = {"WSGI_WASM_CONFIG": str(config), **server_environ("mod_wsgi-daemon", tmp, None, None)}
    text = TEXT.format(tmp=tmp, fragments=include(FRAGMENTS / "wsgi-wasm.conf", FRAGMENTS / "wsgi-wasm-handler.conf"))
    defines = {**fragment_defines(), "WSGI_WASM_DOCROOT": str(tmp / "www")}
    if some:
        defines["WSGI_WASM_SOME_HOSTS"] = ""
    else:
        text = text.replace('    Include "${WSGI_WASM_SHARE}/wsgi-wasm-site.conf"\n', "")
    whole = Site(
        text=text,
        scripts=scripts(tmp),
        docroot=tmp / "www",
        modules=("macro", "userdir", "autoindex"),
        daemons=2,
        defines=defines,
    )
    with Apache.start(whole, tmp, env=environ) as apache:
        yield Running(apache, tmp)


# Whether a program answers in a tree, or Apache sends the file.
PROGRAMS = {
    ("www.example", ""): True,
    ("www.example", "/tools"): True,
    ("www.example", "/~ann"): True,
    ("www.example", "/~bob"): False,
    ("shop.example", ""): False,
    ("host.example", ""): True,
}


@pytest.mark.parametrize(("host", "prefix"), PROGRAMS)
def test_programs_answer_where_the_part_is_included(running: Running, host: str, prefix: str) -> None:
    answers = PROGRAMS[host, prefix]
    program = running.ask(host, f"{prefix}/a.wasm")
    assert program.status == 200
    assert program.body == b"hello" if answers else program.body.startswith(b"\0asm")
    below = running.ask(host, f"{prefix}/below/")
    assert (below.status, below.body) == (200, b"hello") if answers else below.status == 403


@pytest.mark.parametrize(("host", "prefix"), PROGRAMS)
def test_the_index_of_a_tree_stays(running: Running, host: str, prefix: str) -> None:
    tree = {"/tools": "tools", "/~ann": "users/ann/public", "/~bob": "users/bob/public"}.get(prefix, host.split(".")[0])
    assert running.ask(host, f"{prefix}/").text == f"home.html of {tree}"
    both = running.ask(host, f"{prefix}/both/")
    answers = PROGRAMS[host, prefix]
    assert (both.status, both.text) == (200, f"both/index.html of {tree}") if answers else both.status == 403
    listed = running.ask(host, f"{prefix}/listed/")
    assert listed.text == ("hello" if answers else f"listed/home.html of {tree}")


def test_links_of_other_owners_are_served_as_before(running: Running) -> None:
    """The fragment leaves `Options` alone; what it runs itself, it looks at itself."""
    for name in ("home.html", "a.wasm"):
        link = running.tmp / "www" / f"link-{name}"
        link.unlink(missing_ok=True)
        link.symlink_to(running.tmp / "shop" / name)
        if runs_as_other_user():  # only root can give files away
            os.chown(link, 12345, 12345, follow_symlinks=False)
    assert running.ask("www.example", "/link-home.html").text == "home.html of shop"
    assert running.ask("www.example", "/link-a.wasm").status == (404 if runs_as_other_user() else 200)


def test_the_site_answers_on_the_hosts_that_the_fragment_names(running: Running) -> None:
    some = running.tmp.name == "some"
    statuses = {
        host: running.ask(host, "/app/hello").status for host in ("www.example", "shop.example", "host.example")
    }
    # host.example has an Alias of its own
    assert statuses == {"www.example": 404 if some else 200, "shop.example": 200, "host.example": 404}
