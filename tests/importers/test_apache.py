"""`wsgi-wasm import apache`: what becomes of httpd's directives, in the order and by the rules of httpd."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

from cli.conftest import Command
from cli.conftest import wsgi_wasm as wsgi_wasm
from guests.build import guest
from wsgi_wasm import create_app, load_config
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.importers import importer
from wsgi_wasm.importers.imported import Imported, Options

from .apache_sites import CGI, FATES, MISTAKES, MODULE, SCRIPTS, SITES, SUFFIX


def imported(tmp_path: Path, text: str, **defined: str | None) -> Imported:
    """The site of a configuration whose ROOT is a directory with programs, which loads."""
    for name in ("cgi/tool.wasm", "cgi/form.py", "docs/page.py", "docs/style.css", "docs/sub/x.py", "bin/m.wasm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("#!/usr/bin/python3\n")
        (tmp_path / name).chmod(0o755)
    conf = tmp_path / "httpd.conf"
    conf.write_text(text.replace("ROOT", str(tmp_path)), encoding="utf-8")
    made = importer("apache").convert(conf, tmp_path, Options(defined))
    (tmp_path / "site.yaml").write_text(made.text, encoding="utf-8")
    load_config(tmp_path / "site.yaml")
    assert all(fate.verdict and fate.notes for _, fate in made.report), "nothing is left unsaid"
    return made


def routes(made: Imported) -> dict[str, Any]:
    """By host and path, the keys that are not their defaults."""
    data = yaml.safe_load(made.text)
    tables = {"": data["routes"], **{host: entry["routes"] for host, entry in data.get("hosts", {}).items()}}
    return {f"{host}{path}": keys for host, table in tables.items() for path, keys in table.items()}


@pytest.mark.parametrize(("text", "expected"), SITES.values(), ids=SITES)
def test_the_site(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    assert routes(imported(tmp_path, text)) == placed(expected, str(tmp_path))


def placed(data: Any, root: str) -> Any:
    """The same with the directory that ROOT stands for."""
    if isinstance(data, dict):
        return {placed(key, root): placed(value, root) for key, value in data.items()}
    return data.replace("ROOT", root) if isinstance(data, str) else data


@pytest.mark.parametrize(
    ("text", "line", "verdict", "words"), [row[1:] for row in FATES], ids=[row[0] for row in FATES]
)
def test_what_becomes_of_a_line(tmp_path: Path, text: str, line: str, verdict: str, words: str) -> None:
    report = imported(tmp_path, text).report
    fate = next(fate for _, fate in report if fate.text.startswith(line))
    assert (fate.verdict, words in "; ".join(fate.notes)) == (verdict, True), fate


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(tmp_path, text)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_is_included(tmp_path: Path) -> None:
    for name in ("conf.d/b.conf", "conf.d/a.conf", "conf.d/.hidden.conf", "sites/x/one.conf", "sites/y/two.conf"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"ScriptAlias /{path.stem} {tmp_path}/cgi\n")
    made = imported(tmp_path, "Include conf.d/*.conf\nIncludeOptional sites/*/*.conf\nIncludeOptional none/*.conf")
    assert list(routes(made)) == ["/a", "/b", "/one", "/two"]
    assert {str(place.file.relative_to(tmp_path)) for place, _ in made.report} == {
        "httpd.conf", "conf.d/a.conf", "conf.d/b.conf", "sites/x/one.conf", "sites/y/two.conf",
    }  # fmt: skip


def test_a_loop_of_includes_ends(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("Include b.conf")
    (tmp_path / "b.conf").write_text("\nInclude a.conf")
    with pytest.raises(ConfigError, match=r"b\.conf:2:1: includes .*a\.conf, which includes this file"):
        imported(tmp_path, "Include a.conf")


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe and a device would be read without end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large.conf").write_bytes(b"")
    os.truncate(tmp_path / "large.conf", 100 << 20)
    for name in (str(tmp_path / "pipe"), "/dev/zero"):
        made = imported(tmp_path, f"Include {name}")
        assert [fate.notes for _, fate in made.report] == [[f"{name} is not a regular file, so it is not in the site"]]
        with pytest.raises(ConfigError, match="is not a regular file"):
            importer("apache").convert(Path(name), tmp_path)
    with pytest.raises(ConfigError, match="is larger than 4 MiB"):
        importer("apache").convert(tmp_path / "large.conf", tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "latin.conf").write_bytes(
        b"# \xfc\nServerAdmin J\xfcrgen\nScriptAlias /a " + bytes(tmp_path) + b"/cgi\nSetEnv A \xfc\n"
        b"ScriptAlias /\xfc " + bytes(tmp_path) + b"/cgi\nScriptAlias /c /\xfc\n"
    )
    made = imported(tmp_path, "Include latin.conf")
    assert routes(made) == {"/a": CGI}
    assert sum("is not UTF-8" in note for _, fate in made.report for note in fate.notes) >= 3


def test_htaccess(tmp_path: Path) -> None:
    """What root lets it say counts, in its order."""
    (tmp_path / "cgi").mkdir()
    (tmp_path / "cgi" / ".htaccess").write_text("SetEnv A own\nRequire all denied\nSetEnv B s3cret\n")
    text = "<Directory ROOT>\nAllowOverride FileInfo\nSetEnv A root\n</Directory>\n" + SCRIPTS
    made = imported(tmp_path, text)
    assert routes(made)["/cgi-bin"]["env"] == {"A": "own", "B": "s3cret"}
    denied = next(fate for place, fate in made.report if place.file.name == ".htaccess" and "Require" in fate.text)
    assert (denied.verdict, denied.notes) == (
        "dropped", ["AllowOverride does not let this file say it (AuthConfig would)"],
    )  # fmt: skip
    assert routes(imported(tmp_path, text.replace("FileInfo", "None")))["/cgi-bin"]["env"] == {"A": "root"}


def test_a_htaccess_by_itself(tmp_path: Path) -> None:
    imported(tmp_path, "")
    (tmp_path / "docs" / ".htaccess").write_text(
        "Options +ExecCGI\nAddHandler cgi-script .py\nDirectoryIndex page.py\n"
    )
    made = importer("apache").convert(tmp_path / "docs" / ".htaccess", tmp_path)
    assert routes(made) == {"/": {"directory": "docs", **SUFFIX, "index": ["page.py"]}}


def test_a_name_cannot_add_keys(tmp_path: Path) -> None:
    made = imported(
        tmp_path, 'ScriptAlias "/a\x85b" ROOT/cgi\nSetEnv "A\x0bB" 1\n<Directory "x\u2028routes:">\n</Directory>'
    )
    assert [line.strip() for line in made.text.splitlines()].count("routes:") == 1
    made = importer("apache").convert(tmp_path / "httpd.conf", tmp_path)
    assert "\u2028" not in made.report.text()


def test_a_cgi_bin_is_served(tmp_path: Path, wsgi_wasm: Command) -> None:
    """By the files' own first bytes and with the execute bit, as mod_cgi does it."""
    cgi = tmp_path / "cgi-bin"
    cgi.mkdir()
    for name, mode in (("printenv", 0o755), ("counter.cgi", 0o755), ("not.wasm", 0o644)):
        shutil.copyfile(guest("env"), cgi / name)
        (cgi / name).chmod(mode)
    (cgi / "native.tcl").write_text("#!/usr/bin/tclsh\n")
    (cgi / "native.tcl").chmod(0o755)
    (tmp_path / "httpd.conf").write_text(f"ScriptAlias /cgi-bin/ {cgi}/\nSetEnv TOOL yes\nRLimitCPU 5\n")
    done = wsgi_wasm("import", "apache", "httpd.conf", "-o", "site.yaml", "--report", "report.txt")
    assert (done.status, "native.tcl" in done.err) == (4, True)
    assert wsgi_wasm("check", "site.yaml").status == 0
    client = Client(create_app(tmp_path / "site.yaml"))
    for name in ("printenv", "counter.cgi"):
        told = client.get(f"/cgi-bin/{name}/more").text.splitlines()
        assert {"TOOL=yes", f"SCRIPT_NAME=/cgi-bin/{name}", "PATH_INFO=/more"} <= set(told)
    assert [client.get(f"/cgi-bin/{name}").status_code for name in ("not.wasm", "native.tcl", "")] == [404, 404, 404]
    assert "1 needs your decision" in (tmp_path / "report.txt").read_text()


