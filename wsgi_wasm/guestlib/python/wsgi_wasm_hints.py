"""What to do about errors that a script meets here and not under its old server: a line for the
log, behind the traceback. Scripts see the same exceptions as without it.
"""

import linecache
import re
import sqlite3
import sys
import types

VERSION = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
OWN_CGI = "or run this script with your server's own CGI"

PROCESSES = (
    "a script in the sandbox cannot start programs but those that `commands` and `mail` of its route grant: do it in "
    f"Python, {OWN_CGI}"
)
THREADS = "a script in the sandbox has one thread: call the function itself"
NETWORK = f"a script in the sandbox cannot open connections: store what it needs in files or SQLite, {OWN_CGI}"
SYSTEM = f"{{name}} belongs to the operating system, which a script in the sandbox cannot see: do without it, {OWN_CGI}"
WRITING = (
    "to write, list the directory in the route's `dirs` with `writable: true`; links to other directories do not work"
)
TEMPORARY = "list a directory as /tmp in the route's `dirs`, with `writable: true`"
PATHS = "the script sees the guest's paths: / is the route's directory, and the others are listed in its `dirs`"
DATABASE = (
    "a database must be in a directory of `dirs` with `writable: true`; if you only read it, you can open it with "
    "sqlite3.connect('file:NAME?immutable=1', uri=True)"
)
PACKAGES = (
    "{name} is not in this interpreter: put pure Python packages into a directory of `dirs`, and its path into "
    f"PYTHONPATH in `env`; packages with compiled parts cannot run here: do without them, {OWN_CGI}"
)
RENAMED = "{name} is a module of Python 2; in Python 3 it is {now}"
REMOVED = f"{VERSION} no longer has {{name}}; the release notes of Python say what to use instead"
PYTHON_2 = (
    f"this looks like Python 2, but the interpreter is {VERSION}: convert the script (2to3 came with Python up to 3.12)"
)
ENCODING = "a file that is not UTF-8 must declare its encoding in the first or second line: # -*- coding: latin-1 -*-"

_PROCESSES = {
    "fork", "forkpty", "system", "execv", "execve", "spawnv", "spawnve", "posix_spawn", "posix_spawnp", "wait",
    "wait3", "wait4", "waitpid", "waitid", "kill", "killpg", "pipe", "pipe2", "nice", "setsid",
}  # fmt: skip
_SYSTEM = {"getloadavg", "sysconf", "statvfs", "alarm", "setitimer", "pthread_kill"}
_RENAMED = {
    "__builtin__": "builtins", "BaseHTTPServer": "http.server", "ConfigParser": "configparser",
    "Cookie": "http.cookies", "HTMLParser": "html.parser", "Queue": "queue", "SimpleHTTPServer": "http.server",
    "SocketServer": "socketserver", "StringIO": "io", "UserDict": "collections", "anydbm": "dbm",
    "cPickle": "pickle", "cStringIO": "io", "commands": "subprocess", "cookielib": "http.cookiejar",
    "copy_reg": "copyreg", "dumbdbm": "dbm.dumb", "htmlentitydefs": "html.entities", "httplib": "http.client",
    "md5": "hashlib", "robotparser": "urllib.robotparser", "sets": "the type set", "sha": "hashlib",
    "thread": "_thread", "urllib2": "urllib.request", "urlparse": "urllib.parse", "whichdb": "dbm",
    "xmlrpclib": "xmlrpc.client",
}  # fmt: skip
_REMOVED = {
    "aifc", "asynchat", "asyncore", "audioop", "binhex", "chunk", "crypt", "distutils", "formatter", "imghdr", "imp",
    "lib2to3", "macpath", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "parser", "pipes", "smtpd", "sndhdr",
    "spwd", "sunau", "symbol", "telnetlib", "uu", "xdrlib",
}  # fmt: skip
_NAMES_OF_2 = {
    "apply", "basestring", "buffer", "cmp", "coerce", "execfile", "file", "intern", "long", "raw_input", "reduce",
    "reload", "unichr", "unicode", "xrange",
}  # fmt: skip
_ATTRIBUTES_OF_2 = {
    "has_key", "iteritems", "iterkeys", "itervalues", "letters", "lowercase", "uppercase", "maxint", "getcwdu",
    "joinfields", "atoi", "atof",
}  # fmt: skip
_SYNTAX_OF_2 = re.compile(
    r"Missing parentheses in call to|leading zeros in decimal integer literals|multiple exception types must be"
)
_EXCEPT_OF_2 = re.compile(r"\s*except\s+\S+\s*,\s*\w+\s*:")  # in Python 3.14 two kinds of errors
_LINE_OF_2 = re.compile(r"<>|`|^\s*raise\s+\w+\s*,|\b[uU][rR]['\"]|\b\d+[lL]\b")


