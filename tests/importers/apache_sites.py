"""Configurations of httpd, and what becomes of them. ROOT is a directory with programs."""

from __future__ import annotations

from typing import Any

WHOLE = {
    "programs": ["suffix", "magic", "shebang"],
    "executable": True,
    "index": [],
    "interpreters": {"python": "python"},
}
CGI = {"directory": "cgi", **WHOLE}
SUFFIX = {"executable": True, "index": [], "interpreters": {".py": "python"}}
SCRIPTS = "ScriptAlias /cgi-bin/ ROOT/cgi/\n"
MODULE = "SetHandler wasm-handler\nWasmModule ROOT/bin/m.wasm\n"
RAW = {"module": "bin/m.wasm", "interface": "raw"}

# configuration: routes
SITES: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("Listen 80", {}),
    "a cgi-bin": (SCRIPTS, {"/cgi-bin": CGI}),
    "quotes and continued lines": ('ScriptAlias \\\n  "/cgi bin/" \\\n "ROOT/cgi/"', {"/cgi bin": CGI}),
    "CRLF, a byte order mark, no line end": ("\ufeffScriptAlias /a ROOT/cgi\r\nListen 80\\\r\n 81", {"/a": CGI}),
    "a comment that is continued": (f"# no \\\n{SCRIPTS}# yes\n{SCRIPTS}", {"/cgi-bin": CGI}),
    "one program": ("ScriptAlias /tool ROOT/cgi/tool.wasm", {"/tool": {"module": "cgi/tool.wasm"}}),
    "one script": ("ScriptAlias /form ROOT/cgi/form.py", {}),
    "a pattern that is a prefix": ("ScriptAliasMatch ^/run/(.*)$ ROOT/cgi/$1", {"/run": CGI}),
    "a pattern that is more": ("ScriptAliasMatch ^/(a+)+/(.*)$ ROOT/$1/$2", {}),
    "a pattern that also means other paths": ("ScriptAliasMatch ^/run(.*)$ ROOT/cgi/$1", {}),
    "variables": (
        f'SetEnv A one\nSetEnv B\nSetEnv C "a ${{x}} \\"b"\nUnsetEnv A\n{SCRIPTS}',
        {"/cgi-bin": {**CGI, "env": {"B": ""}}},
    ),
    "variables by section": (
        f"SetEnv A main\n<Directory ROOT>\nSetEnv A dir\n</Directory>\n<Location /cgi-bin>\nSetEnv A loc\n</Location>\n"
        f"<Directory ROOT/cgi>\nSetEnv B near\nSetEnv A near\n</Directory>\n{SCRIPTS}",
        {"/cgi-bin": {**CGI, "env": {"A": "loc", "B": "near"}}},
    ),
    "variables that Apache sets": (
        f"SetEnvIf Host ^a HOST_A=1 !B\nBrowserMatch X IS_X\nSSLOptions +StdEnvVars\n{SCRIPTS}",
        {"/cgi-bin": {**CGI, "pass_env": ["HOST_A", "IS_X", "SSL_*"]}},
    ),
    "the old way to authorization": (
        f'SetEnvIf Authorization "(.*)" HTTP_AUTHORIZATION=$1\n{SCRIPTS}',
        {"/cgi-bin": {**CGI, "pass_authorization": True}},
    ),
    "a variable of the request": (
        f"SetEnv HTTP_X 1\nSetEnv SCRIPT_NAME /x\nSetEnv X 1\n{SCRIPTS}",
        {"/cgi-bin": {**CGI, "env": {"X": "1"}}},
    ),
    "limits": (
        f"Timeout 300\nCGIDScriptTimeout 1500ms\nRLimitCPU 5 10\nRLimitMEM 100000000 max\nRLimitNPROC 4\n"
        f"LimitRequestBody 102400\n{SCRIPTS}",
        {"/cgi-bin": {**CGI, "cpu": "5s", "timeout": "1500ms", "memory": "97600KiB", "max_body": "100KiB"}},
    ),
    "no limits": (
        f"RLimitCPU max\nRLimitMEM max\nLimitRequestBody 0\nTimeout 0\n{SCRIPTS}",
        {"/cgi-bin": {**CGI, "max_body": "1024GiB"}},
    ),
    "limits that are none": (f"RLimitCPU x\nRLimitMEM -5\nLimitRequestBody 1e9\n{SCRIPTS}", {"/cgi-bin": CGI}),
    "scripts among pages": (
        "DocumentRoot ROOT/docs\nAddHandler cgi-script .py .cgi\nDirectoryIndex index.html page.py\n"
        "<Directory ROOT/docs>\nOptions +ExecCGI\n</Directory>",
        {"/": {"directory": "docs", **SUFFIX, "index": ["page.py"]}},
    ),
    "without ExecCGI": ("DocumentRoot ROOT/docs\nAddHandler cgi-script .py", {}),
    "Options that replace": (
        "DocumentRoot ROOT/docs\nAddHandler cgi-script .py\nOptions ExecCGI\n<Directory ROOT/docs>\nOptions Indexes\n"
        "</Directory>",
        {},
    ),
    "Options All": (
        "Alias /d ROOT/docs\nAddHandler cgi-script .py\n<Directory ROOT/docs>\nOptions All\n</Directory>",
        {"/d": {"directory": "docs", **SUFFIX}},
    ),
    "a handler for files": (
        'Alias /d ROOT/docs\n<FilesMatch "\\.(py|cgi)$">\nSetHandler cgi-script\n</FilesMatch>\nOptions ExecCGI',
        {"/d": {"directory": "docs", **SUFFIX}},
    ),
    "a directory below": (
        "Alias /d ROOT/docs\n<Directory ROOT/docs/sub>\nOptions ExecCGI\nSetHandler cgi-script\n</Directory>",
        {"/d/sub": {"directory": "docs/sub", **WHOLE}},
    ),
    "a section that changes nothing": (
        f"{SCRIPTS}<Directory ROOT/cgi>\nRequire all granted\n</Directory>",
        {"/cgi-bin": CGI},
    ),
    "nobody may come": (f"{SCRIPTS}<Directory ROOT/cgi>\nRequire all denied\n</Directory>", {}),
    "nobody may come, as in 2.2": (f"{SCRIPTS}<Directory ROOT/cgi>\nOrder deny,allow\nDeny from all\n</Directory>", {}),
    "Define": (
        "Define DIR ROOT\nDefine EMPTY\nScriptAlias /a ${DIR}/cgi\n<IfDefine EMPTY>\nSetEnv A ${DIR}\n</IfDefine>\n"
        "<IfDefine !EMPTY>\nSetEnv B 1\n</IfDefine>\nUnDefine EMPTY\n<IfDefine EMPTY>\nSetEnv C 1\n</IfDefine>",
        {"/a": {**CGI, "env": {"A": "ROOT"}}},
    ),
    "an undefined name": ("ScriptAlias /a ${DIR}/cgi\nScriptAlias /b ROOT/cgi\nSetEnv A ${DIR}", {"/b": CGI}),
    "modules": (
        "LoadModule cgid_module x/mod_cgid.so\n<IfModule mod_cgid.c>\nScriptAlias /a ROOT/cgi\n</IfModule>\n"
        "<IfModule cgid_module>\n<IfModule !cgi_module>\nScriptAlias /b ROOT/cgi\n</IfModule>\n</IfModule>\n"
        "<IfModule mod_cgi.c>\nScriptAlias /c ROOT/cgi\n</IfModule>",
        {"/a": CGI, "/b": CGI},
    ),
    "versions and files": (
        "<IfVersion >= 2.4>\nScriptAlias /a ROOT/cgi\n</IfVersion>\n<IfVersion < 2.4>\nScriptAlias /b ROOT/cgi\n"
        "</IfVersion>\n<IfFile ROOT/cgi/form.py>\nScriptAlias /c ROOT/cgi\n</IfFile>\n"
        "<IfFile ROOT/none>\nScriptAlias /d ROOT/cgi\n</IfFile>",
        {"/a": CGI, "/c": CGI},
    ),
    "virtual hosts": (
        f"SetEnv A all\n{SCRIPTS}<VirtualHost *:80>\nServerName one.example\n</VirtualHost>\n"
        "<VirtualHost *:80>\nServerName https://two.example:443\nServerAlias *.two.example odd_*.example\n"
        "SetEnv A two\nScriptAlias /own ROOT/cgi\n</VirtualHost>",
        {
            "/cgi-bin": {**CGI, "env": {"A": "all"}},
            "one.example/cgi-bin": {**CGI, "env": {"A": "all"}},
            **{
                f"{host}{path}": {**CGI, "env": {"A": "two"}}
                for host in ("two.example", "*.two.example")
                for path in ("/own", "/cgi-bin")
            },
        },
    ),
    "a host on two ports": (
        "<VirtualHost *:80>\nServerName a.example\n</VirtualHost>\n"
        f"<VirtualHost *:80>\nServerName b.example\n{SCRIPTS}</VirtualHost>\n"
        f"<VirtualHost *:443>\nServerName b.example\n{SCRIPTS}ScriptAlias /more ROOT/cgi\n</VirtualHost>",
        {"b.example/cgi-bin": CGI, "b.example/more": CGI},
    ),
    "a host without programs": (
        f"<VirtualHost *:80>\n{SCRIPTS}</VirtualHost>\n<VirtualHost *:80>\nServerName b.example\n</VirtualHost>",
        {"/cgi-bin": CGI},
    ),
    "mod_wasm": (
        f"<Location /m>\n{MODULE}WasmArg a\nWasmArg ${{x\nWasmEnableCGI Off\n</Location>",
        {"/m": {**RAW, "args": ["a", "$${x"]}},
    ),
    "mod_wasm with all": (
        f"<Location /m/>\n{MODULE}WasmEntryPoint go\nWasmEnv HTTP_X 1\nWasmDir ROOT/docs\nWasmMapDir data ROOT/data\n"
        "WasmMapDir / /\nWasmMapDir /../x ROOT/docs\nWasmMapDir ./data/ ROOT/docs\n</Location>",
        {
            "/m": {
                **RAW,
                "entry_point": "go",
                "env": {"HTTP_X": "1"},
                "dirs": {
                    "ROOT/docs": {"path": "docs", "writable": True},
                    "/data": {"path": "data", "writable": True},
                },
            }
        },
    ),
    "mod_wasm's old root": (
        "<Location /m>\nSetHandler wasm-handler\nWasmRoot ROOT/bin\nWasmModule m.wasm\n</Location>",
        {"/m": RAW},
    ),
    "mod_wasm starts anew": (
        f"WasmArg lost\n<Location /m>\n{MODULE}WasmArg kept\n</Location>\n<Location /m/n>\nWasmModule ROOT/bin/m.wasm\n"
        "</Location>\n<Location /m/o>\nSetEnv X 1\n</Location>",
        {"/m": {**RAW, "args": ["kept"]}, "/m/n": RAW},
    ),
    "mod_wasm in a directory": (
        "Alias /w ROOT/docs\nDirectoryIndex page.py none.html\n<Directory ROOT/docs>\nAddHandler wasm-handler py\n"
        "WasmModule ROOT/bin/m.wasm\nWasmArg -x\nWasmEnableCGI On\n</Directory>",
        {
            "/w": {
                "directory": "docs",
                "interface": "cgi",
                "index": ["page.py"],
                "interpreters": {".py": {"module": "bin/m.wasm", "args": ["-x"]}},
            }
        },
    ),
    "mod_wasm's variables go first": (
        f"SetEnv A set\nSetEnv B set\n<Location /m>\n{MODULE}WasmEnableCGI on\nWasmEnv A wasm\n</Location>",
        {"/m": {"module": "bin/m.wasm", "interface": "cgi", "env": {"A": "wasm", "B": "set"}}},
    ),
    "a handler's type of old": (
        "Alias /d ROOT/docs\nAddType application/x-httpd-cgi .py\nOptions ExecCGI",
        {"/d": {"directory": "docs", **SUFFIX}},
    ),
    "a handler that ends": (f"<Location /m>\n{MODULE}SetHandler None\n</Location>", {}),
    "names that could be YAML": (
        "ScriptAlias '/a: {b}' ROOT/cgi\nScriptAlias /on ROOT/cgi\nScriptAlias '/[z]' ROOT/cgi",
        {"/a: {b}": CGI, "/on": CGI, "/[z]": CGI},
    ),
    "paths that cannot be routes": (
        "ScriptAlias /a%20b ROOT/cgi\nScriptAlias /a/../b ROOT/cgi\nScriptAlias /?x ROOT/cgi\n"
        "ScriptAlias '/x #y' ROOT/cgi",
        {},
    ),
}

