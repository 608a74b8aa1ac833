"""A connection to a MySQL or MariaDB server for one run after the other. Needs the `pymysql`
package."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pymysql
from pymysql.constants import CLIENT, COMMAND, ER
from pymysql.protocol import EOFPacketWrapper, FieldDescriptorPacket, OKPacketWrapper

from wsgi_wasm.engine.hostcalls.host_api import HostState
from wsgi_wasm.engine.outcome import Stop
from wsgi_wasm.hostapi.leases import TooLate
from wsgi_wasm.hostapi.mysql_address import TLS, options
from wsgi_wasm.hostapi.mysql_bounded import MAX_RECEIVED, BoundedMysql
from wsgi_wasm.hostapi.mysql_wire import BYTES_AS_TEXT, Column, binary_row, packed, text_row

_CONNECT = 5.0  # seconds at most
_RESET = 2.0  # seconds at most, between two runs

_SKIPPED = 1 << 20  # bytes of an answer that nobody wants any more

_RESET_CONNECTION = 0x1F  # a command that the client library does not know
_LOST = (2006, 2013, 2027)  # errors after which a connection is of no use

Error = pymysql.Error

__all__ = ["Error", "MysqlConnection", "Result", "connect", "options", "placed"]

Row: TypeAlias = list[Any]
Rows: TypeAlias = Generator[Row, None, None]


def placed(options: dict[str, Any], addresses: tuple[str, ...]) -> dict[str, Any]:
    """The options with the addresses to connect to."""
    return {**options, "addresses": addresses}


def connect(options: dict[str, Any], host: HostState) -> MysqlConnection:
    """Raises pymysql.Error, TooLate, OSError, Stop."""
    return MysqlConnection(options, host)


class _Field(FieldDescriptorPacket):
    """With names as they came, in whatever character set, a character for each byte."""

    def __init__(self, data: bytes, _encoding: str) -> None:
        super().__init__(data, "latin-1")


@dataclass(slots=True)
class Result:
    """What a statement gives: columns and rows, or the number of rows that it has changed and the
    number that it has given to a new one. `rows` must be read to the end or closed before the next
    statement."""

    columns: list[Column] = field(default_factory=list)
    rows: Rows = field(default_factory=lambda: _no_rows())
    changed: int = 0
    inserted: int = 0


def _no_rows() -> Rows:
    yield from ()


class MysqlConnection:
    """One run's connection at a time. Each statement is a transaction, unless the guest
    begins one itself."""

    def __init__(self, options: dict[str, Any], host: HostState) -> None:
        """Connects. Raises pymysql.Error, TooLate, OSError, Stop."""
        flags = CLIENT.PS_MULTI_RESULTS | (CLIENT.FOUND_ROWS if options.get("found_rows") else 0)
        context = ssl.create_default_context() if TLS[options["tls"]] else None
        # An answer is on its way; and of that, the next result and not the next row.
        self._reading = self._between = False
        self._prepared: int | None = None
        self._raw = raw = BoundedMysql(options, context, flags)
        self._serve(host, min(_CONNECT, host.remaining()))
        addresses = options.get("addresses", (options["host"],))
        try:
            opened = _connected(addresses, options["port"], raw)
            raw.connect(opened)
            self._begins_with = self._place()
        except BaseException:
            raw.cut()
            raise

    def _serve(self, host: HostState | None, seconds: float) -> None:
        self._host_state = self._raw.host_state = host
        self._raw.end = time.monotonic() + seconds

    def _place(self) -> list[Row]:
        """Where a run's statements work, which the server's own reset leaves: database and role."""
        return list(self._answer(COMMAND.COM_QUERY, b"SELECT DATABASE(), CURRENT_ROLE()", text_row).rows)

    def serve(self, host: HostState) -> None:
        """As `Leased.serve`."""
        self._serve(host, host.remaining())
        # The server would otherwise go on for nobody. A guest that undoes this is stopped by the
        # clock here.
        seconds = max(0.001, host.remaining())
        limit = "max_statement_time" if "MariaDB" in self._raw.server_version else "max_execution_time"
        number = f"{seconds:.3f}" if limit == "max_statement_time" else f"{seconds * 1000:.0f}"
        settings = f"SET NAMES utf8mb4, SESSION autocommit = 1, SESSION {limit} = {number}"
        self._answer(COMMAND.COM_QUERY, settings.encode(), text_row)

    def run(self, statement: str, parameters: Sequence[tuple[str, Any]]) -> Result:
        """One statement with parameters in the interface's form. Raises pymysql.Error, TooLate,
        Stop."""
        assert self._host_state is not None
        self._serve(self._host_state, self._host_state.remaining())
        self._finish()
        try:
            number, wanted = self._prepare(statement.encode("utf-8", BYTES_AS_TEXT))
        except Error as error:
            if error.args[:1] != (ER.UNSUPPORTED_PS,) or parameters:
                raise
            return self._answer(COMMAND.COM_QUERY, statement.encode("utf-8", BYTES_AS_TEXT), text_row)
        self._prepared = number
        if wanted != len(parameters):
            raise pymysql.ProgrammingError(2031, f"{wanted} parameters are needed, and {len(parameters)} given")
        return self._answer(COMMAND.COM_STMT_EXECUTE, packed(number, parameters), binary_row)

    def _finish(self) -> None:
        """What is left of the statement before."""
        self._skip()
        if self._prepared is not None:
            with self._closing():
                self._raw.command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", self._prepared))
            self._prepared = None

    def _prepare(self, statement: bytes) -> tuple[int, int]:
        """The number of a prepared statement, and of its parameters."""
        raw = self._raw
        with self._closing():
            raw.command(COMMAND.COM_STMT_PREPARE, statement)
            number, columns, parameters = struct.unpack_from("<xIHH", raw.packet().get_all_data())
            for count in (parameters, columns):
                for _ in range(count + bool(count)):  # and what ends them
                    raw.packet()
            return number, parameters

    def _answer(self, command: int, data: bytes, row_of: Callable[[bytes, Sequence[Column]], Row]) -> Result:
        with self._closing():
            self._raw.command(command, data)
            return self._result(row_of)

    def _result(self, row_of: Callable[[bytes, Sequence[Column]], Row]) -> Result:
        first = self._raw.packet()
        if first.is_load_local_packet():
            self.close()  # it waits for a file
            raise pymysql.NotSupportedError(ER.NOT_SUPPORTED_YET, "LOAD DATA LOCAL is not supported")
        if first.is_ok_packet():
            done = OKPacketWrapper(first)
            self._reading = bool(done.has_next)
            self._between = self._reading
            self._skip()
            return Result(changed=done.affected_rows, inserted=done.insert_id)
        columns = []
        for _ in range(first.read_length_encoded_integer()):
            one: Any = self._raw.packet(_Field)
            name = one.name.encode("latin-1").decode("utf-8", BYTES_AS_TEXT)
            columns.append(Column(name, one.type_code, one.flags, one.charsetnr, one.scale))
        self._raw.packet()
        self._reading, self._between = True, False
        return Result(columns, self._rows(columns, row_of))

    def _rows(self, columns: Sequence[Column], row_of: Callable[[bytes, Sequence[Column]], Row]) -> Rows:
        try:
            while (data := self._next()) is not None:
                yield row_of(data, columns)
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """Nobody wants the rest; where that is long, the connection goes with it."""
        self._raw.received = max(self._raw.received, MAX_RECEIVED - _SKIPPED)
        with contextlib.suppress(Error, TooLate, OSError):
            self._skip()

    def _next(self) -> bytes | None:
        """The next row that is on its way, None behind the last."""
        try:
            with self._closing():
                packet = self._raw.packet()
        except Error:
            self._reading = False
            raise
        if not packet.is_eof_packet():
            return bytes(packet.get_all_data())
        self._reading = self._between = bool(EOFPacketWrapper(packet).has_next)
        return None

    def _skip(self) -> None:
        """Read what nobody wants: rows that are left, and the further results of a procedure."""
        while self._reading:
            if self._between:
                self._reading = False
                with self._closing():
                    self._result(binary_row)
            else:
                self._next()

    @contextlib.contextmanager
    def _closing(self) -> Iterator[None]:
        """Close the connection after all that leaves it in the middle of an exchange."""
        try:
            yield
        except Error as error:
            if error.args[:1] and error.args[0] in _LOST:
                self.close()
            raise
        except (TooLate, OSError, Stop):
            self.close()
            raise
        except Exception as error:
            # The client library checks nothing that a server sends.
            self.close()
            raise pymysql.OperationalError(2027, f"the server's answer is malformed ({type(error).__name__})") from None

    def reset(self) -> bool:
        """As `Leased.reset`."""
        try:
            self._serve(None, _RESET)
            self._skip()
            self._prepared = None  # ends with the rest
            if self._place() != self._begins_with:
                return False
            self._answer(_RESET_CONNECTION, b"", text_row)
        except (Error, TooLate, OSError):
            return False
        return True

    def is_stale(self) -> bool:
        """Whether the server has something to say that nobody has asked for: its good-bye."""
        opened = self._raw.socket
        if opened is None:
            return True
        poll = select.poll()
        poll.register(opened, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._reading = False
        self._raw.cut()


def _connected(addresses: Sequence[str], port: int, raw: BoundedMysql) -> socket.socket:
    """Raises OSError where no address takes the connection."""
    for number, address in enumerate(addresses, 1):
        try:
            opened = socket.create_connection((address, port), timeout=raw.time())
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
        except OSError:
            if number == len(addresses):
                raise
    raise OSError("there is no address")
