"""A werkzeug application with the gateway around it, under werkzeug's own server.

    python -P werkzeug_site.py PORT [SITE.YAML]

Without a configuration the bare application is served. What no route takes is answered by the application.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@Request.application
def application(request: Request) -> Response:
    """Says who answered, and what reached it."""
    return Response(f"werkzeug {request.method} {request.path} pid={os.getpid()} body={request.get_data()!r}\n")


def main(port: int, site: str | None) -> None:
    """Serve until a signal ends the process."""
    served: WSGIApplication = application
    if site is not None:
        from wsgi_wasm import create_app  # only where it is asked for: the bare application works without

        served = create_app(site, app=application)
    run_simple("127.0.0.1", port, served, threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
