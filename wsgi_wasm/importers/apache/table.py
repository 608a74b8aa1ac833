"""What becomes of each directive: the one table that the importer, its report and the page for
those who come from mod_wasm use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from wsgi_wasm.importers.apache.syntax import Directive, words

ALL = 99


class Meaning(NamedTuple):
    """A directive that means something here: the keys that it becomes, and what differs, in
    Markdown; the word of AllowOverride that lets a `.htaccess` have it; and how many of its
    arguments a report may show, as others can be secrets."""

    key: str
    differs: str
    override: str = ""
    shown: int = ALL


MOD_WASM: Mapping[str, Meaning] = {
    "WasmModule": Meaning(
        "`module`",
        "A changed module is used without a restart. One that is missing or broken is 503 on its own route, and "
        "`check` names it. In a section with `AddHandler`, it becomes the module of `interpreters`.",
        "Options",
    ),
    "WasmRoot": Meaning("`module`", "Gone since mod_wasm 0.10: it is joined with the name in `WasmModule`.", "Options"),
    "WasmEntryPoint": Meaning(
        "`entry_point`", "The function takes and returns nothing, as there. `_start` is the default.", "Options"
    ),
    "WasmArg": Meaning("`args`", "The program's name comes first by itself.", "Options", 0),
    "WasmEnv": Meaning(
        "`env`",
        "With `WasmEnableCGI On`, names that the request sets (`HTTP_*`, `SCRIPT_NAME`, ...) are refused here; there, "
        "they hid the request's own. `${NAME}` in a value is written `$${NAME}`.",
        "Options",
        1,
    ),
    "WasmDir": Meaning(
        "`dirs`",
        "The guest path is the host's. It is opened for each request without following links, and where that fails, "
        "the answer is 503.",
        "Options",
    ),
    "WasmMapDir": Meaning(
        "`dirs`",
        "Writable, as there, unless modules, scripts or other routes' directories would be: then it is read-only, and "
        "the report says so. A guest path begins with a slash. Two directories for one path are refused.",
        "Options",
    ),
    "WasmEnableCGI": Meaning(
        "`interface: cgi` or `raw`",
        "Off is `raw`: no request, and all that is printed is the body, as `content_type`. On is `cgi`: the answer is "
        "sent while the program runs, `Location` without `Status` is a 302, HEAD runs the program, chunked bodies "
        "arrive, `If-None-Match` gets a 304, and a program that ends by `exit(0)` has answered. The server's `PATH` is "
        "not passed on; `CGIPassAuth` is `pass_authorization`.",
        "Options",
    ),
    "WasmMapCGIFileNames": Meaning(
        "none needed",
        "`SCRIPT_FILENAME` is always the path that the guest sees, by `dirs`, or is left out where it sees none.",
        "Options",
    ),
}
"""All of mod_wasm's directives."""

_FILE_INFO = "FileInfo"
_RAISES = "a report names the variable only"