def test_a_file_of_a_virtual_host_by_itself(tmp_path: Path) -> None:
    """As Debian has them: what they include lies beside their directory."""
    imported(tmp_path, "")
    for name, text in (
        ("sites-available/one.conf", "<VirtualHost *>\nInclude conf-available/cgi.conf\n</VirtualHost>"),
        ("conf-available/cgi.conf", f"<IfModule mod_alias.c>\nScriptAlias /a {tmp_path}/cgi\n</IfModule>"),
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    assert routes(importer("apache").convert(tmp_path / "sites-available/one.conf", tmp_path)) == {"/a": CGI}


def test_secrets_stay_where_they_could_be_read(tmp_path: Path, wsgi_wasm: Command) -> None:
    """The site is not open to more people than the least open file of the source."""
    (tmp_path / "httpd.conf").write_text(f"Include {tmp_path}/secret.conf\n")
    (tmp_path / "secret.conf").write_text("SetEnv A s3cret\n")
    for mode in (0o600, 0o640):
        (tmp_path / "secret.conf").chmod(mode)
        wsgi_wasm("import", "apache", "httpd.conf", "-o", f"site-{mode}.yaml")
        assert (tmp_path / f"site-{mode}.yaml").stat().st_mode & 0o077 & ~mode == 0


def test_an_interpreter_has_to_be_built(tmp_path: Path) -> None:
    assert "# Before you serve this file, run `wsgi-wasm interpreter build python`." in imported(tmp_path, SCRIPTS).text
    assert "interpreter build" not in imported(tmp_path, "Listen 80").text


def test_the_exit_status(tmp_path: Path, wsgi_wasm: Command) -> None:
    (tmp_path / "httpd.conf").write_text("Listen 80\n")
    done = wsgi_wasm("import", "apache", "httpd.conf")
    assert (done.status, done.err) == (0, "")
    (tmp_path / "httpd.conf").write_text("Alias /a ${X}/a\n")
    done = wsgi_wasm("import", "apache", "httpd.conf")
    assert (done.status, "--define X=VALUE" in done.err) == (4, True)
    done = wsgi_wasm("import", "apache", "httpd.conf", "-D", f"X={tmp_path}")
    assert (done.status, done.err) == (0, "")
    (tmp_path / "httpd.conf").write_text("<Location /a>\n")
    done = wsgi_wasm("import", "apache", "httpd.conf")
    assert (done.status, done.err) == (1, "httpd.conf:1:1: <Location> is never closed\n")
    assert wsgi_wasm("import", "apache", "httpd.conf", "-D", "=x").status == 1
    (tmp_path / "report.txt").touch()
    (tmp_path / "httpd.conf").write_text("")
    done = wsgi_wasm("import", "apache", "httpd.conf", "-o", "site.yaml", "--report", "report.txt")
    assert (done.status, done.err) == (1, "wsgi-wasm: report.txt: File exists\n")
    assert not (tmp_path / "site.yaml").exists(), "nothing is half done"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    text = (
        "Define PASSWORD s3cret\nSetEnv KEY s3cret\nSetEnvIf Host x TOKEN=s3cret\nAuthLDAPBindPassword s3cret\n"
        f"Unknown s3cret\nHeader set X s3cret\n<Location /m>\n{MODULE}WasmEnv K s3cret\nWasmArg s3cret\n</Location>\n"
        f"SetEnv HTTP_X s3cret\nRequire expr s3cret\n{SCRIPTS}"
    )
    report = imported(tmp_path, text).report
    assert "s3cret" not in report.text() + report.json()


def test_large_configurations_take_no_long(tmp_path: Path) -> None:
    """Nothing is quadratic: names that never end, quotes, patterns that would backtrack, many sections."""
    for text in (
        "SetEnv A " + "${" * 500_000,
        'SetEnv A "' + '\\"' * 500_000,
        "ScriptAliasMatch ^/" + "a" * 100_000 + "(((" + " x",
        'ScriptAliasMatch "^/' + "\\." * 900 + '(.*)$" ROOT/$1',
        "FilesMatch x\n" * 20_000,
        SCRIPTS + "<Location /cgi-bin/x>\nSetEnv A 1\n</Location>\n" * 1500,
        "ServerName " + "a." * 100_000,
        "ScriptAlias /a /" + "x" * 3000 + "\n<IfFile " + "y" * 5000 + ">\n</IfFile>\nInclude " + "z" * 3000,
    ):
        imported(tmp_path, text)
    for text in ("ScriptAlias /a /a\n" * 60_000, SCRIPTS + "<Location /x>\n</Location>\n" * 2500):
        with pytest.raises(ConfigError, match="too many for one s"):
            imported(tmp_path, text)
