"""`subprocess`, `os.system` and `os.popen` through the host: programs that the route grants, and
sendmail (docs/commands.md, docs/mail.md). There is no shell; the host splits lines."""

import errno
import inspect
import io
import os
import re
import subprocess
import sys
import time

import wsgi_wasm_host as host

START, WRITE, READ, CLOSE, WAIT, READ_ERRORS, KILL, RELEASE = range(0x100, 0x108)
LINE, INPUT, MERGED, ERRORS = 1, 2, 4, 8
NO_HANG = b"\1"
PIECE = 65536
NOT_FOUND = 127  # what a shell ends with where there is no such program
LOOK = 0.01  # seconds

_INTO_NOTHING = re.compile(r"(?:^|[^2&])>\s*/dev/null")

PARAMETERS = inspect.signature(subprocess.Popen.__init__)


def put_in_place() -> None:
    """All of them."""
    subprocess.Popen = Popen
    os.system = system


def _start(words, flags: int) -> int:
    request = host.words("I", flags) + b"".join(os.fsencode(word) + b"\0" for word in words)
    try:
        return int.from_bytes(host.ask(START, request), "little")
    except OSError as error:
        if error.errno == errno.ENOSYS:
            error = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        error.filename = os.fsdecode(words[0]) if words else None
        error.wsgi_wasm_program = True
        raise error from None


class _Input(io.RawIOBase):
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        piece = bytes(memoryview(data).cast("B")[:PIECE])
        if not self._handle:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        host.ask(WRITE, host.words("I", self._handle) + piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._handle:
                host.ask(CLOSE, host.words("I", self._handle) + b"\0")


class _Output(io.RawIOBase):
    def __init__(self, handle: int, operation: int) -> None:
        self._handle, self._operation = handle, operation

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._handle:
            return 0
        data = host.ask(self._operation, host.words("II", self._handle, min(len(buffer), PIECE)))
        buffer[: len(data)] = data
        return len(data)


class Popen:
    """As `subprocess.Popen`, whose parameters these are. `cwd` and `env` are the route's
    to give."""

    def __init__(self, *arguments, **named) -> None:
        given = PARAMETERS.bind(self, *arguments, **named)
        given.apply_defaults()
        given = given.arguments
        args, shell, stdin, stdout, stderr = (given[name] for name in ("args", "shell", "stdin", "stdout", "stderr"))
        encoding, errors = given["encoding"], given["errors"]
        self.args, self.returncode = args, None
        words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
        flags = LINE * bool(shell) | INPUT * (stdin not in (None, subprocess.DEVNULL))
        flags |= MERGED if stderr == subprocess.STDOUT else ERRORS * (stderr is not None)
        try:
            self._handle = _start(words[:1] if shell else words, flags)
        except FileNotFoundError:
            if not shell:
                raise
            self._handle, self.returncode = 0, NOT_FOUND
        self.pid = self._handle + 1
        if shell and stdout is None and _INTO_NOTHING.search(os.fsdecode(words[0])):
            stdout = subprocess.DEVNULL  # the host understands it, and leaves it to who reads
        self._passed = {READ: stdout, READ_ERRORS: None if stderr == subprocess.STDOUT else stderr}
        self.stdin = self.stdout = self.stderr = None
        self.text_mode = encoding or errors or given["text"] or given["universal_newlines"]
        if stdin == subprocess.PIPE:
            self.stdin = self._wrapped(io.BufferedWriter(_Input(self._handle)), encoding, errors)
        elif flags & INPUT:
            self._feed(stdin)
        if stdout == subprocess.PIPE:
            self.stdout = self._wrapped(io.BufferedReader(_Output(self._handle, READ)), encoding, errors)
        if stderr == subprocess.PIPE:
            self.stderr = self._wrapped(io.BufferedReader(_Output(self._handle, READ_ERRORS)), encoding, errors)

    def _wrapped(self, stream, encoding, errors):
        if not self.text_mode:
            return stream
        return io.TextIOWrapper(stream, encoding=encoding, errors=errors)

    def _feed(self, stdin) -> None:
        """All of a file, which the program cannot read itself."""
        source = _Input(self._handle)
        descriptor = stdin if isinstance(stdin, int) else stdin.fileno()
        while data := os.read(descriptor, PIECE):
            source.write(data)
        source.close()

    def _pass_on(self) -> None:
        """Output that the script does not read goes where it says, by default to its own."""
        if not self._handle:
            return
        for operation, to in self._passed.items():
            if to == subprocess.PIPE or (to is None and operation == READ_ERRORS):
                continue
            source = _Output(self._handle, operation)
            while data := source.read(PIECE):
                if to is None:
                    os.write(1, data)
                elif to != subprocess.DEVNULL:
                    os.write(to if isinstance(to, int) else to.fileno(), data)
        self._passed.clear()

    def poll(self):
        """As `subprocess.Popen.poll`."""
        if self.returncode is None:
            try:
                self._ended(host.ask(WAIT, host.words("I", self._handle) + NO_HANG))
            except BlockingIOError:
                return None
        return self.returncode

    def wait(self, timeout=None):
        """As `subprocess.Popen.wait`."""
        if self.returncode is not None:
            return self.returncode
        if timeout is not None:
            until = time.monotonic() + timeout
            while self.poll() is None:
                if time.monotonic() >= until:
                    raise subprocess.TimeoutExpired(self.args, timeout)
                time.sleep(LOOK)
        else:
            if self.stdin is not None and not self.stdin.closed:
                self.stdin.close()
            self._pass_on()
            self._ended(host.ask(WAIT, host.words("I", self._handle) + b"\0"))
        return self.returncode

    def _ended(self, answer: bytes) -> None:
        status = int.from_bytes(answer, "little")
        self.returncode = -(status & 127) if status & 127 else status >> 8
        self._pass_on()
        if self.stdout is None and self.stderr is None:
            host.ask(RELEASE, host.words("I", self._handle))

    def communicate(self, input=None, timeout=None):
        """As `subprocess.Popen.communicate`."""
        if self.stdin is not None and not self.stdin.closed:
            try:
                if input:
                    self.stdin.write(input)
                self.stdin.close()
            except BrokenPipeError:
                pass
        if timeout is not None:
            self.wait(timeout)
        output = self.stdout.read() if self.stdout is not None else None
        errors = self.stderr.read() if self.stderr is not None else None
        self.wait()
        return output, errors

    def send_signal(self, sig) -> None:
        """As `subprocess.Popen.send_signal`; whatever the signal, it ends the program."""
        if self.returncode is None:
            host.ask(KILL, host.words("I", self._handle))

    def kill(self) -> None:
        """As `subprocess.Popen.kill`."""
        self.send_signal(9)

    terminate = kill

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                stream.close()
        self.wait()

    def __class_getitem__(cls, _of):
        return cls

    def __repr__(self) -> str:
        return f"<Popen: returncode: {self.returncode} args: {self.args!r}>"


def system(command) -> int:
    """As `os.system`."""
    sys.stdout.flush()
    code = Popen(command, shell=True).wait()
    return -code if code < 0 else code << 8