APACHE: Mapping[str, Meaning] = {
    "ScriptAlias": Meaning("`directory` with `programs` and `executable`, or `module` for one file", ""),
    "ScriptAliasMatch": Meaning("`directory`", "Only `^/path/(.*)$` with `$1` at the end of the directory."),
    "Alias": Meaning("`directory`, where programs are below it", ""),
    "AliasMatch": Meaning("`directory`", "As `ScriptAliasMatch`."),
    "DocumentRoot": Meaning("`directory`, where programs are below it", ""),
    "AddHandler": Meaning("`directory`, `interpreters` and `executable`", "", _FILE_INFO),
    "SetHandler": Meaning("`directory` or `module`, as `ScriptAlias`", "", _FILE_INFO),
    "RemoveHandler": Meaning("none", "The suffix is not served.", _FILE_INFO),
    "Action": Meaning("none", "", _FILE_INFO),
    "Options": Meaning("none", "Without `ExecCGI` there is no route.", "Options"),
    "DirectoryIndex": Meaning("`index`", "Only names that run.", "Indexes"),
    "SetEnv": Meaning("`env`", _RAISES, _FILE_INFO, 1),
    "UnsetEnv": Meaning("none", "The variable is not in `env`.", _FILE_INFO),
    "PassEnv": Meaning("`env`", "As `${NAME}`, where it is set.", _FILE_INFO),
    "SetEnvIf": Meaning("`pass_env`", "Apache goes on setting it.", _FILE_INFO, 0),
    "SetEnvIfNoCase": Meaning("`pass_env`", "Apache goes on setting it.", _FILE_INFO, 0),
    "SetEnvIfExpr": Meaning("`pass_env`", "Apache goes on setting it.", _FILE_INFO, 0),
    "BrowserMatch": Meaning("`pass_env`", "Apache goes on setting it.", _FILE_INFO, 0),
    "BrowserMatchNoCase": Meaning("`pass_env`", "Apache goes on setting it.", _FILE_INFO, 0),
    "SSLOptions": Meaning("`pass_env: [SSL_*]`", "For `StdEnvVars`.", "Options"),
    "CGIPassAuth": Meaning("`pass_authorization`", "", "AuthConfig"),
    "RLimitCPU": Meaning("`cpu`", "", "All"),
    "RLimitMEM": Meaning("`memory`", "", "All"),
    "RLimitNPROC": Meaning("none", "Guests start no processes.", "All"),
    "LimitRequestBody": Meaning("`max_body`", "", "All"),
    "CGIDScriptTimeout": Meaning("`timeout`", "For the whole run, not for each pause.", "All"),
    "CGIScriptTimeout": Meaning("`timeout`", "For the whole run, not for each pause.", "All"),
    "Timeout": Meaning("`timeout`, where there is no CGIDScriptTimeout", ""),
    "AllowOverride": Meaning("none", "Says what `.htaccess` files may have; they are read now, not for each request."),
    "AccessFileName": Meaning("none", "The files of that name are read."),
    "ServerName": Meaning("`hosts`", ""),
    "ServerAlias": Meaning("`hosts`", ""),
    "Require": Meaning("none", "The gateway has no access rules.", "AuthConfig", 1),
    "Order": Meaning("none", "As `Require`.", "Limit"),
    "Allow": Meaning("none", "As `Require`.", "Limit"),
    "Deny": Meaning("none", "As `Require`.", "Limit"),
    "Satisfy": Meaning("none", "As `Require`.", "AuthConfig"),
}
"""Directives of httpd's own modules that mean something here."""

OURS: Mapping[str, Meaning] = {name.lower(): entry for name, entry in {**APACHE, **MOD_WASM}.items()}
"""Both, by their name in lower case."""

SECTIONS = frozenset(
    {"virtualhost", "directory", "directorymatch", "location", "locationmatch", "files", "filesmatch", "limit",
     "limitexcept", "requireall", "requireany", "requirenone"}
)  # fmt: skip
"""Sections that are looked into."""

READING = frozenset({"define", "undefine", "serverroot", "include", "includeoptional"})
"""What is done while reading, where something is said of it."""

DECISIONS: Mapping[str, str] = {
    "rewriterule": "Apache in front goes on with it; without Apache nothing does",
    "rewritemap": "Apache in front goes on with it; without Apache nothing does",
    "suexecusergroup": "programs ran as another user: `isolate` and `user` do that",
    "assignuserid": "programs ran as another user: `isolate` and `user` do that",
    "userdir": "write a route for each user, or use the drop-in handler",
    "cgivar": "variables are those of RFC 3875 here",
    "use": "a macro: import a configuration in which it is written out",
    "macro": "import a configuration in which the macro is written out",
    "if": "depends on the request: write a route, or leave it to Apache in front",
    "elseif": "depends on the request: write a route, or leave it to Apache in front",
    "else": "depends on the request: write a route, or leave it to Apache in front",
    "virtualdocumentroot": "write a host for each name",
    "virtualscriptalias": "write a host for each name",
    "scriptinterpretersource": "interpreters are chosen by `interpreters`",
    "script": "runs a program for a request method: write a route, with `methods`",
    "virtualdocumentrootip": "write a host for each name",
    "virtualscriptaliasip": "write a host for each name",
    "allowoverridelist": "a `.htaccess` is read by AllowOverride alone: check what it says",
    "ifdirective": "depends on other lines: import a configuration without it",
    "ifsection": "depends on other lines: import a configuration without it",
    "unsetenvif": "Apache in front goes on with it",
}
"""Directives about which the importer can only ask."""

