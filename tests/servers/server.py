"""What every server under test offers, whatever it is made of."""

from __future__ import annotations

import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from .process import ServerError, ServerProcess, wait_for, wait_until_answering, wait_while_alive


class Server:
    """A running server. As a context manager it stops at the end of the block."""

    host = "127.0.0.1"

    def __init__(self, name: str, process: ServerProcess, port: int, *, logs: tuple[Path, ...] = ()) -> None:
        """`logs` are further files that the server writes its log to, besides its output."""
        self.name = name
        self.port = port
        self.process = process
        self._logs = (process.output, *logs)

    @property
    def url(self) -> str:
        """http://HOST:PORT, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """What `socket.create_connection` wants."""
        return (self.host, self.port)

    def log(self) -> str:
        """Everything that the server has logged or printed so far; also after it has stopped."""
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in self._logs if path.exists())
        return "".join(texts)

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Return once the log holds `text` at least `count` times; bounded."""
        try:
            wait_for(f"{text!r} in the log", lambda: self.log().count(text) >= count)
        except ServerError as error:
            raise ServerError(f"{error}\n{self.log()[-4000:]}") from None

    def pids(self) -> list[int]:
        """Processes that run requests."""
        return [self.process.pid]

    def everyone(self) -> list[int]:
        """Every process of the server."""
        return self.process.members()

    def reload(self) -> None:
        """Let the server read its configuration anew, without refusing a connection; returns when the old workers
        are gone and the new ones answer."""
        raise NotImplementedError(f"{self.name} has no reload")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, tuple[int, ...]]:
        """Exit code of the leader, and what had to be killed (nothing, if all is well)."""
        return self.process.stop(number)

    def wait_ready(self, target: str | None = "/") -> None:
        """Return once the server answers GET `target` with anything at all; None asks for a connection only."""
        wait_until_answering(self.process, self.address, target)

    def renew(self, number: signal.Signals, target: str | None = "/") -> None:
        """Send a signal to the leader and wait until every process that ran requests has been replaced."""
        old = set(self.pids())
        self.process.send(number)
        try:
            wait_while_alive(
                self.process,
                f"workers {sorted(old)} to be replaced",
                lambda: len(self.pids()) >= len(old) and not old & set(self.process.members()),
            )
        except ServerError as error:
            raise ServerError(f"{error}\n{self.log()[-4000:]}") from None
        self.wait_ready(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
