"""One Apache in which the same C programs answer natively under mod_cgid, and as WebAssembly from a site in mod_wsgi's
daemons, from the same site in Apache's own processes, and as files that are dropped into the docroot."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from guests.build import guest, native

from .apache import Apache, Site, include, put
from .client import get, wait_compiled
from .fixtures import FRAGMENTS, fragment_defines, scripts, server_environ
from .process import wait_for

PROGRAMS: Mapping[str, str] = {
    "native": "/native/{}",
    "daemon": "/app/{}",
    "embedded": "/embedded/{}",
    "drop-in": "/{}.wasm",
}
"""By way of serving: the URL path of a program."""

WAYS = tuple(way for way in PROGRAMS if way != "native")

EMBEDDED = """
WSGIScriptAlias /embedded "${SERVER_SCRIPTS}/wsgi_wasm.wsgi" process-group=%{GLOBAL} application-group=%{GLOBAL}
<Location /embedded>
    WSGIChunkedRequest On
    WSGIMapHEADToGET Off
</Location>
"""


def path_of(way: str, program: str) -> str:
    """The URL path of a program."""
    return PROGRAMS[way].format(program)


@contextmanager
def serve_beside(
    place: Path,
    programs: Sequence[str],
    text: Callable[[str], str],
    *,
    routes: Mapping[str, Any] = {},
    ready: Sequence[str] = (),
    modules: tuple[str, ...] = (),
    handler: Mapping[str, Any] = {},
) -> Iterator[Apache]:
    """Apache with the C guests `programs` in `place`, which its user may read, and `routes` beside them.

    `text` makes the further configuration of each way of serving. The programs are compiled, and what answers at
    `ready`, paths in the site.
    """
    for folder in ("native", "docroot"):
        (place / folder).mkdir()
        (place / folder).chmod(0o755)
    for name in programs:
        shutil.copyfile(native(name), place / "native" / name)
        (place / "native" / name).chmod(0o755)
        put(place / "docroot" / f"{name}.wasm", guest(name).read_bytes())
    own = {f"/{name}": {"module": f"docroot/{name}.wasm"} for name in programs}
    put(place / "site.yaml", yaml.safe_dump({"routes": own | dict(routes), "handler": dict(handler)}).encode())
    parts = [
        include(FRAGMENTS / "wsgi-wasm.conf", FRAGMENTS / "wsgi-wasm-handler.conf"),
        EMBEDDED,
        *(text(way) for way in PROGRAMS),
    ]
    site = Site(
        text="\n".join(["DirectoryIndex index.html", *parts]),
        scripts=scripts(place),
        docroot=place / "docroot",
        modules=modules,
        daemons=2,
        native={"/native/": place / "native"},
        defines={**fragment_defines(), "WSGI_WASM_DOCROOT": str(place / "docroot")},
    )
    environ = server_environ("mod_wsgi-daemon", place, None, {"WSGI_WASM_CONFIG": str(place / "site.yaml")})
    with Apache.start(site, place, name="beside", env=environ) as server:
        targets = [path_of(way, name) for way in WAYS for name in programs]
        targets += [f"{mount}{path}" for mount in ("/app", "/embedded") for path in ready]
        wait_compiled(server.address, *targets)
        # each process looks for itself, at most once a second, whether a module is compiled
        for target in targets:
            wait_for(f"{target} in every process", partial(all_answer, server, target))
        yield server


def all_answer(server: Apache, target: str) -> bool:
    """Whether as many requests in a row are answered as no process is left out of."""
    return all(get(server.address, target).status != 503 for _ in range(12))
