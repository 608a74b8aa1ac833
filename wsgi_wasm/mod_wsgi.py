"""Entry points for Apache's mod_wsgi: `application` for WSGIScriptAlias,
`handle_request` for WSGIHandlerScript.

Both share one gateway per process, made at the first request or by `warm`. The configuration is
the file that WSGI_WASM_CONFIG names in the environment of the process, else
/etc/wsgi-wasm/site.yaml; never one that a request names. Only `handle_request` can do without a
file, if that is the default one.

For handler scripts mod_wsgi checks neither that the file exists nor that it is one
(`wsgi_hook_handler`; it does so for `wsgi-script` alone), so that is done here.
"""

from __future__ import annotations

import importlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from wsgi_wasm import Gateway, create_app, log_output
from wsgi_wasm.apache.error_log import error_log
from wsgi_wasm.cgi.message import REASONS
from wsgi_wasm.cgi.redirects import inherited_status
from wsgi_wasm.config import parse_config
from wsgi_wasm.errors import ConfigError, EngineError, Forbidden, NotFound, Problem, Unavailable, WsgiWasmError
from wsgi_wasm.files.obstacles import obstacle
from wsgi_wasm.gateway.dispatcher import not_found
from wsgi_wasm.gateway.wsgi_server import Environ, StartResponse, WSGIApplication
from wsgi_wasm.logs import log_error, package_log
from wsgi_wasm.messages import escaped, quote, reason

DEFAULT_CONFIG = Path("/etc/wsgi-wasm/site.yaml")

# These can lose or cut request bodies: WSGIScriptReloading Off with queue-timeout=0 (release notes
# of 6.0.5).
REFUSED = ((6, 0, 0), (6, 0, 4))

RETRY_AFTER = 5.0
"""Seconds after a failed start before the next request tries again; reading a broken file
is not free."""

log = package_log("gateway")


def check_server(server: ModuleType | None) -> None:
    """Raises EngineError, naming the directive to set, where the engine cannot or must not run.

    `server` is the module `mod_wsgi` that mod_wsgi puts into its interpreters; None under
    any other server.
    """
    if server is None:
        return
    version = tuple(getattr(server, "version", ()))
    if REFUSED[0] <= version <= REFUSED[1]:
        raise EngineError(
            f"mod_wsgi {'.'.join(map(str, version))} can lose parts of request bodies: "
            "install 6.0.5 or later, or 4.9 or 5.0"
        )
    group = getattr(server, "application_group", "")
    if group:
        raise EngineError(
            f"this is the sub-interpreter {group!r}, in which the engine cannot run: add "
            "application-group=%{GLOBAL} to WSGIScriptAlias or WSGIHandlerScript, or set "
            "WSGIApplicationGroup %{GLOBAL}"
        )


def embedding_server() -> ModuleType | None:
    """The module `mod_wsgi` of the process; None outside Apache, where that name
    may be PyPI's package."""
    try:
        module = importlib.import_module("mod_wsgi")
    except ImportError:
        return None
    return module if hasattr(module, "application_group") else None


def configured_path() -> tuple[Path, bool]:
    """The configuration file, and whether somebody named it."""
    named = os.environ.get("WSGI_WASM_CONFIG")
    return (Path(named), True) if named else (DEFAULT_CONFIG, False)


# Of modules of anybody's, so without what a module could switch on for itself.
_BARE = b"handler: {}\nengine: {features: []}"


def make_gateway() -> Gateway:
    """The gateway of the configuration file; the bare defaults where there is none and
    none was named.

    Raises ConfigError or EngineError, and whatever else a broken installation can bring.
    """
    _check_process()
    path, named = configured_path()
    if named or path.exists():
        return _gateway_of(path, None)
    return Gateway(parse_config(_BARE, path))


def _check_process() -> None:
    """Raises EngineError."""
    server = embedding_server()
    log_output.attach([error_log(server) if server is not None else log_output.to_stderr()])
    check_server(server)


def _gateway_of(path: str | Path, app: WSGIApplication | None) -> Gateway:
    """Raises ConfigError or EngineError."""
    # Processes come and go as Apache likes, at the latest when the night's log rotation reloads it:
    # a mistake in the file shall not take the site down then. Without a last good configuration the
    # mistake is an error.
    os.environ.setdefault("WSGI_WASM_LAST_GOOD", "1")
    gateway = create_app(path, app)
    if gateway.config.trusted_proxies is not None:
        log.warning("%s: trusted_proxies has no effect under Apache: use mod_remoteip", path)
    gateway.harden()  # this may be the only time before there are threads
    return gateway


