"""Records in Apache's error log, at their own level.

mod_wsgi before 6 writes whatever Python prints at the level `error`. So this calls the function of
httpd that its modules call (`ap_log_error_`, http_log.h, part of the stable interface of 2.4), for
the main server, with the module mod_wsgi: `LogLevel wsgi:info` applies. The log of the main server
is in a daemon process that of the virtual host which defines the process group (mod_wsgi's
`wsgi_start_process`). mod_wsgi 6 has a handler for this, which knows the request as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from types import ModuleType

from wsgi_wasm.log_output import Form
from wsgi_wasm.messages import shorten

_LEVELS = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7  # APLOG_DEBUG (http_log.h), and so on
_MOST = 7000  # characters; httpd cuts a line at 8 KiB, with what it writes before it


class _HttpdModule(ctypes.Structure):
    """The beginning of `module` (http_config.h)."""

    _fields_ = (("version", ctypes.c_int), ("minor_version", ctypes.c_int), ("module_index", ctypes.c_int))


def error_log(server: ModuleType) -> logging.Handler:
    """A handler for the error log of the httpd that this process belongs to; `server` is the module
    that mod_wsgi puts into its interpreters."""
    if hasattr(server, "LogHandler"):
        own: logging.Handler = server.LogHandler()
        return own
    try:
        return HttpdLog()
    except (AttributeError, ValueError, OSError):  # another httpd than any that is known
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        return handler


class HttpdLog(logging.Handler):
    """Writes records by httpd's own function. Those in JSON go to standard error, which httpd has
    led to the same file or pipe, as they are: httpd would put its prefix before them and double
    their backslashes. With `ErrorLog syslog` there is no such file, and httpd gets them, too.

    Raises AttributeError, ValueError where this process is none of httpd's.
    """

    def __init__(self) -> None:
        super().__init__()
        httpd = ctypes.CDLL(None)
        self._write = httpd.ap_log_error_
        self._write.restype = None
        self._server = ctypes.c_void_p.in_dll(httpd, "ap_server_conf")
        self._index = _HttpdModule.in_dll(httpd, "wsgi_module").module_index
        self._has_file = not _is_nothing(2)
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """As `logging.Handler.emit`."""
        text = self.format(record)
        if isinstance(self.formatter, Form) and self.formatter.json and self._has_file:
            os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))
            return
        level = next((level for least, level in _LEVELS if record.levelno >= least), _DEBUG)
        file = os.fsencode(os.path.basename(record.pathname))
        for line in text.splitlines():
            data = shorten(line, _MOST).encode("utf-8", "backslashreplace").replace(b"\0", b"\\0")
            self._write(file, record.lineno, self._index, level, 0, self._server, b"%s", data)


def _is_nothing(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.stat(os.devnull))
    return True
