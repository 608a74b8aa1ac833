"""`wsgi-wasm apache` against a real httpd: programs move one at a time, under their old URLs, and back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from python.cases import interpreter_cache
from wsgi_wasm.toolchain.build import build

from .apache import PROGRAM, Apache, Site
from .apache import put as put_readable
from .client import Answer, get
from .command import command, environment
from .fixtures import server_environ
from .process import wait_for
from .test_entries_serve import HELLO

NATIVE = """#!/bin/sh
printf 'Content-Type: text/plain\\n\\nnative %s' "$SCRIPT_NAME$PATH_INFO"
"""

COUNTER = r"""
#include <stdio.h>
#include <stdlib.h>
#ifdef __wasm__
#define KIND "wasm"
#else
#define KIND "native"
#endif
int main(void)
{
    printf("Content-Type: text/plain\n\n" KIND " %s %s %s %s", getenv("SCRIPT_NAME"), getenv("PATH_INFO"),
           getenv("QUERY_STRING"), getenv("REQUEST_METHOD"));
    return 0;
}
"""

MODES = ("daemon", "embedded")


@dataclass(frozen=True)
class Place:
    """A server with CGI programs, and directories for its configuration in Debian's form."""

    apache: Apache
    tmp: Path

    @property
    def bin(self) -> Path:
        return self.tmp / "cgi-bin"

    @property
    def etc(self) -> Path:
        return self.tmp / "etc"

    def argv(self, action: str, site: Path, *options: str) -> list[str]:
        python = ["--python-home", str(self.apache.python_home)] if action == "enable" else []
        places = ["--conf-dir", str(self.etc), "--apachectl", str(self.tmp / "apachectl")]
        return command("apache", action, str(site), *places, *python, *options)

    def run(
        self, action: str, site: Path, *options: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        environ = {**environment(), **(env or {})}
        return subprocess.run(
            self.argv(action, site, *options), env=environ, capture_output=True, text=True, check=False
        )

    def enable(self, site: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        ran = self.run("enable", site, "--reload", *options, env=env)
        assert ran.returncode == 0, ran.stderr

    def disable(self, site: Path) -> None:
        ran = self.run("disable", site, "--reload")
        assert ran.returncode == 0, ran.stderr

    @contextmanager
    def enabled(self, site: Path, *options: str) -> Iterator[None]:
        self.enable(site, *options)
        try:
            yield
        finally:
            self.disable(site)

    def site(self, text: str, name: str = "site.yaml") -> Path:
        path = self.tmp / name
        put_readable(path, text.encode())
        return path

    def answers(self, path: str, text: str, **options: dict[str, str]) -> Answer:
        """Return once GET `path` has this answer: a reload takes its time, and so does compiling."""
        last: list[Answer] = []

        def right() -> bool:
            last[:] = [get(self.apache.address, path, **options)]
            return last[0].text == text

        try:
            wait_for(f"{path} to answer {text!r}", right, 30)
        except Exception as error:
            raise AssertionError(f"{error}: {last and last[0]}\n{self.apache.log()[-3000:]}") from None
        return last[0]

    def tree(self) -> dict[str, tuple[bytes | str, int]]:
        """All that lies in the directories of the configuration."""
        return {
            str(path.relative_to(self.etc)): (
                os.readlink(path) if path.is_symlink() else path.read_bytes(),
                path.lstat().st_mode,
            )
            for path in self.etc.rglob("*")
            if path.is_symlink() or path.is_file()
        }


@contextmanager
def serving(tmp: Path, cache: Path | None = None) -> Iterator[Place]:
    directory = tmp / "cgi-bin"
    directory.mkdir()
    for name in ("old.cgi", "other.cgi", "script.sh"):
        native(directory / name)
    for name in ("conf-available", "conf-enabled"):
        (tmp / "etc" / name).mkdir(parents=True)
    text = f'IncludeOptional "{tmp}/etc/conf-enabled/*.conf"\n'
    whole = Site(text=text, native={"/cgi-bin": directory}, modules=("rewrite",))
    environ = server_environ("mod_wsgi-daemon", tmp, cache, None)
    with Apache.start(whole, tmp, env=environ) as apache:
        control = tmp / "apachectl"
        control.write_text(
            "#!/bin/sh\n"
            f'case "$1" in\nconfigtest) exec {PROGRAM} -t -d {apache.root} -f {apache.root}/httpd.conf ;;\n'
            f"graceful) exec kill -USR1 {apache.process.pid} ;;\nesac\nexit 2\n"
        )
        control.chmod(0o755)
        yield Place(apache, tmp)


def native(path: Path) -> None:
    path.write_text(NATIVE)
    path.chmod(0o755)


def wasm(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    put_readable(path, bytes(wat2wasm(HELLO)))


@pytest.fixture(scope="module")
def place(open_module_tmp: Path) -> Iterator[Place]:
    with serving(open_module_tmp) as place:
        yield place


@pytest.mark.parametrize("mode", MODES)
def test_one_c_program_under_its_old_url_and_back(place: Place, mode: str) -> None:
    """The first recipe of docs/apache.md: one source, natively and as Wasm."""
    source = place.tmp / "counter.c"
    source.write_text(COUNTER, encoding="utf-8")
    subprocess.run(["cc", "-o", place.bin / "counter.cgi", source], check=True)
    build([source], place.tmp / "counter.wasm")
    (place.tmp / "counter.wasm").chmod(0o644)
    site = place.site("routes:\n  /cgi-bin/counter.cgi: {module: counter.wasm}\n")
    before = place.tree()
    path, told = "/cgi-bin/counter.cgi/a%20b?c=d", " /cgi-bin/counter.cgi /a b c=d GET"
    place.answers(path, f"native{told}")
    place.enable(site, *(["--embedded"] if mode == "embedded" else []))
    place.answers(path, f"wasm{told}")
    place.answers("/cgi-bin/other.cgi", "native /cgi-bin/other.cgi")
    assert get(place.apache.address, "/cgi-bin/counter.cgiz").status == 404
    status = place.run("status", site)
    assert status.returncode == 0, status.stdout
    assert "they match" in status.stdout
    place.disable(site)
    assert place.tree() == before
    place.answers(path, f"native{told}")
    status = place.run("status", site)
    assert (status.returncode, "is not enabled" in status.stdout) == (1, True)


def test_one_python_script(open_tmp: Path) -> None:
    """The second recipe: what has moved lies in a directory of its own, under the URL of the others."""
    cache = interpreter_cache(open_tmp)
    with serving(open_tmp, cache) as place:
        native(place.bin / "report.py")
        moved = open_tmp / "moved" / "report.py"
        moved.parent.mkdir()
        put_readable(
            moved, b"import os\nprint('Content-Type: text/plain\\n\\npython', os.environ['SCRIPT_NAME'], end='')"
        )
        text = f"routes:\n  /cgi-bin:\n    directory: {moved.parent}\n    interpreters: {{.py: python}}\n"
        site = place.site(f"{text}    native: true\n    queue_timeout: 60s\n")
        place.answers("/cgi-bin/report.py", "native /cgi-bin/report.py")
        place.enable(site, env={"WSGI_WASM_CACHE": str(cache)})
        place.answers("/cgi-bin/report.py", "python /cgi-bin/report.py")
        place.answers("/cgi-bin/old.cgi", "native /cgi-bin/old.cgi")
        moved.unlink()
        place.enable(site, env={"WSGI_WASM_CACHE": str(cache)})
        place.answers("/cgi-bin/report.py", "native /cgi-bin/report.py")


def test_a_directory_of_both(place: Place) -> None:
    """What is Wasm in a directory moves, file by file; what is not never reaches the site."""
    wasm(place.bin / "new.wasm")
    wasm(place.bin / "sub" / "index.wasm")
    wasm(place.bin / 'größe (1) $HOME "%{x}" <b>\n\'.wasm')
    strange = "/cgi-bin/gr%C3%B6%C3%9Fe%20(1)%20$HOME%20%22%25%7Bx%7D%22%20%3Cb%3E%0A'.wasm"
    site = place.site(f"routes:\n  /cgi-bin: {{directory: {place.bin}, native: true}}\n")
    with place.enabled(site):
        for path in ("/cgi-bin/new.wasm/x", "/cgi-bin/sub/", strange):
            place.answers(path, "hello")
        for path in ("/cgi-bin/old.cgi/x", "/cgi-bin/other.cgi", "/cgi-bin/script.sh"):
            place.answers(path, f"native {path}")
        assert get(place.apache.address, "/cgi-bin/sub").status == 301
        native(place.bin / "later.cgi")
        place.answers("/cgi-bin/later.cgi", "native /cgi-bin/later.cgi")

        wasm(place.bin / "later.wasm")
        status = place.run("status", site)
        assert (status.returncode, "they no longer match" in status.stdout) == (1, True)
        place.enable(site)
        place.answers("/cgi-bin/later.wasm", "hello")


def test_a_canary_by_cookie(place: Place) -> None:
    wasm(place.tmp / "old.wasm")
    site = place.site("routes:\n  /cgi-bin/old.cgi: {module: old.wasm}\n")
    with place.enabled(site, "--cookie", "wasm=1"):
        for cookie in ("wasm=1", "a=b; wasm=1", "wasm=1; a=b"):
            place.answers("/cgi-bin/old.cgi", "hello", fields={"Cookie": cookie})
        for cookie in ("a=b", "xwasm=1", "wasm=10", "wasm=2", "a=wasm=1"):
            place.answers("/cgi-bin/old.cgi", "native /cgi-bin/old.cgi", fields={"Cookie": cookie})
        place.answers("/cgi-bin/old.cgi", "native /cgi-bin/old.cgi")


def test_virtual_hosts(place: Place) -> None:
    """A rule is for the hosts of its routes, as in the site."""
    wasm(place.tmp / "old.wasm")
    route = "{routes: {/cgi-bin/old.cgi: {module: old.wasm}}}"
    other = "{routes: {/cgi-bin/other.cgi: {module: old.wasm}}}"
    site = place.site(f'hosts:\n  shop.example: {route}\n  "*.shop.example": {other}\n  a.shop.example: {route}\n')
    expected = {
        "shop.example": "old",
        "SHOP.example.:80": "old",
        "b.shop.example": "other",
        "a.b.shop.example": "other",
        "a.shop.example": "old",
        "other.example": "",
        "xshop.example": "",
        "shop.example.com": "",
    }
    with place.enabled(site):
        for host, moved in expected.items():
            for name in ("old", "other"):
                path = f"/cgi-bin/{name}.cgi"
                place.answers(path, "hello" if moved == name else f"native {path}", fields={"Host": host})


def test_paths_as_clients_write_them(place: Place) -> None:
    """What leads to a native program leads to the one that has taken its place, and nothing else does."""
    wasm(place.tmp / "old.wasm")
    site = place.site("routes:\n  /cgi-bin/old.cgi: {module: old.wasm}\n")
    with place.enabled(site):
        for path in (
            "/cgi-bin/old.cgi?x",
            "/cgi-bin/%6Fld.cgi",
            "//cgi-bin//old.cgi",
            "/x/../cgi-bin/./old.cgi",
            "/cgi-bin/old.cgi/../old.cgi",
        ):
            place.answers(path, "hello")
        for path in ("/cgi-bin/OLD.cgi", "/cgi-bin/old.cgi%0A", "/cgi-bin/old.cgi.", "/x/cgi-bin/old.cgi"):
            assert get(place.apache.address, path).status == 404, path


def test_access_rules_stay_in_force(place: Place) -> None:
    """Those of a directory, and of a location that was there before."""
    wasm(place.tmp / "old.wasm")
    rule = place.etc / "conf-enabled" / "a.conf"
    site = place.site("routes:\n  /cgi-bin/old.cgi: {module: old.wasm}\n  /cgi-bin/new: {module: old.wasm}\n")
    with place.enabled(site):
        try:
            place.answers("/cgi-bin/new", "hello")
            for section in (f'Directory "{place.bin}"', 'Location "/cgi-bin"'):
                rule.write_text(f"<{section}>\n    Require all denied\n</{section.split()[0]}>\n", encoding="utf-8")
                place.apache.process.send(signal.SIGUSR1)
                wait_for("403", lambda: get(place.apache.address, "/cgi-bin/old.cgi").status == 403, 30)
                assert get(place.apache.address, "/cgi-bin/new").status == 403
        finally:
            rule.unlink(missing_ok=True)


def test_an_error_document(place: Place) -> None:
    """A program of the site is httpd's own page for an error, with the status of the error."""
    wasm(place.tmp / "old.wasm")
    rule = place.etc / "conf-enabled" / "a.conf"
    rule.write_text("ErrorDocument 404 /errors/missing\n", encoding="utf-8")
    site = place.site("routes:\n  /errors: {module: old.wasm}\n")
    with place.enabled(site):
        try:
            assert place.answers("/nowhere", "hello").status == 404
            assert place.answers("/errors/missing", "hello").status == 200
        finally:
            rule.unlink()


def test_a_site_that_takes_over(place: Place) -> None:
    """A route at / gets all that no other rule of httpd's is for."""
    wasm(place.tmp / "old.wasm")
    site = place.site("routes:\n  /: {module: old.wasm}\n")
    with place.enabled(site):
        for path in ("/", "/cgi-bin/old.cgi", "/any/thing"):
            place.answers(path, "hello")
    place.answers("/cgi-bin/old.cgi", "native /cgi-bin/old.cgi")
