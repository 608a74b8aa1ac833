"""Real servers for the APIs that have one: started once for all tests, on loopback, ended by their ids."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.process import ServerError, ServerProcess, free_port, wait_for, wait_until_answering

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@dataclass
class Server:
    process: ServerProcess
    port: int
    password: str

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@contextmanager
def redis(directory: Path) -> Iterator[Server]:
    """A Redis that keeps what it keeps in this directory."""
    port = free_port()
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", "opensesame"]
    process = ServerProcess(argv, output=directory / "log", cwd=directory)
    try:
        wait_until_answering(process, ("127.0.0.1", port), None)
        yield Server(process, port, "opensesame")
    finally:
        process.stop()


@dataclass
class TlsServer:
    port: int
    authority: Path  # the certificate that vouches for it


@pytest.fixture(scope="session")
def redis_tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A Redis for TLS alone, as `localhost`."""
    directory = tmp_path_factory.mktemp("redis-tls")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    made = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(made, check=True, capture_output=True)
    port = free_port()
    argv = [
        *("redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", ""),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate)),
        *("--tls-auth-clients", "no"),
    ]
    process = ServerProcess(argv, output=directory / "log", cwd=directory)
    try:
        wait_until_answering(process, ("127.0.0.1", port), None)
        yield TlsServer(port, certificate)
    finally:
        process.stop()


def as_postgres(*command: str) -> list[str]:
    """The command as a user other than root, whom PostgreSQL refuses to serve."""
    if os.getuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    # Not below pytest's own directory: each pytest that starts closes that to other users.
    with tempfile.TemporaryDirectory(prefix="wsgi_wasm-postgres-") as directory, postgres(Path(directory)) as server:
        yield server


@contextmanager
def postgres(directory: Path) -> Iterator[Server]:
    """A PostgreSQL that keeps what it keeps in this directory, with the user alice."""
    # pytest closes its own, and what lies above them may be the system's: nothing is taken away.
    for folder in (directory, directory.parent, directory.parent.parent):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o755)
    data = directory / "data"
    data.mkdir()
    (directory / "password").write_text("opensesame")
    if os.getuid() == 0:
        shutil.chown(data, "postgres")
    made = as_postgres(
        str(POSTGRES[-1] / "initdb"), "-D", str(data), "-U", "alice", f"--pwfile={directory / 'password'}",
        "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C",
    )  # fmt: skip
    subprocess.run(made, check=True, capture_output=True, cwd="/")
    port = free_port()
    argv = as_postgres(
        str(POSTGRES[-1] / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(data),
        "-c", "fsync=off",
    )  # fmt: skip
    process = ServerProcess(argv, output=directory / "log", cwd=Path("/"))
    try:
        wait_until_answering(process, ("127.0.0.1", port), None)
        # It listens before it has finished starting.
        ready = [str(POSTGRES[-1] / "pg_isready"), "--quiet", "-h", "127.0.0.1", "-p", str(port)]
        wait_for("PostgreSQL to be ready", lambda: subprocess.run(ready, check=False).returncode == 0)
        yield Server(process, port, "opensesame")
    finally:
        process.stop(signal.SIGINT)  # its fast shutdown


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[MysqlServer]:
    # As for PostgreSQL.
    with tempfile.TemporaryDirectory(prefix="wsgi_wasm-mysql-") as directory, mysql(Path(directory)) as server:
        yield server


@dataclass
class MysqlServer(Server):
    authority: Path  # the certificate that vouches for it, as `localhost`


def as_mysql(*command: str) -> list[str]:
    """The command as a user other than root, whom MariaDB refuses to serve."""
    if os.getuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", *command]


@contextmanager
def mysql(directory: Path) -> Iterator[MysqlServer]:
    """A MariaDB that keeps what it keeps in this directory, with the database `shop` of the user alice, and with TLS
    for those who ask for it."""
    directory.chmod(0o755)
    data = directory / "data"
    data.mkdir()
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    made = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(made, check=True, capture_output=True)
    begin = directory / "begin.sql"
    statements = (
        "CREATE DATABASE shop", "CREATE USER alice@'%' IDENTIFIED BY 'opensesame'",
        "CREATE ROLE clerk WITH ADMIN alice@'%'",
        "GRANT ALL ON shop.* TO alice@'%'",
    )  # fmt: skip
    begin.write_text("".join(f"{one};\n" for one in statements))
    if os.getuid() == 0:
        for path in (data, key, certificate, begin):
            shutil.chown(path, "mysql")
    # None of the machine's own configuration.
    common = ["--no-defaults", f"--datadir={data}"]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(as_mysql(*install), check=False, capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise ServerError(f"mariadb-install-db: {done.stdout}\n{done.stderr}")
    port = free_port()
    argv = as_mysql(
        "/usr/sbin/mariadbd", *common, "--bind-address=127.0.0.1", f"--port={port}", f"--socket={data / 'socket'}",
        f"--init-file={begin}", f"--ssl-key={key}", f"--ssl-cert={certificate}", "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=32M", "--max-allowed-packet=256M", "--skip-name-resolve",
    )  # fmt: skip
    process = ServerProcess(argv, output=directory / "log", cwd=Path("/"))
    try:
        # It listens once it has done what is in the file.
        wait_until_answering(process, ("127.0.0.1", port), None)
        yield MysqlServer(process, port, "opensesame", certificate)
    finally:
        process.stop()
