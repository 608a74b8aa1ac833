"""Handing one message on: to an SMTP server (RFC 5321), or to the machine's own sendmail."""

from __future__ import annotations

import contextlib
import json
import os
import smtplib
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from wsgi_wasm.config.granted import HostCommand, Mail
from wsgi_wasm.errors import Unavailable
from wsgi_wasm.hostapi.channel.starting import start
from wsgi_wasm.hostapi.mail.spool import Waiting
from wsgi_wasm.messages import escaped, shorten

_TIMEOUT = 60.0  # seconds for each answer of a server
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_TEMPORARY_STATUS = (71, 75)  # EX_OSERR, EX_TEMPFAIL of sysexits.h
_LONGEST = 500  # characters of a server's words

Refused = Mapping[str, tuple[bool, str]]
"""Recipients for whom a message was not taken: whether for good, and why."""


class NoServer(Exception):
    """No message can be handed on now; the text says why."""


class Handing(Protocol):
    """A way to hand messages on, with what it keeps open. It is closed at the end."""

    def hand(self, waiting: Waiting) -> Refused:
        """Raises NoServer."""

    def close(self) -> None: ...


def handing(mail: Mail) -> Handing:
    """The way that the configuration has."""
    return OverSmtp(mail.server) if "://" in mail.server else BySendmail(sendmail(mail.server))


class OverSmtp:
    """One connection, for as many messages as there are."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: smtplib.SMTP | None = None

    def hand(self, waiting: Waiting) -> Refused:
        """As `Handing.hand`."""
        recipients = waiting.tries.recipients
        refused: Mapping[str, tuple[int, bytes | str]]
        try:
            connection = self._connection = self._connection or self._connected()
            eight = not waiting.data.isascii() and connection.has_extn("8bitmime")
            options = ["BODY=8BITMIME"] if eight else []
            refused = connection.sendmail(waiting.sender, recipients, waiting.data, options)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            if error.smtp_code == 421:
                self.close()
            refused = dict.fromkeys(recipients, (error.smtp_code, error.smtp_error))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self.close()
            raise NoServer(_words(error)) from None
        return {address: (code >= 500, f"{code} {_words(text)}") for address, (code, text) in refused.items()}

    def _connected(self) -> smtplib.SMTP:
        """Raises SMTPException, OSError."""
        url = self._url
        host, port = url.hostname or "localhost", url.port or _PORTS[url.scheme]
        name = socket.gethostname()
        if url.scheme == "smtps":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, name, timeout=_TIMEOUT, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(host, port, name, timeout=_TIMEOUT)
        try:
            if url.scheme == "smtp+starttls":
                connection.starttls(context=ssl.create_default_context())
            if url.username:
                connection.login(unquote(url.username), unquote(url.password or ""))
            connection.ehlo_or_helo_if_needed()
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """As `Handing.close`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()


def sendmail(path: str) -> HostCommand:
    """The machine's own mail program, as a program that the spawner starts."""
    # -odi: it does not leave the delivery to a process that would end with it. Postfix ignores it.
    args = ("-i", "-odi", "-f?*@?*", "--", "?*@?*")
    return HostCommand(path=Path(path), args=args, timeout=_TIMEOUT, memory=1 << 30, max_output=1 << 20)


class BySendmail:
    """A process for each message."""

    def __init__(self, command: HostCommand) -> None:
        self._command = command

    def hand(self, waiting: Waiting) -> Refused:
        """As `Handing.hand`."""
        recipients = waiting.tries.recipients
        reading, writing = os.pipe2(os.O_CLOEXEC)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            arguments = ["-i", "-odi", f"-f{waiting.sender}", "--", *recipients]
            connection = start(self._command, arguments, [reading, null, null])
        except Unavailable as error:
            os.close(writing)
            raise NoServer(str(error)) from None
        finally:
            os.close(reading)
            os.close(null)
        with connection:
            connection.settimeout(_TIMEOUT + 10)
            with contextlib.suppress(OSError), open(writing, "wb") as file:
                file.write(waiting.data.replace(b"\r\n", b"\n"))
            words = _last_words(connection)
        status = words.get("status")
        if not isinstance(status, int) or words.get("timeout"):
            raise NoServer(str(words.get("error") or f"{escaped(self._command.path)} cannot be run"))
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return {}
        why = f"{escaped(self._command.path)} ended with status {code}"
        return dict.fromkeys(recipients, (code > 0 and code not in _TEMPORARY_STATUS, why))

    def close(self) -> None:
        """As `Handing.close`: it keeps nothing open."""


def _last_words(connection: socket.socket) -> dict[str, object]:
    words: dict[str, object] = {}
    with contextlib.suppress(OSError, ValueError):
        while "status" not in words and (data := connection.recv(1 << 16)):
            words = json.loads(data)
            if "errno" in words or "error" in words:
                break
    return words


def _words(text: object) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return shorten(" ".join(plain.split()), _LONGEST)
