"""Configurations of other servers, and the sites that are written from them."""

from __future__ import annotations

from functools import partial

from fuzz.manifests import check_imported, place, problems_of, written
from fuzz.target import Target, check_message
from wsgi_wasm.errors import ConfigError
from wsgi_wasm.importers import importer
from wsgi_wasm.importers.report import VERDICTS, ImportReport

APACHE_KEYS = {
    "module", "directory", "entry_point", "interface", "args", "env", "pass_env", "pass_authorization", "dirs", "index",
    "interpreters", "programs", "executable", "cpu", "timeout", "memory", "max_body",
}  # fmt: skip


def check_report(report: ImportReport) -> None:
    """Every line has a verdict and words, and can be shown."""
    for line, fate in report:
        assert fate.verdict in VERDICTS
        assert fate.notes, (line, fate.text)
    for text in report.text().splitlines():
        check_message(text.strip() or "-")
    report.json()


def check_import(kind: str, name: str, keys: set[str], data: bytes) -> None:
    path = written(name, data)
    try:
        made = importer(kind).convert(path, place())
    except ConfigError as error:
        problems_of(error)
        return
    check_imported(made.text, {"routes", "hosts"}, keys)
    check_report(made.report)


APACHE = b"""Define D /srv
LoadModule wasm_module x.so
ScriptAlias /cgi-bin/ "/usr/lib/cgi-bin/"
SetEnv A ${D}
<VirtualHost *:80>
ServerName a.example
ServerAlias *.b
DocumentRoot /srv
<Directory /srv>
Options +ExecCGI
AddHandler cgi-script .py .cgi
DirectoryIndex index.py
Require valid-user
</Directory>
</VirtualHost>
"""
WASM = b"""<IfModule wasm_module>
<Location /m>
SetHandler wasm-handler
WasmModule /srv/m.wasm
WasmEntryPoint go
WasmArg "a \\" b"
WasmEnv A b
WasmMapDir /d /srv
WasmDir /tmp
WasmEnableCGI On
</Location>
</IfModule>
RLimitCPU 5
RLimitMEM 100000000
CGIDScriptTimeout 20s
SetEnvIf Host x Y=1
ScriptAliasMatch ^/x/(.*)$ /srv/$1
"""
WAGI_KEYS = {"module", "interface", "exact", "entry_point", "argv", "query_args", "env", "dirs"}
WAGI = b"""# x
[[module]]
route = "/a/..."
module = "app.wasm"
entrypoint = "go"
argv = "${SCRIPT_NAME} ${ARGS}"
volumes = {"/d" = "/srv"}
[[module]]
route = "/b"
module = 'file:/a%20b.wasm'
environment = { A = "b" }
allowed_hosts = [ # x
  "https://a"]
"""
WASMER_KEYS = {"module", "interface", "args", "env", "dirs"}
WASMER = b"""[package]
entrypoint = "c"
[[module]]
name = "m"
source = "app.wasm"
[fs]
"/d" = "site"
[[command]]
name = "c"
module = "m"
runner = "https://webc.org/runner/wcgi"
[command.annotations.wasi]
env = ["A=b"]
main-args = ["-x"]
[command.annotations.wcgi]
dialect = "rfc-3875"
"""
TOML_WORDS = (
    b"[[module]]\n", b"[[command]]\n", b"[module.environment]\n", b'"""', b"'''", b"\n", b"[", b"]", b"{", b"}",
    b" = ", b"#", b'"', b"'", b"/...", b"..", b"/", b"%2f", b"\\n", b"\\u2028", b"${", b'runner = "dcgi"\n',
    b'"a/b:c"', b"1", b"[]",
)  # fmt: skip
WORDS = (
    b"<Location /m>\n", b"</Location>\n", b"<Directory ", b"</Directory>\n", b"<VirtualHost *>\n",
    b"</VirtualHost>\n", b"<IfDefine !A>\n", b"</IfDefine>\n", b"<FilesMatch \"\\.(a|b)$\">\n", b"</FilesMatch>\n",
    b"\\\n", b'"', b"'", b"${", b"}", b"Include ", b"SetHandler cgi-script\n", b"Alias / /\n", b"..", b"\xff",
    b"\r\n", b"\xef\xbb\xbf", b"# ", b": ", b"Options All\n", b"UnsetEnv A\n", b"PassEnv PATH\n",
    b"Require all denied\n", b"LimitRequestBody 0\n", b"%41", b"*",
)  # fmt: skip

TARGETS = (
    Target(
        "import-apache",
        "a site from httpd.conf that loads, with a verdict for each line, or mistakes",
        partial(check_import, "apache", "httpd.conf", APACHE_KEYS),
        lambda: (APACHE, WASM, APACHE + WASM),
        WORDS,
        tries=3000,
        longest=4000,
    ),
    Target(
        "import-wagi",
        "a site from modules.toml, as above",
        partial(check_import, "wagi", "modules.toml", WAGI_KEYS),
        lambda: (WAGI,),
        TOML_WORDS,
        tries=3000,
        longest=2000,
    ),
    Target(
        "import-wasmer",
        "a site from wasmer.toml, as above",
        partial(check_import, "wasmer", "wasmer.toml", WASMER_KEYS),
        lambda: (WASMER,),
        TOML_WORDS,
        tries=3000,
        longest=2000,
    ),
)
