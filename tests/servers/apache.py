"""Apache httpd 2.4 with a configuration of its own: mod_wsgi in both modes, and mod_cgid for native CGI programs.

Debian's packages apache2-bin and libapache2-mod-wsgi-py3 are what is started. As root, Apache's children run as
www-data, who must be able to enter the directories they serve: see `fixtures.open_tmp` and `give_to_server`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from .packages import others_reach, python_home
from .proc import words
from .process import ServerError, ServerProcess, free_port, wait_while_alive
from .server import Server

PROGRAM = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")
MOD_WSGI = MODULES / "mod_wsgi.so"
USER = "www-data"

BASE_MODULES = ("authz_core", "alias", "dir", "env", "mime", "setenvif")


def runs_as_other_user() -> bool:
    """Whether Apache's children are somebody else than we are."""
    return os.geteuid() == 0


def put(path: Path, data: bytes) -> None:
    """Write a file that Apache's user may read."""
    path.write_bytes(data)
    path.chmod(0o644)


def give_to_server(path: Path) -> None:
    """Make the user that guests run as under Apache the owner of a file or directory, so that they can write to it."""
    if runs_as_other_user():
        shutil.chown(path, USER, USER)


def check_reachable(path: Path) -> None:
    """Raises ServerError when Apache's children could not read `path`; better than their 403 later."""
    if runs_as_other_user() and not others_reach(path):
        raise ServerError(f"{path}: {USER} cannot read it or enter a directory above it; put it below `open_tmp`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What goes into httpd.conf. `text` comes last and is plain configuration.

    `text` may use ${SERVER_PYTHON_HOME}, and ${SERVER_SCRIPTS}: the directory `scripts`, or a copy of it that Apache's
    user can read. `native` maps URL paths to directories of CGI
    programs for mod_cgid. `timeout` is Apache's own, in seconds. There are always `children` processes of `threads`
    threads; `daemons` is how many processes WSGIDaemonProcess asks for, none in embedded mode. `within` is a command
    that goes on as Apache's, such as `unshare`.
    """

    text: str
    scripts: Path | None = None
    docroot: Path | None = None
    mpm: str = "event"
    modules: tuple[str, ...] = ()
    wsgi: bool = True
    native: Mapping[str, Path] = field(default_factory=dict)
    defines: Mapping[str, str] = field(default_factory=dict)
    timeout: int = 60
    children: int = 2
    daemons: int = 0
    threads: int = 16
    within: tuple[str, ...] = ()


class Apache(Server):
    """A running Apache. `pids` are the processes that run Python: mod_wsgi's daemons, or else Apache's children."""

    def __init__(
        self, name: str, process: ServerProcess, port: int, site: Site, *, root: Path, error_log: Path
    ) -> None:
        super().__init__(name, process, port, logs=(error_log,))
        self.site = site
        self.root = root

    @property
    def python_home(self) -> Path:
        """The environment that this httpd runs Python in."""
        (home,) = re.findall(r'^Define SERVER_PYTHON_HOME "(.*)"$', (self.root / "httpd.conf").read_text("utf-8"), re.M)
        return Path(home)

    def pids(self) -> list[int]:
        """mod_wsgi's daemon processes if the site has any, else the children that take requests."""
        children = self.process.children()
        if self.site.daemons:  # the name is given by display-name, a moment after the fork
            return [pid for pid in children if b"".join(words(pid)).startswith(b"(wsgi:")]
        return [pid for pid in children if pid != self._cgi_daemon()]

    def _cgi_daemon(self) -> int | None:
        """mod_cgid's helper process, which is forked before the children and owns no thread but one."""
        if not self.site.native:
            return None
        singles = [pid for pid in self.process.children() if len(os.listdir(f"/proc/{pid}/task")) == 1]
        return min(singles, default=None)

    def reload(self) -> None:
        """Graceful restart (`apachectl graceful`): requests that run are finished by the old processes."""
        self.renew(signal.SIGUSR1, None)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, tuple[int, ...]]:
        """SIGTERM ends requests that run, SIGWINCH lets them finish."""
        result = super().stop(number)
        shutil.rmtree(self.root, ignore_errors=True)
        return result

    @classmethod
    def start(cls, site: Site, tmp: Path, *, name: str = "apache", env: Mapping[str, str] | None = None) -> Self:
        """Start Apache for `site` and wait until it takes connections. `env` is all that its environment has besides
        PATH and LANG. Raises ServerError with the log's end when it does not come up."""
        check_installed(site)
        root = Path(tempfile.mkdtemp(prefix="httpd-"))  # short: socket names in it have 107 bytes at most
        root.chmod(0o755)
        port = free_port()
        error_log = tmp / f"{name}-error.log"
        text = httpd_conf(site, root=root, port=port, error_log=error_log)
        (root / "httpd.conf").write_text(text, encoding="utf-8")
        process = ServerProcess(
            [*site.within, str(PROGRAM), "-DFOREGROUND", "-d", str(root), "-f", str(root / "httpd.conf")],
            output=tmp / f"{name}.log",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **(env or {})},
            cwd=root,
        )
        server = cls(name, process, port, site, root=root, error_log=error_log)
        try:
            server.wait_ready(None)
            expected = site.daemons or site.children
            wait_while_alive(process, f"{expected} processes", lambda: len(server.pids()) == expected)
        except BaseException as error:
            log = server.log()
            server.stop()
            raise ServerError(f"{error}\n{log[-4000:]}") from error
        return server