def hint(error: BaseException) -> str | None:
    """The line for this error or one that has led to it; None where there is nothing to say."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if name := getattr(error, "wsgi_wasm_name", None):  # of wsgi_wasm_system
            return NETWORK if name.startswith("ssl.") else SYSTEM.format(name=name)
        for kind, say in _KINDS:
            if isinstance(error, kind) and (text := say(error)):
                return text
        error = error.__cause__ or error.__context__
    return None


def _of_module(error: ModuleNotFoundError) -> str | None:
    name = error.name or ""
    root = name.partition(".")[0]
    if name.startswith("multiprocessing."):
        return PROCESSES
    if not root or root in sys.modules:  # one of the script's own hides it
        return None
    if root in _RENAMED:
        return RENAMED.format(name=root, now=_RENAMED[root])
    if root in _REMOVED:
        return REMOVED.format(name=root)
    return (SYSTEM if root in sys.stdlib_module_names else PACKAGES).format(name=root)


def _of_name(error: NameError | AttributeError) -> str | None:
    owner = getattr(error, "obj", None)
    of_module = isinstance(error, NameError) or isinstance(owner, types.ModuleType)
    if of_module and error.name in _PROCESSES:
        return PROCESSES
    if of_module and error.name in _SYSTEM:
        return SYSTEM.format(name=error.name)
    if isinstance(error, AttributeError):
        return PYTHON_2 if error.name in _ATTRIBUTES_OF_2 else None
    if error.name in _NAMES_OF_2 or _EXCEPT_OF_2.match(_line(error)):
        return PYTHON_2
    return None


def _of_system(error: OSError) -> str | None:
    said = str(error)
    if getattr(error, "wsgi_wasm_program", False):
        return PROCESSES
    if "unknown url type: https" in said or _location(error)[0].endswith("/socket.py"):
        return NETWORK
    if "No usable temporary directory" in said:
        return TEMPORARY
    if isinstance(error, PermissionError) and error.filename is not None:
        return WRITING
    if isinstance(error, FileNotFoundError) and str(error.filename).startswith("/"):
        return PATHS
    return None


def _location(error: BaseException) -> tuple[str, int]:
    """The file and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def _line(error: BaseException) -> str:
    return linecache.getline(*_location(error))


def _of_thread(error: RuntimeError) -> str | None:
    return THREADS if "can't start new thread" in str(error) else None


def _of_database(error: sqlite3.OperationalError) -> str | None:
    return DATABASE if re.search("access permission denied|unable to open|is locked|readonly", str(error)) else None


def _of_syntax(error: SyntaxError) -> str | None:
    said = str(error.msg)
    if "codec can't decode" in said:
        return ENCODING
    return PYTHON_2 if _SYNTAX_OF_2.search(said) or _LINE_OF_2.search(error.text or "") else None


def _of_type(error: TypeError) -> str | None:
    return PYTHON_2 if ">>: 'builtin_function_or_method'" in str(error) else None


_KINDS = (
    (ModuleNotFoundError, _of_module),
    (AttributeError, _of_name),
    (NameError, _of_name),
    (OSError, _of_system),
    (RuntimeError, _of_thread),
    (sqlite3.OperationalError, _of_database),
    (SyntaxError, _of_syntax),
    (TypeError, _of_type),
)
