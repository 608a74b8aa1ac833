"""Programs that a guest starts, reads from and writes to: popen(3), system(3) and their like.

Which there are is granted by `commands`; a mail program is there where `mail` is granted. Each is a
`Process`, whatever it does behind that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from wsgi_wasm.config.granted import Grants, HostCommand, Mail
from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.hostapi.channel.command_line import MOST_BYTES, NeedsShell, may_have, split
from wsgi_wasm.hostapi.channel.errors import Declined, Errno
from wsgi_wasm.hostapi.channel.running import INPUT, MERGED, Given, HostProcess, Slots
from wsgi_wasm.hostapi.channel.service import Service, Words, number
from wsgi_wasm.hostapi.log import about
from wsgi_wasm.hostapi.mail.program import MailProgram
from wsgi_wasm.logs import Seldom, package_log
from wsgi_wasm.messages import listed, quote

log = Seldom(package_log("guest"), most=200)

LINE = 1  # a flag of `start`; the others are those of `Given`
NO_HANG = 1  # flag of `wait`
OUTPUT = 1  # what `close` closes; 0 is standard input

MOST_PROCESSES = 16  # that one guest may have at a time
MOST_MAILS = 4  # of them that it writes mail to
_FOLDERS = ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/usr/local/sbin", "/usr/lib")


class Process(Protocol):
    """A program that has been started."""

    @property
    def has_ended(self) -> bool:
        """Whether the guest has been told its status."""

    def write(self, data: bytes) -> None:
        """To its standard input. Raises Declined."""

    def read(self, size: int, errors: bool) -> bytes:
        """From its standard output or, for `errors`, its standard error; b"" at the end."""

    def close_input(self) -> None:
        """Nothing more is written."""

    def close_output(self) -> None:
        """Nothing more is read."""

    def wait(self, hang: bool) -> int | None:
        """Its status as waitpid(2) has it; None where it still runs and is not to be waited for."""

    def kill(self) -> None:
        """End it. It has no effect on one that has ended."""

    def close(self) -> None:
        """The guest has ended, or wants no more of it."""


Starter = Callable[[HostState, Given], Process]
"""Starts one program. Raises Declined."""


class Granted(NamedTuple):
    """Programs by the names under which guests know them."""

    by_name: Mapping[str, Starter]

    def find(self, program: str) -> Starter | None:
        """The one that a guest means: by its name, or by a path at which programs are installed."""
        folder, _, name = program.rpartition("/")
        if folder and folder not in _FOLDERS:
            return self.by_name.get(program)
        return self.by_name.get(name) if name else None


class Processes:
    """The service in one run."""

    def __init__(self, host: HostState, granted: Granted) -> None:
        self._host_state = host
        self._granted = granted
        self._processes: dict[int, Process] = {}
        self._next = 1

    def start(self, request: bytes) -> bytes:
        """Flags, then the words or the line, for a handle."""
        fields = Words(request)
        flags = fields.number()
        if len(request) > MOST_BYTES:
            raise Declined(Errno.TOOBIG)
        words = [one.decode("utf-8", "surrogateescape") for one in fields.texts()]
        if flags & LINE:
            words, flags = _split(words, flags)
        if not words:
            raise Declined(Errno.NOENT)
        starter = self._granted.find(words[0])
        if starter is None:
            key = "mail" if words[0].rpartition("/")[2] == "sendmail" else "commands"
            _say(f"starts the program {quote(words[0])}, which this route does not grant; the key for it is `{key}`")
            raise Declined(Errno.NOENT)
        if len(self._processes) >= MOST_PROCESSES:
            self._release_ended()
        if len(self._processes) >= MOST_PROCESSES:
            raise Declined(Errno.AGAIN)
        if sum(isinstance(one, MailProgram) for one in self._processes.values()) >= MOST_MAILS:
            raise Declined(Errno.AGAIN)  # each keeps its message in memory
        process = starter(self._host_state, Given(words[1:], flags))
        if not flags & INPUT:
            process.close_input()
        handle, self._next = self._next, self._next + 1
        self._processes[handle] = process
        return number(handle)

    def write(self, request: bytes) -> bytes:
        """A handle, and what goes to standard input."""
        fields = Words(request)
        self._of(fields).write(fields.rest())
        return b""

    def read(self, request: bytes) -> bytes:
        """A handle and a size, for what comes from standard output."""
        return self._read(request, errors=False)

    def read_errors(self, request: bytes) -> bytes:
        """The same for standard error."""
        return self._read(request, errors=True)

    def _read(self, request: bytes, *, errors: bool) -> bytes:
        fields = Words(request)
        process = self._of(fields)
        return process.read(min(fields.number(), 1 << 20), errors)

    def close_stream(self, request: bytes) -> bytes:
        """A handle, and which: 0 for standard input, 1 for standard output."""
        fields = Words(request)
        process = self._of(fields)
        if fields.rest()[:1] == bytes([OUTPUT]):
            process.close_output()
        else:
            process.close_input()
        return b""

    def wait(self, request: bytes) -> bytes:
        """A handle and flags, for the status. With it the handle ends, unless output is left."""
        fields = Words(request)
        process = self._of(fields)
        status = process.wait(not (fields.rest()[:1] or b"\0")[0] & NO_HANG)
        if status is None:
            raise Declined(Errno.AGAIN)
        return number(status & 0xFFFFFFFF)

    def kill(self, request: bytes) -> bytes:
        """A handle: the program is ended."""
        self._of(Words(request)).kill()
        return b""

    def release(self, request: bytes) -> bytes:
        """A handle that is not used any more."""
        fields = Words(request)
        process = self._of(fields)
        self._processes = {handle: one for handle, one in self._processes.items() if one is not process}
        process.close()
        return b""

    def _release_ended(self) -> None:
        """Not every library releases what it has waited for."""
        for handle, process in list(self._processes.items()):
            if process.has_ended:
                del self._processes[handle]
                process.close()

    def _of(self, fields: Words) -> Process:
        process = self._processes.get(fields.number())
        if process is None:
            raise Declined(Errno.BADF)
        return process

    def close(self) -> None:
        """The guest has ended: so do its programs."""
        for process in self._processes.values():
            process.close()
        self._processes.clear()


def _split(words: Sequence[str], flags: int) -> tuple[list[str], int]:
    line = words[0] if words else ""
    try:
        split_line = split(line)
    except NeedsShell as error:
        _say(f"starts {quote(line)}, which needs a shell for {error}; there is none, so nothing is started")
        raise Declined(Errno.NOENT) from None
    if "2>&1" in split_line.redirections:
        flags |= MERGED
    return list(split_line.words), flags


def _say(text: str) -> None:
    whom = about()
    log.warning((whom.rpartition(" [")[0], text), f"{whom} {text}")


def _of_command(name: str, command: HostCommand) -> Starter:
    """What starts a command, of which so many may run for this route at a time."""
    slots = Slots(command.concurrency)

    def start(host: HostState, given: Given) -> Process:
        wrong = next((one for one in given.arguments if not may_have(command.args, one)), None)
        if wrong is not None:
            _say(f"starts {quote(name)} with the argument {quote(wrong)}, which its `args` do not allow")
            raise Declined(Errno.NOENT)
        return HostProcess(host, command, given, slots)

    return start


def _of_mail(mail: Mail) -> Starter:
    """What starts the program that mail is given to."""
    return lambda host, given: MailProgram(host, mail, given)


def _bind(grants: Grants) -> Granted:
    by_name: dict[str, Starter] = {}
    for name, command in grants.commands.items():
        by_name[name] = by_name[str(command.path)] = _of_command(name, command)
    if grants.mail is not None and "sendmail" not in by_name:
        by_name["sendmail"] = _of_mail(grants.mail)
    return Granted(by_name)


def _describe(grants: Grants) -> dict[str, str]:
    described = {name: str(command.path) for name, command in grants.commands.items()}
    if grants.mail is not None:
        mail = grants.mail
        described["sendmail"] = f"{_without_password(mail.server)}, for {listed(mail.recipients)}, by {mail.spool}"
    return described


def _without_password(server: str) -> str:
    scheme, _, rest = server.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme else server


def _warn(grants: Grants) -> Iterator[str]:
    for name, command in grants.commands.items():
        if not (command.path.is_file() and os.access(command.path, os.X_OK)):
            yield f"command {name}: {command.path} cannot be run"
        if not command.cwd.is_dir():
            yield f"command {name}: the directory {command.cwd} does not exist"


SERVICE = Service(
    name="commands",
    number=1,
    operations={
        0: Processes.start,
        1: Processes.write,
        2: Processes.read,
        3: Processes.close_stream,
        4: Processes.wait,
        5: Processes.read_errors,
        6: Processes.kill,
        7: Processes.release,
    },
    bind=_bind,
    begin=Processes,
    missing=Errno.NOENT,
    offers=lambda grants: ["commands"] * bool(grants.commands) + ["mail"] * (grants.mail is not None),
    describe=_describe,
    warn=_warn,
)
