"""Finding the server's spawner, or starting it: the first process that needs one does, and the
others meet it at a socket in a directory that only this user can write to."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wsgi_wasm.errors import Unavailable, UntrustedFile
from wsgi_wasm.files.directory import TrustedDirectory
from wsgi_wasm.files.locations import own_temporary_directory
from wsgi_wasm.files.locks import locked_file
from wsgi_wasm.files.python import entry_point, interpreter
from wsgi_wasm.isolation.rights import SpawnerRights
from wsgi_wasm.isolation.server import ServerProcess, began, namespace, server_process
from wsgi_wasm.log_output import for_another_process
from wsgi_wasm.messages import escaped, reason
from wsgi_wasm.version import __version__

# How variables begin that a spawner gets.
_PASSED = ("PATH", "LANG", "TZ", "COVERAGE_", "WSGI_WASM_NATIVE")
_START = 30.0  # seconds that the spawner may take for an answer


class SpawnerAnswer(NamedTuple):
    """The spawner's, with the descriptor that it brought."""

    words: dict[str, Any]
    descriptor: int | None


class Meeting:
    """The place where the processes of one server meet their spawner.

    Its socket lies in the directory `cache` or, where that cannot be used, in one among the
    temporary files. `most` is how many children there may be; `rights` are the spawner's, if it is
    to be started.
    """

    def __init__(
        self, cache: Path, most: int, server: ServerProcess | None = None, rights: SpawnerRights | None = None
    ) -> None:
        self._directories = [cache / "run"]
        with contextlib.suppress(OSError):  # where there is no directory for temporary files
            self._directories.append(own_temporary_directory())
        self._cache = cache
        self._most = most
        self._server = server or server_process()
        self._rights = rights or SpawnerRights()
        self._name = f"{self._server.name}-{__version__}"

    def ask(self, question: dict[str, Any]) -> SpawnerAnswer:
        """The spawner's answer. Raises Unavailable where there is none to be had."""
        connection, words, descriptors = self.begin(question)
        connection.close()
        return SpawnerAnswer(words, descriptors[0] if descriptors else None)

    def begin(
        self, question: dict[str, Any], given: Sequence[int] = ()
    ) -> tuple[socket.socket, dict[str, Any], list[int]]:
        """The connection on which it was asked, with the answer and its descriptors; `given` are
        descriptors that go with the question. Raises Unavailable."""
        try:
            with self._connected() as connection:
                connection.settimeout(_START)
                socket.send_fds(connection, [json.dumps(question).encode()], given)
                data, descriptors, _, _ = socket.recv_fds(connection, 65536, 2)
                if not data:
                    raise ConnectionResetError("it has ended")
                return connection.dup(), json.loads(data), list(descriptors)
        except (OSError, UntrustedFile) as error:
            raise Unavailable(f"the process that starts others for guests cannot be reached: {reason(error)}") from None

    def tell(self, question: dict[str, Any], given: Sequence[int]) -> socket.socket:
        """The connection on which it was asked, and on which whatever answers will. Raises
        Unavailable."""
        try:
            connection = self._connected()
            try:
                connection.settimeout(1.0)
                socket.send_fds(connection, [json.dumps(question).encode()], given)
            except BaseException:
                connection.close()
                raise
        except (OSError, UntrustedFile) as error:
            raise Unavailable(f"the process that starts programs cannot be reached: {reason(error)}") from None
        return connection

    def start(self) -> None:
        """Start the spawner where there is none yet. Raises Unavailable."""
        self.ask({"children": True})

    def _connected(self) -> socket.socket:
        """Raises OSError, UntrustedFile."""
        failures: list[Exception] = []
        for starting in (False, True):
            for directory in self._directories if starting else filter(Path.is_dir, self._directories):
                try:
                    with _opened(directory, writable=starting) as at:
                        connection = self._started(at) if starting else _connection(at, self._name)
                except (OSError, UntrustedFile) as error:
                    failures += [error] if starting else []
                    continue
                if connection is not None:
                    return connection
        raise failures[0] if failures else ConnectionRefusedError("it does not listen")

    def _started(self, at: str) -> socket.socket | None:
        """A connection to a spawner that is started unless somebody was faster. Raises OSError."""
        with locked_file(Path(f"{at}/{self._name}.lock")):
            connection = _connection(at, self._name)
            if connection is None:
                self._begin(at)
                connection = _connection(at, self._name)
        return connection

    def _begin(self, at: str) -> None:
        """Raises OSError."""
        path = f"{at}/{self._name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        _sweep(at)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            os.chmod(path, 0o600)
            for asker in self._rights.askers:
                os.chown(path, asker, -1)
            listener.listen(128)
            self._start_spawner(listener)

    def _start_spawner(self, listener: socket.socket) -> None:
        """Start the spawner. It is nobody's child whom anybody would have to wait for. Raises
        OSError."""
        server = self._server
        options = ["--server", str(server.pid), "--began", str(server.began), "--most", str(self._most)]
        options += ["--cache", str(self._cache)]
        options += ["--log", *for_another_process()]
        for asker in sorted(self._rights.askers):
            options += ["--asker", str(asker)]
        for user in sorted(self._rights.users):
            options += ["--user", user]
        if self._rights.commands is not None:
            options += ["--confined", *(f"--command={digest}" for digest in sorted(self._rights.commands))]
        start_spawner(listener, options)


def start_spawner(listener: socket.socket, options: Sequence[str]) -> None:
    """Start a spawner that listens there. Raises OSError."""
    command = entry_point("wsgi_wasm.isolation.spawner", *options)
    kept = {name: value for name, value in os.environ.items() if name.startswith(_PASSED)}
    # The one in between ends at once, and the spawner goes to init.
    between = [interpreter(), "-I", "-c", "import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=0)", *command]
    subprocess.run(between, stdin=listener.fileno(), stdout=2, env=kept, start_new_session=True, check=True)


def _connection(at: str, name: str) -> socket.socket | None:
    """To a spawner of this user's or root's; None where none listens. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(f"{at}/{name}")
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, os.geteuid()):
            raise PermissionError(f"user {uid} answers in its place")
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _opened(directory: Path, *, writable: bool) -> Iterator[str]:
    """A short path of a directory that is ours: addresses of sockets have at most 108 bytes. Raises
    UntrustedFile, OSError."""
    trusted = TrustedDirectory(directory)
    if writable and not trusted.writable:
        raise UntrustedFile(f"{escaped(directory)} is read-only")
    descriptor = os.open(trusted.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _sweep(at: str) -> None:
    """Remove the sockets of servers that have ended."""
    for entry in os.scandir(at):
        parts = entry.name.split("-", 3)[:3]
        if len(parts) < 3 or not all(map(str.isdigit, parts)):
            continue
        space, pid, ticks = map(int, parts)
        known = space == namespace() and time.time() - entry.stat(follow_symlinks=False).st_mtime > 60
        if known and began(pid) != ticks:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)