# Of httpd and well-known modules: done by whichever server is in front, whatever it serves.
_FRONT = re.compile(
    r"(ssl|proxy|balancer|rewrite(engine|base|cond|options|log|loglevel)$|auth|anonymous|ldap|log|custom|error|globallog"
    r"|transfer|forensic|cookie|usertrack|cache|dav|h2|http2?protocol|protocol|md|session|dbd|sec|wsgi|php|perl|passenger"
    r"|expires|deflate|brotli|filter|header(name)?$|requestheader|charset|ext|index|add(alt|charset|default|desc|encoding|icon"
    r"|input|language|moduleinfo|output|type)|set(input|output)filter|remove(charset|encoding|input|language|output|type)"
    r"|mod(em|mime|_)|mime|mimemagic|language|forcelanguage|multiviews|cern|status|redirect|remoteip|ratelimit"
    r"|keepalive|maxkeepalive|listen|server(admin|limit|path|signature|tokens)|max|min|threads?|startservers"
    r"|limitrequest(fields|fieldsize|line)|limitinternal|limitxml|receivebuffer|sendbuffer|receive|acceptfilter"
    r"|acceptmutex|acceptpathinfo|allowencoded|mergeslashes|mergetrailers|contentdigest|fileetag|enable|hostname|usecanonical"
    r"|user$|group$|pidfile|scoreboard|coredump|defaultruntime|defaultlanguage|defaulttype|defaulticon|mutex|lockfile"
    r"|loadmodule|loadfile|typesconfig|forcetype|readme|fancyindexing|script(sock|log|logbuffer|loglength)$"
    r"|namevirtualhost|unix|chroot|trace|qos|qs_|evasive|dos|bandwidth|geoip|maxmind|xsendfile|pagespeed"
    r"|svn|git|fcgid|fastcgi|suphp|ruid|reflector|substitute|sed|data|bufferedlogs|buffersize|checkspelling"
    r"|checkcase|asis|imap|xbithack|ssi|lua|macro|heartbeat|watchdog|systemd|journald|syslog|noproxy|strict|http"
    r"|registerhttp|flush|async|lbmethod|directory(slash|checkhandler|indexredirect)|fallbackresource|alias(preserve)"
    r"|cleanpath|gprof|example|ident|regex|stapling|tls|allow(connect|methods)|checkbasename|dumpio|graceful|inputsed|outputsed|kept|memcache|meta"
    r"|mmap|port$|qualify|readbuffer|redis|requestread|seerequest|suexec$|undefmacro|xml2)"
)


def is_front(name: str) -> bool:
    """Whether a directive is the front server's, and no guest could tell whether it is there."""
    return _FRONT.match(name) is not None


def shown(one: Directive) -> str:
    """A line as a report shows it."""
    if one.children is not None:
        return f"<{one.spelled} {one.rest}>" if one.rest else f"<{one.spelled}>"
    entry = OURS.get(one.name)
    most = (
        entry.shown if entry else ALL if one.name in ("include", "includeoptional", "serverroot", "loadmodule") else 0
    )
    if one.name in ("define", "undefine"):
        most = 1
    elif one.name == "require" and one.rest.lower().startswith("all "):
        most = ALL
    if most == ALL or not one.rest:
        return f"{one.spelled} {one.rest}".rstrip()
    first = words(one.rest, lambda name: None)[:most] if most else []
    return " ".join([one.spelled, *first, "..."])
