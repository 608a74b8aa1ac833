"""Configurations of other servers, and the sites that are written from them."""

from __future__ import annotations

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


def check_import_apache(data: bytes) -> None:
    path = written("httpd.conf", data)
    try:
        made = importer("apache").convert(path, place())
    except ConfigError as error:
        problems_of(error)
        return
    check_imported(made.text, {"routes", "hosts"}, APACHE_KEYS)
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
        check_import_apache,
        lambda: (APACHE, WASM, APACHE + WASM),
        WORDS,
        tries=3000,
        longest=4000,
    ),
)