# configuration, line, verdict, words of its note
FATES = [
    ("a path that cannot be one", "ScriptAlias /a%20b ROOT/cgi", "ScriptAlias", "needs your decision", "percent-enc"),
    ("a native program", "ScriptAlias /x ROOT/cgi/form.pl", "ScriptAlias", "needs your decision", "put it into a dir"),
    ("no directory", "ScriptAlias /x ROOT/none", "ScriptAlias", "needs your decision", "not on this machine"),
    ("a pattern", "ScriptAliasMatch ^/(x+x+)+y ROOT/$1", "ScriptAliasMatch", "needs your decision", "by a pattern"),
    ("an undefined name", "ScriptAlias /a ${NO}/cgi", "ScriptAlias", "needs your decision", "--define NO=VALUE"),
    ("an unset variable", f"PassEnv NOT_SET_AT_ALL\n{SCRIPTS}", "PassEnv", "needs your decision", "is not set here"),
    ("a reserved variable", f"SetEnv HTTP_X 1\n{SCRIPTS}", "SetEnv HTTP_X", "needs your decision", "by the request"),
    ("an action", "Action x /cgi/y\nAddHandler x .x\nAlias /d ROOT/docs", "Action", "needs your decision",
     "interpreters"),
    ("a rewrite", "RewriteRule ^/a /b", "RewriteRule", "needs your decision", "Apache in front"),
    ("a condition on requests", '<If "x">\nSetEnv A 1\n</If>', "<If", "needs your decision", "depends on the request"),
    ("another one's", "Frobnicate on", "Frobnicate", "needs your decision", "not known"),
    ("an access rule", f"{SCRIPTS}<Location /cgi-bin>\nRequire valid-user\n</Location>", "Require",
     "needs your decision", "no access rules"),
    ("the front server's", "ErrorLog logs/x", "ErrorLog", "no meaning here", "front server"),
    ("processes", f"RLimitNPROC 3\n{SCRIPTS}", "RLimitNPROC", "no meaning here", "start no processes"),
    ("one that nothing needs", "SetEnv A 1", "SetEnv", "dropped", "no program"),
    ("a condition", "<IfDefine X>\nSetEnv A 1\n</IfDefine>", "SetEnv", "dropped", "X is not defined"),
    ("no rights to run", "Alias /d ROOT/docs\n<Location /d>\nSetHandler cgi-script\n</Location>", "SetHandler",
     "dropped", "ExecCGI"),
    ("a section that starts anew",
     f"<Location /m>\n{MODULE}WasmArg x\n</Location>\n<Location /m/n>\n{MODULE}</Location>",
     "WasmArg", "kept", "routes./m.args"),
    ("an argument too few", f"<Location /m>\n{MODULE}WasmMapDir /x\n</Location>", "WasmMapDir", "needs your decision",
     "takes 2 arguments"),
    ("a directive of no version", f"<Location /m>\n{MODULE}WasmColour x\n</Location>", "WasmColour",
     "needs your decision", "not a directive of mod_wasm"),
    ("the whole host", f"<Location /m>\n{MODULE}WasmMapDir /h /\n</Location>", "WasmMapDir", "needs your decision",
     "all files of the host"),
    ("a directory with programs", f"<Location /m>\n{MODULE}WasmDir ROOT/bin\n</Location>", "WasmDir",
     "needs your decision", "read-only"),
    ("the same place in two hosts",
     f"<VirtualHost a>\n<Location /m>\n{MODULE}</Location>\n</VirtualHost>\n"
     f"<VirtualHost b>\nServerName b.example\n<Location \"/m\">\n{MODULE}</Location>\n</VirtualHost>",
     '<Location "/m">', "needs your decision", "mixed it up"),
    ("a pattern of sections", f"<LocationMatch ^/m>\n{MODULE}</LocationMatch>", "WasmModule", "needs your decision",
     "by a pattern"),
    ("files that never go out", f'{SCRIPTS}<FilesMatch "^\\.ht">\nRequire all denied\n</FilesMatch>', "Require",
     "dropped", "begin with a dot"),
    ("an alias in a section", "<Location /x>\nScriptAlias ROOT/cgi\n</Location>", "ScriptAlias",
     "needs your decision", "write it outside"),
    ("a missing module", "<Location /m>\nSetHandler wasm-handler\nWasmModule /no/m.wasm\n</Location>", "WasmModule",
     "needs your decision", "not on this machine"),
    ("a missing directory", f"<Location /m>\n{MODULE}WasmDir /no/dir\n</Location>", "WasmDir", "needs your decision",
     "not on this machine"),
    ("a missing include", "Include ROOT/none.conf", "Include", "needs your decision", "is not there"),
]  # fmt: skip

# configuration: message
MISTAKES = {
    "an open section": ("Listen 80\n<Location /x>\n", "httpd.conf:2:1: <Location> is never closed"),
    "a wrong end": (
        "<Location /x>\n</Directory>",
        "httpd.conf:2:1: '</Directory>' does not close <Location> of line 1",
    ),
    "an end of nothing": ("</Location>", "httpd.conf:1:1: '</Location>' closes nothing"),
    "no end of a line": ("<Location /x\n</Location>", "httpd.conf:1:1: <Location has no '>'"),
    "no directive": ("Listen 80\n=s3cret", "httpd.conf:2:1: does not begin with the name of a directive"),
    "deep": ("<Location /x>\n" * 60 + "</Location>\n" * 60, "httpd.conf:51:1: has more than 50 sections in each other"),
    "binary": ("Listen 80\n\0\n", "httpd.conf:2:1: is binary"),
    "itself": ("\nInclude ROOT/httpd.conf", "httpd.conf:2:1: includes "),
    "two arguments": ("Include a b", "httpd.conf:1:1: Include takes one file"),
}