class Once:
    """The process's gateway: made by whoever asks first. Failures are remembered for a moment, then
    tried again, so that a mended file needs no restart."""

    def __init__(self, make: Callable[[], Gateway], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._gateway: Gateway | None = None
        self._failure = ""
        self._retry_at = 0.0

    def get(self) -> Gateway:
        """The gateway. Raises Unavailable with the reason while it cannot be made; the reason is
        logged once a try."""
        gateway = self._gateway
        if gateway is not None:
            return gateway
        with self._lock:
            if self._gateway is None:
                self._gateway = self._try()
            return self._gateway

    def _try(self) -> Gateway:
        if self._clock() < self._retry_at:
            raise Unavailable(self._failure, retry_after=int(RETRY_AFTER))
        try:
            return self._make()
        except Unavailable:
            raise  # of an inner one, which has logged it
        except Exception as error:
            # Our own errors say all in their text; others are bugs or broken installations and need
            # the traceback.
            if isinstance(error, WsgiWasmError):
                log_error(log, error, before="cannot start: ")
            else:
                log.error("cannot start: %s", error, exc_info=error)
            self._failure = str(error)
            self._retry_at = self._clock() + RETRY_AFTER
            raise Unavailable(self._failure, retry_after=int(RETRY_AFTER)) from error


_gateway = Once(make_gateway)


def make_site() -> Gateway:
    """The gateway, but only of a configuration file. Raises ConfigError without one, Unavailable if
    it is no good."""
    path, named = configured_path()
    if not named and not path.exists():
        raise ConfigError([Problem(str(path), 0, 0, "no such file, and WSGI_WASM_CONFIG is not set")])
    return _gateway.get()


_site = Once(make_site)


def warm(gateway: Once = _site) -> None:
    """Make the gateway and its engine before the first request. What fails is logged, and tried
    again by requests."""
    try:
        gateway.get().warm()
    except Unavailable:
        return  # logged
    except Exception:
        log.exception("cannot warm up")


def warm_handler() -> None:
    """`warm` for handler scripts, which can do without a configuration file."""
    warm(_gateway)


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The site of the configuration file."""
    try:
        gateway = _site.get()
    except Unavailable as error:
        return refuse(environ, start_response, error)
    return gateway(environ, start_response)


def handle_request(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """The script that Apache mapped the request to, with the limits of `handler` or of
    the selected route."""
    try:
        gateway = _gateway.get()
    except Unavailable as error:
        return refuse(environ, start_response, error)
    try:
        path = script_path(environ)
    except (NotFound, Forbidden) as error:
        return gateway.refuse_script(environ, start_response, error)
    return gateway.handle_script(environ, start_response, path, environ.get("wsgi_wasm.route") or None)


def site_handler(site: str) -> WSGIApplication:
    """`handle_request` of the scripts that `wsgi-wasm apache enable` writes: the routes of the file
    `site` at their own paths, for the requests that its rules give to them."""

    def make() -> Gateway:
        _check_process()
        # what is behind it has been served by httpd itself
        return _gateway_of(site, not_found)

    once = Once(make)

    def handle_request(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            gateway = once.get()
        except Unavailable as error:
            return refuse(environ, start_response, error)
        # httpd has split the path by the files that it has seen
        environ["PATH_INFO"] = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        environ["SCRIPT_NAME"] = ""
        return gateway(environ, start_response)

    warm(once)
    return handle_request


def script_path(environ: Environ) -> Path:
    """The file that SCRIPT_FILENAME names, if it may be run. Raises NotFound with the reason, which
    is for the log.

    All refusals look alike to the client, so that nobody learns what lies there.
    """
    # PEP 3333: the server's bytes, decoded as latin-1
    path = Path(os.fsdecode(environ.get("SCRIPT_FILENAME", "").encode("latin-1")))
    if not path.is_absolute():
        raise NotFound(f"SCRIPT_FILENAME is not an absolute path: {quote(str(path), 200)}")
    if path.name.startswith("."):
        raise NotFound(f"{escaped(path)}: a hidden file")
    try:
        own = path.lstat()
        target = path.stat() if stat.S_ISLNK(own.st_mode) else own
    except PermissionError:
        raise Forbidden(f"{escaped(path)}: {obstacle(path)}") from None
    except (OSError, ValueError) as error:
        raise NotFound(f"{escaped(path)}: {reason(error)}") from error
    if not stat.S_ISREG(target.st_mode):
        raise NotFound(f"{escaped(path)}: not a regular file")
    if own.st_uid != target.st_uid:
        # Apache's SymLinksIfOwnerMatch
        raise NotFound(f"{escaped(path)}: a link to a file of another owner")
    return path


def refuse(environ: Environ, start_response: StartResponse, error: Unavailable) -> list[bytes]:
    """The answer while there is no gateway; the reason is in the log. The page of an error leaves
    the error."""
    status = inherited_status(environ) or error.status
    line = f"{status} {REASONS.get(status, 'Error')}"
    body = f"{line}\n".encode()
    more = error.fields if status == error.status else ()
    start_response(line, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *more])
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
