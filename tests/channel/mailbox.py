"""A real SMTP server (aiosmtpd) whose answers a test chooses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Mailbox:
    """What has come, and the replies that the next commands get instead of a 250."""

    port: int = 0
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    rcpt: dict[str, str] = field(default_factory=dict)  # by recipient
    data: list[str] = field(default_factory=list)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        reply = self.rcpt.get(address, "250 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.data:
            return self.data.pop(0)
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.original_content)))
        return "250 taken"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """While the server is up, always at the same port."""
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self.port = probe.getsockname()[1]
        controller = Controller(self, hostname="127.0.0.1", port=self.port)
        controller.start()
        try:
            yield
        finally:
            controller.stop()
