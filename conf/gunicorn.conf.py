"""gunicorn's configuration for a wsgi_wasm site.

    WSGI_WASM_CONFIG=site.yaml gunicorn --config gunicorn.conf.py wsgi_wasm.wsgi:application

Options on the command line override this file. The names are gunicorn's own. Settings that are not here keep
gunicorn's default.
"""

import multiprocessing
import os

# The hooks. `post_worker_init` starts the engine before the first request, and warns if a timeout below is too short
# for a route. `pre_fork` prevents a later mistake in the YAML file from stopping the server, see docs/gunicorn.md.
from wsgi_wasm.gunicorn import heartbeat_directory, post_worker_init, pre_fork, when_ready  # noqa: F401

# A front server (nginx, Apache) handles TLS, static files and slow clients. Without one, use "0.0.0.0:8000".
bind = os.environ.get("BIND", "127.0.0.1:8000")

# A guest runs in the thread of its request. With `gthread`, a slow client or a waiting guest does not block a whole
# process. `sync` handles one request at a time per process, which suits guests that only compute, behind a front server
# that buffers.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", multiprocessing.cpu_count()))
threads = 8

# In seconds. Must exceed the longest `timeout` plus `queue_timeout` of any route (25 s and 5 s by default). Under
# `sync`, gunicorn kills the whole worker if a request takes longer than this. Under `gthread`, gunicorn does not watch
# single threads: this setting only catches a process that hangs as a whole. Only the routes' limits bound a request.
timeout = 45

# How long requests may continue when a worker has to stop (reload, shutdown). TimeoutStopSec of systemd must be longer.
graceful_timeout = 45

# How many seconds an idle connection is kept open. Must exceed the front server's value. Otherwise the front server
# sometimes uses a connection that has just been closed.
keepalive = 75

# Directory of the heartbeat files: /dev/shm if files can be made there. On a disk, a slow write would look like a
# hanging worker.
worker_tmp_dir = heartbeat_directory()

# By default, a front server on this machine could set SCRIPT_NAME and PATH_INFO by header fields, and so could any
# client whose header fields it passes on. PATH_INFO decides the route.
forwarder_headers = ""

# `trusted_proxies` in the site's file says which front servers are believed for whom they ask. It replaces gunicorn's
# own forwarded_allow_ips and secure_scheme_headers, so they are not set here.

# As long as Apache's (LimitRequestLine); gunicorn's default is 4,094. A field of the head may have 8,190 bytes in both,
# and a head 100 fields: limit_request_field_size and limit_request_fields.
limit_request_line = 8190

# No control socket. By default gunicorn would create one per user, in ~/.gunicorn.
control_socket_disable = True

# max_requests is not set, on purpose: guests leave nothing behind that a new process would have to free.

# The engine starts in each worker after the fork, so you can set preload_app. But then gunicorn keeps the application
# that it has loaded, and a reload (SIGHUP) reads neither code nor YAML again. `reload: true` in the YAML still works.
preload_app = False

# "-" means standard output or standard error; systemd's journal has both. `%(L)s` is the request's time in seconds.
accesslog = "-"
errorlog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %(L)s'