def check_installed(site: Site) -> None:
    """Raises ServerError naming the Debian package that is missing."""
    if not PROGRAM.exists():
        raise ServerError(f"{PROGRAM} is missing: apt-get install apache2-bin")
    if site.wsgi and not MOD_WSGI.exists():
        raise ServerError(f"{MOD_WSGI} is missing: apt-get install libapache2-mod-wsgi-py3")


def httpd_conf(site: Site, *, root: Path, port: int, error_log: Path) -> str:
    """A whole configuration; nothing of /etc/apache2 is read."""
    docroot = site.docroot
    if docroot is None:
        docroot = root / "htdocs"
        docroot.mkdir()
    check_reachable(docroot)
    lines = [
        f'ServerRoot "{root}"',
        f"ServerName 127.0.0.1:{port}",
        f"Listen 127.0.0.1:{port}",
        f'PidFile "{root}/httpd.pid"',
        f'DefaultRuntimeDir "{root}"',
        f'ErrorLog "{error_log}"',
        "LogLevel info",
        *(_load(name) for name in (f"mpm_{site.mpm}", *BASE_MODULES, *site.modules)),
        *_processes(site),
        *([f"User {USER}", f"Group {USER}"] if runs_as_other_user() else []),
        f"Timeout {site.timeout}",
        "KeepAlive On",
        "EnableSendfile Off",
        "TypesConfig /dev/null",
        f'DocumentRoot "{docroot}"',
        "<Directory />\n    AllowOverride None\n    Require all denied\n</Directory>",
        f'<Directory "{docroot}">\n    Require all granted\n</Directory>',
        *_native(site, root),
        *_wsgi(site, root),
        *(f'Define {name} "{value}"' for name, value in site.defines.items()),
        site.text,
    ]
    return "\n".join(lines) + "\n"


def _load(name: str) -> str:
    return f"<IfModule !mod_{name}.c>\n    LoadModule {name}_module {MODULES}/mod_{name}.so\n</IfModule>"


def _processes(site: Site) -> list[str]:
    """A fixed number of children, so that tests know what to expect."""
    if site.mpm == "prefork":
        count = site.children
        return [f"StartServers {count}", f"MinSpareServers {count}", f"MaxSpareServers {count + 1}", "ServerLimit 64"]
    total = site.children * site.threads
    return [
        f"StartServers {site.children}",
        f"ThreadLimit {max(64, site.threads)}",
        f"ThreadsPerChild {site.threads}",
        "MinSpareThreads 1",
        f"MaxSpareThreads {total + site.threads}",
        f"MaxRequestWorkers {total}",
    ]


def _native(site: Site, root: Path) -> list[str]:
    if not site.native:
        return []
    # mod_cgid is for threaded MPMs; as root its socket must lie where the children may go
    lines = [_load("cgid"), f'ScriptSock "{root}/cgid.sock"']
    for url, directory in site.native.items():
        check_reachable(directory)
        lines += [
            f'ScriptAlias "{url.rstrip("/")}/" "{directory}/"',
            f'<Directory "{directory}">\n    Require all granted\n    Options +ExecCGI\n</Directory>',
        ]
    return lines


def _wsgi(site: Site, root: Path) -> list[str]:
    if not site.wsgi:
        return []
    home = python_home(MOD_WSGI, root / "python", foreign_user=runs_as_other_user())
    return [
        _load("wsgi"),
        f'WSGISocketPrefix "{root}/wsgi"',
        f'Define SERVER_PYTHON_HOME "{home}"',
        *([] if site.scripts is None else [f'Define SERVER_SCRIPTS "{readable(site.scripts, root)}"']),
        f'WSGIPythonHome "{home}"',  # for embedded mode; daemons name theirs
    ]


def readable(directory: Path, root: Path) -> Path:
    """`directory` itself, or a copy of its files below `root` where Apache's user cannot go there."""
    if not runs_as_other_user() or others_reach(directory):
        return directory
    copy = root / directory.name
    copy.mkdir(mode=0o755)
    for path in directory.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
            (copy / path.name).chmod(0o644)
    return copy


def include(*paths: Path) -> str:
    """Include directives for files of configuration."""
    return "\n".join(f'Include "{path}"' for path in paths)
