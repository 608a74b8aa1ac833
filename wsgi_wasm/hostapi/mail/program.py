"""sendmail, as guests start it: what they write is kept as a message, once they have closed it."""

from __future__ import annotations

from wsgi_wasm.config.granted import Mail
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.errors import UntrustedFile
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.channel.running import Given
from wsgi_wasm.hostapi.log import about, guest_log, log
from wsgi_wasm.hostapi.mail.arguments import MailCall, Unusable, parse
from wsgi_wasm.hostapi.mail.courier import courier_of
from wsgi_wasm.hostapi.mail.message import Allowed, Unsendable, finished, normal, without_rest
from wsgi_wasm.hostapi.mail.spool import Full, MailSpool
from wsgi_wasm.logs import Seldom, package_log

# sysexits.h
_OK, _USAGE, _DATA, _NO_PERMISSION, _TEMPORARY = 0, 64, 65, 77, 75

_hints = Seldom(package_log("guest"), most=200)
_MOST_HINTS = 300  # characters of what a guest has written


class MailProgram:
    """As `processes.Process`."""

    def __init__(self, host: HostState, mail: Mail, given: Given) -> None:
        self._host_state = host
        self._mail = mail
        self._label = about()
        self._data = bytearray()
        self._size = 0
        self._status: int | None = None
        self._last = b""  # a CR at the end of what has come, which may belong to the next LF
        self._call: MailCall | None = None
        try:
            self._call = parse(given.arguments)
        except Unusable as error:
            self._refuse(str(error), "")
            self._status = _USAGE

    @property
    def has_ended(self) -> bool:
        """As `Process.has_ended`."""
        return self._status is not None

    def write(self, data: bytes) -> None:
        """As `Process.write`. What is too large is read to its end, as sendmail does."""
        if self._call is None:
            raise Declined(Errno.PIPE)
        self._size += len(data)
        if self._size > self._mail.max_size:
            self._data.clear()
            return
        data = self._last + data
        self._last = b"\r" if data.endswith(b"\r") else b""
        self._data += normal(data.removesuffix(b"\r") if self._last else data)
        self._host_state.look()

    def read(self, size: int, errors: bool) -> bytes:
        """As `Process.read`: it prints nothing."""
        return b""

    def close_input(self) -> None:
        """As `Process.close_input`; the message is looked at when the guest waits."""

    def close_output(self) -> None:
        """As `Process.close_output`."""

    def wait(self, hang: bool) -> int:
        """As `Process.wait`."""
        if self._status is None:
            self._status = self._sent()
            self._data.clear()
        return self._status << 8

    def kill(self) -> None:
        """As `Process.kill`: nothing is sent."""
        if self._status is None:
            self._status = _TEMPORARY

    def close(self) -> None:
        """As `Process.close`. A guest that was ended has not written all of its message."""
        if self._status is None and self._size:
            guest_log.warning("%s ended before it had closed its mail, which is not sent", self._label)

    def _sent(self) -> int:
        call, mail = self._call, self._mail
        assert call is not None
        if self._size > mail.max_size:
            self._refuse(f"it has more than {mail.max_size} bytes", "max_size")
            return _DATA
        data = bytes(self._data + normal(self._last))
        allowed = Allowed(mail.senders, mail.recipients, mail.max_recipients)
        try:
            envelope, whole = finished(without_rest(data) if call.dot_ends else data, call, allowed)
        except Unsendable as error:
            self._refuse(str(error), error.key)
            return _NO_PERMISSION if error.key else _DATA
        self._host_state.look()
        route = self._label.partition(" ")[0] or "-"
        try:
            spool = MailSpool(mail.spool)
            spool.admit(route, mail.per_minute)
            name = spool.put(route, envelope, whole, self._host_state.look)
        except Full as error:
            self._refuse(str(error), "")
            return _TEMPORARY
        except (OSError, UntrustedFile) as error:
            log.error("a mail cannot be kept: %s", error)
            return _TEMPORARY
        guest_log.info("mail %s from %s to %d recipients is kept", name, envelope.sender, len(envelope.recipients))
        courier_of(mail).wake()
        return _OK

    def _refuse(self, why: str, key: str) -> None:
        hint = f"; the key for it is `{key}` of `mail`" if key else ""
        program = self._label.rpartition(" [")[0]  # without the request's id
        _hints.warning((program, why), f"{self._label} sends a mail that is refused: {why[:_MOST_HINTS]}{hint}")
