"""nginx, Debian's, in front of another server; started for a test and from a configuration of its own."""

from __future__ import annotations

import os
from pathlib import Path

from .process import ServerProcess, free_port
from .server import Server

NGINX = "/usr/sbin/nginx"

# What a server block of an administrator's stands in, without a file of the machine's.
WHOLE = """\
daemon off;
USER
worker_processes 1;
pid PLACE/nginx.pid;
error_log PLACE/error.log;
events {}
http {
    access_log PLACE/access.log;
    client_body_temp_path PLACE/body;
    proxy_temp_path PLACE/proxy;
    fastcgi_temp_path PLACE/fastcgi;
    uwsgi_temp_path PLACE/uwsgi;
    scgi_temp_path PLACE/scgi;
SERVER
}
"""


def start_nginx(server: str, tmp: Path, name: str = "nginx") -> Server:
    """Start it with a server block that listens on port 80, for which a free one is taken, and wait until it takes
    connections. Raises ServerError with the log's end when it does not."""
    place = tmp / name
    place.mkdir()
    port = free_port()
    assert "listen 80;" in server
    text = WHOLE.replace("SERVER", server.replace("listen 80;", f"listen 127.0.0.1:{port};"))
    user = "user root;" if os.geteuid() == 0 else ""
    file = place / "nginx.conf"
    file.write_text(text.replace("PLACE", str(place)).replace("USER", user), encoding="utf-8")
    argv = [NGINX, "-p", str(place), "-e", str(place / "error.log"), "-c", str(file)]
    process = ServerProcess(argv, output=place / "output.log", cwd=place)
    front = Server(name, process, port, logs=(place / "error.log", place / "access.log"))
    try:
        front.wait_ready(None)
    except BaseException:
        front.stop()
        raise
    return front
