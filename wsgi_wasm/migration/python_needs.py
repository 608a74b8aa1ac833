"""What a Python script needs, from its syntax tree: what it imports and calls, the files that it
opens. A script that today's Python cannot parse was most likely written for Python 2, and is looked
at line by line."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from dataclasses import dataclass, field

from wsgi_wasm.migration.needs import MAILERS, PATHS, Need, by_name, line_at, mail_program

# What the interpreter has no use for or does not have: see docs/python.md.
_MODULES = by_name(
    commands="subprocess",
    programs="multiprocessing popen2 commands pty",
    python2="""urlparse cookielib Cookie ConfigParser StringIO cStringIO cPickle Queue HTMLParser htmlentitydefs
        __builtin__ md5 sha sets anydbm dumbdbm whichdb UserDict""",
    mail="smtplib",
    sockets="""socket socketserver ssl ftplib poplib imaplib nntplib telnetlib xmlrpc.client asyncio
        urllib.request urllib2 httplib http.client requests httpx paramiko ldap""",
    database="MySQLdb mysql pymysql psycopg2 psycopg pg8000 pyodbc cx_Oracle oracledb pymongo redis",
    locks="fcntl portalocker filelock",
    users="pwd grp spwd crypt",
    loading="ctypes cffi",
    terminal="mmap termios tty syslog curses posix_ipc",
    module="bz2 lzma imp pipes numpy pandas PIL Image lxml cryptography Crypto matplotlib scipy mod_python",
    sqlite="sqlite3",
)
_CALLS = by_name(
    commands="os.system os.popen",
    programs="""os.popen2 os.popen3 os.fork os.spawnl os.spawnv os.execl os.execle os.execlp
        os.execv os.execve os.execvp os.posix_spawn""",
    threads="threading.Thread thread.start_new_thread _thread.start_new_thread",
    signals="signal.alarm signal.setitimer os.kill",
    users="os.setuid os.setgid os.seteuid os.getpwnam os.umask os.chown os.getuid os.getlogin",
    writes="""os.mkdir os.makedirs os.remove os.unlink os.rename os.replace os.rmdir shutil.copy shutil.move
        shutil.rmtree shutil.copyfile shelve.open dbm.open anydbm.open tempfile.NamedTemporaryFile tempfile.mkdtemp
        tempfile.mkstemp""",
    sqlite="sqlite3.connect",
)
_METHODS = {"write_text": "writes", "write_bytes": "writes", "unlink": "writes"}
_OLD = re.compile(r"^\s*(print\s+[^(=\s]|print$|except\s+[\w.]+\s*,\s*\w+\s*:|exec\s+['\"\w]|raise\s+\w+\s*,)", re.M)
_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]{1,100})\s+import|import\s+([\w., \t]{1,200}))", re.M)
_STANDARD = sys.stdlib_module_names | {"cgi", "cgitb", "tzdata", "__main__"}


@dataclass(slots=True)
class PythonNeeds:
    """`modules` are the names that the script imports and that no library has, each with its line:
    they may lie beside it."""

    needs: list[Need] = field(default_factory=list)
    modules: dict[str, str] = field(default_factory=dict)


def of_python(text: str) -> PythonNeeds:
    """What a script needs. Never raises, whatever the text is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        visitor = _Visitor()
        # names first: what is imported in one function may be called in a line above
        for node in sorted(ast.walk(tree), key=lambda node: not isinstance(node, ast.Import | ast.ImportFrom)):
            visitor.look(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _by_lines(text)
    return visitor.found


class _Visitor:
    """Collects from one tree. `_names` has what a name of the script stands for: `import os.path as
    p` makes `p` `os.path`, `from os import system` makes `system` `os.system`."""

    def __init__(self) -> None:
        self.found = PythonNeeds()
        self._names: dict[str, str] = {}

    def look(self, node: ast.AST) -> None:
        """One node; imports come before all others."""
        match node:
            case ast.Import(names=names):
                for alias in names:
                    self._import(alias.name, node.lineno)
                    self._names[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                self._import(module, node.lineno, [alias.name for alias in names])
                self._names |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
            case ast.Call():
                self._call(node)
            case ast.Constant(value=str() as text) if found := MAILERS.search(text[:1000]):
                self._add(mail_program(found[0]).kind, found[0], node.lineno)

    def _add(self, kind: str, what: str, line: int) -> None:
        self.found.needs.append(Need(kind, what, f"line {line}"))

    def _import(self, module: str, line: int, names: list[str] = []) -> None:
        for name in (*(f"{module}.{one}" for one in names), module, module.partition(".")[0]):
            if name in _MODULES:
                self._add(_MODULES[name], name, line)
                return
        top = module.partition(".")[0]
        if top not in _STANDARD:
            self.found.modules.setdefault(top, f"line {line}")

    def _call(self, node: ast.Call) -> None:
        name = self._dotted(node.func)
        if name in _CALLS:
            path = _path(node) if _CALLS[name] in ("writes", "sqlite") else ""
            self._add(_CALLS[name], path or name, node.lineno)
        elif name in ("open", "io.open", "file", "codecs.open"):
            mode = _constant(node, 1, "mode") or "r"
            path = _path(node)
            if set(mode) & set("wax+"):
                self._add("writes", path or "open()", node.lineno)
            elif path.startswith("/"):
                self._add("reads", path, node.lineno)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            self._add(_METHODS[node.func.attr], node.func.attr, node.lineno)

    def _dotted(self, node: ast.expr) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self._names.get(node.id, node.id), *reversed(parts)])


def _constant(node: ast.Call, position: int, name: str) -> str:
    values = [keyword.value for keyword in node.keywords if keyword.arg == name] or node.args[position : position + 1]
    value = values[0] if values else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def _path(node: ast.Call) -> str:
    return _constant(node, 0, "file")[:200]


def _by_lines(text: str) -> PythonNeeds:
    found = PythonNeeds()
    old = _OLD.search(text)
    place = line_at(text, old.start() + 1) if old else ""
    found.needs.append(Need("python2", old[1].strip() if old else "it cannot be parsed", place))
    for one in _IMPORT.finditer(text):
        where = line_at(text, one.start(1) if one[1] else one.start(2))
        for module in (one[1] or one[2]).replace(" as ", ",").split(","):
            top = module.strip().partition(".")[0]
            kind = _MODULES.get(module.strip()) or _MODULES.get(top)
            if kind:
                found.needs.append(Need(kind, module.strip(), where))
    for call in re.finditer(r"\bos\.(system|popen\d?|fork|spawn\w*|exec\w+)\s*\(", text):
        found.needs.append(Need("commands" if call[1] in ("system", "popen") else "programs", f"os.{call[1]}"))
    found.needs += [mail_program(one[0]) for one in MAILERS.finditer(text)]
    found.needs += [Need("reads", one[0]) for one in PATHS.finditer(text)]
    return found
