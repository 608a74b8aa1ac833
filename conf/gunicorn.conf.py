"""gunicorn's configuration for a site of wsgi_wasm.

    WSGI_WASM_CONFIG=site.yaml gunicorn --config gunicorn.conf.py wsgi_wasm.wsgi:application

Options on the command line win over this file. gunicorn's own names; what is not here has gunicorn's default.
"""

import multiprocessing
import os

# The hooks. `post_worker_init` makes the engine before the first request and warns when a time below is too short for
# a route. `pre_fork` keeps a later mistake in the YAML file from ending the server: see docs/gunicorn.md.
from wsgi_wasm.gunicorn import post_worker_init, pre_fork  # noqa: F401

# A front server (nginx, Apache) takes TLS, static files and slow clients. Without one: "0.0.0.0:8000".
bind = os.environ.get("BIND", "127.0.0.1:8000")

# A guest runs in the thread of its request. gthread keeps a slow client or a waiting guest from holding a process;
# `sync` has one request at a time per process and is right for pure computing behind a front server that buffers.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", multiprocessing.cpu_count()))
threads = 8

# Seconds, above the longest `timeout` plus `queue_timeout` of any route (25 s and 5 s unless site.yaml says more).
# Under `sync` a request that lasts longer than `timeout` costs the whole worker. Under `gthread` it only catches a
# process that hangs as a whole, since gunicorn does not look at single threads: there the routes' own limits are the
# only ones.
timeout = 45

# How long requests may go on when a worker has to go (reload, stop). Under systemd, TimeoutStopSec must be longer.
graceful_timeout = 45

# Seconds that an idle connection is kept; above those of the front server, or that will now and then use a connection
# that has just been closed.
keepalive = 75

# The file by which workers tell that they live: on a disk, a slow write looks like a worker that hangs.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# By default a front server on this machine could set SCRIPT_NAME and PATH_INFO by header fields, and so could anybody
# whose header fields it passes on. The routes go by PATH_INFO.
forwarder_headers = ""

# No control socket; its default path is one per user, in ~/.gunicorn.
control_socket_disable = True

# Not set, on purpose: max_requests. Guests leave nothing behind that a new process would have to free.

# The engine starts in each worker after the fork, so preload_app is possible. But then a reload (SIGHUP) reads neither
# code nor YAML anew, as gunicorn keeps the application that it has loaded; `reload: true` in the YAML still works.
preload_app = False

# "-" is standard error or output; systemd's journal takes both. `%(L)s` is the request's time in seconds.
accesslog = "-"
errorlog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(L)s'
