"""The package's errors, one tree. An error that can end a request carries the status
that it becomes.

The text of an error is for the log. What the client reads is made from `status`
alone (see `gateway.error_response`).
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

from wsgi_wasm.messages import escaped, printable, printable_lines

MOST_TEXT = 8000
"""Characters of an error's text; what is longer is cut."""


class WsgiWasmError(Exception):
    """Root of everything this package raises on purpose.

    Its text is one line of at most `MOST_TEXT` characters with nothing in it that a log or a
    terminal obeys, whatever names and words of others went into it. Classes whose text has several
    lines make them of such lines.
    """

    def __str__(self) -> str:
        return escaped(super().__str__(), MOST_TEXT)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a configuration file. `line` and `column` count from 1; 0 means that no
    place is known. `message` is one line, in which what cannot be printed is escaped."""

    file: str
    line: int
    column: int
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))

    def __str__(self) -> str:
        location = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return escaped(f"{location}: {self.message}", MOST_TEXT)


class ConfigError(WsgiWasmError):
    """A configuration that cannot be used; `problems` holds every mistake found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class EngineError(WsgiWasmError):
    """The engine cannot be made in this process: a wrong wasmtime version, no address
    space, an unsuitable server."""


class WallError(WsgiWasmError):
    """A process could not be confined as it was asked to be; the text says by what, and why."""


class NoRoom(EngineError):
    """A module's engine finds no place in this process, as it is now."""


class UntrustedFile(WsgiWasmError):
    """A file or directory of the server's own that others could have changed; the text says
    what mends it."""


class CacheError(WsgiWasmError):
    """The cache directory cannot be trusted or used; the text names it and says what to do."""


class BuildError(WsgiWasmError):
    """`wsgi-wasm build` could not make a guest; the text holds the compiler's own words,
    in their lines."""

    def __str__(self) -> str:
        return printable_lines(Exception.__str__(self))


def text_lines(error: Exception) -> list[str]:
    """The text of an error for a log, which has a line for each mistake of a configuration."""
    problems = error.problems if isinstance(error, ConfigError) else ()
    return [str(problem) for problem in problems] or [str(error)]


class RequestError(WsgiWasmError):
    """Ends one request with `status`. `fields` are response header fields that belong
    to the answer."""

    status = 500

    def __init__(self, message: str, fields: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class MovedPermanently(RequestError):
    """What is asked for is at `location`, a path and query as a `Location` field has them."""

    status = 301

    def __init__(self, message: str, location: str) -> None:
        super().__init__(message, [("Location", location)])


class BadRequest(RequestError):
    """The request cannot be given to a guest: a short body, a length that is no number, a NUL
    in a variable."""

    status = 400


class Forbidden(RequestError):
    """This process may not read a file."""

    status = 403


class NotFound(RequestError):
    """No script there, or one that must not be served."""

    status = 404


class MethodNotAllowed(RequestError):
    """The route's `methods` leave this one out; RFC 9110 15.5.6 wants `Allow` in the answer."""

    status = 405

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        super().__init__(message, [("Allow", ", ".join(allowed))])


class RequestTimeout(RequestError):
    """The client did not send its body within `body_timeout`."""

    status = 408


class LengthRequired(RequestError):
    """A body without a length, and the server is one that loses such bodies."""

    status = 411


class PreconditionFailed(RequestError):
    """The guest's answer is not the one that the request is made for (RFC 9110 13.1)."""

    status = 412


class BodyTooLarge(RequestError):
    """The request body is over `max_body`."""

    status = 413


class BadGateway(RequestError):
    """The guest gave no answer that can be forwarded: a malformed head, nothing at all, a trap
    before the head."""

    status = 502


class Unavailable(RequestError):
    """No slot in time, or a module that is not ready.

    `retry_after` is in whole seconds, `waited` is how long the request has waited (seconds).
    """

    status = 503

    def __init__(self, message: str, retry_after: int = 1, waited: float = 0.0) -> None:
        super().__init__(message, [("Retry-After", str(retry_after))])
        self.waited = waited


class ModuleError(Unavailable):
    """A module is missing, broken, or imports what the host does not offer. Takes down its
    own route only."""

    def __init__(self, message: str, retry_after: int = 30) -> None:
        super().__init__(message, retry_after)


class GatewayTimeout(RequestError):
    """The guest ran past `timeout` or `cpu` before its head was whole."""

    status = 504


class Cut(WsgiWasmError, ConnectionResetError):
    """The answer broke off after its head went out. Under gunicorn this is raised to close the
    connection, so that the client does not take a shortened answer for a whole one. Servers know
    this error and do not report it as one of the application, whose log has the reason."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.ECONNRESET, message)

    def __str__(self) -> str:
        return escaped(str(self.strerror), MOST_TEXT)


class ClientLeft(Cut):
    """The client hung up before the end."""
