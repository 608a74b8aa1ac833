"""A Spin application in Python: greets, counts visits in a key-value store, and keeps a log of them in SQLite."""

from pathlib import Path
from urllib.parse import urlsplit

from spin_sdk import key_value, sqlite, variables
from spin_sdk.http import IncomingHandler as Handler
from spin_sdk.http import Request, Response

TEXT = {"content-type": "text/plain; charset=utf-8"}


class IncomingHandler(Handler):
    """Spin calls `handle_request` of the class with this name, in a fresh instance each time."""

    def handle_request(self, request: Request) -> Response:
        answer = {"/": greet, "/visits": count, "/log": log}.get(urlsplit(request.uri).path)
        if answer is None:
            return Response(404, TEXT, b"not here\n")
        return Response(200, TEXT, answer(request).encode())


def greet(request: Request) -> str:
    """A template from the component's `files`, and a variable."""
    template = Path("/templates/greeting.txt").read_text("utf-8")
    return template.format(greeting=variables.get("greeting"), at=request.headers["spin-base-path"])


def count(request: Request) -> str:
    with key_value.open_default() as store:
        visits = int(store.get("visits") or b"0") + 1
        store.set("visits", str(visits).encode())
    return f"visit {visits}\n"


def log(request: Request) -> str:
    query = urlsplit(request.uri).query
    with sqlite.open_default() as database:
        database.execute("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, query TEXT NOT NULL)", [])
        database.execute("INSERT INTO log (query) VALUES (?)", [sqlite.Value_Text(query)])
        rows = database.execute("SELECT id, query FROM log ORDER BY id", []).rows
    return "".join(f"{row.values[0].value} {row.values[1].value}\n" for row in rows)
