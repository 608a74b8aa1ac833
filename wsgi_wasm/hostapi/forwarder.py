"""Passes guests' HTTP requests on: a loopback server that Wasmtime's client connects to.

That client cannot check the address that it connects to, so this is the only one that it gets. A
request names its ticket before the path; the forwarder resolves the name, checks each address,
connects, with TLS if requested, and passes bytes on in both directions. A failure before the answer
gives status 599, the ticket's word and the number of an `error-code` (wasi:http/types).

One thread with an event loop per process, begun by the first request that needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial

from wsgi_wasm.hostapi.forwarded import parsed, rewritten, without_length
from wsgi_wasm.hostapi.ticket import Ticket
from wsgi_wasm.logs import package_log

log = package_log("guest")

_MAX_HEAD = 128 * 1024  # bytes of a request's head
_PIECE = 65536
_CONNECT = 10.0  # seconds for one address
_PATIENCE = 1.0  # seconds for the body of a request that fails

# cases of error-code
DNS_ERROR, UNAVAILABLE, PROHIBITED, REFUSED, TERMINATED, TIMEOUT = 1, 3, 4, 6, 7, 8
TLS_ERROR, CERTIFICATE_ERROR, RESPONSE_TIMEOUT = 12, 13, 33


class _Failed(Exception):
    """The request has no answer; `code` is a case of error-code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Forwarder:
    """The server of this process."""

    def __init__(self) -> None:
        self._waiting: dict[str, Ticket] = {}
        self._tls: ssl.SSLContext | None = None
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, args=(listener,), name="wsgi_wasm-outbound", daemon=True).start()

    def _run(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=listener, limit=_MAX_HEAD))
        self._loop.run_forever()

    def listen(self, listener: socket.socket) -> Callable[[], None]:
        """Take connections at one more socket, until what is returned is called."""
        starting = asyncio.start_server(self._serve, sock=listener, limit=_MAX_HEAD)
        server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        return partial(_stop, self._loop, server)

    def expect(self, ticket: Ticket) -> None:
        """Serve the request that names this ticket."""
        self._waiting[ticket.word] = ticket

    def forget(self, tickets: Iterable[Ticket]) -> None:
        """End what is under way of these, and expect none of them any more."""
        for ticket in tickets:
            if self._waiting.pop(ticket.word, None) is not None:
                ticket.end()
            else:
                self._loop.call_soon_threadsafe(_cancel, ticket)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from Wasmtime's client; other processes have no ticket."""
        ticket = None
        try:
            async with asyncio.timeout(_CONNECT):
                head = await reader.readuntil(b"\r\n\r\n")
            method, word, target, fields = parsed(head)
            ticket = self._waiting.pop(word, None)
            if ticket is not None:
                ticket.task = asyncio.current_task()
                fields, length = without_length(method, fields)
                head = rewritten(method, target, fields, ticket.destination, length)
                await self._forward(ticket, head, length, reader, writer)
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError, TimeoutError) as error:
            log.debug("a forwarded request ended: %r", error)
        finally:
            if ticket is not None:
                ticket.task = None
                ticket.end()
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    async def _forward(
        self,
        ticket: Ticket,
        head: bytes,
        length: int | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        answered = False
        try:
            async with asyncio.timeout(max(0.0, ticket.deadline - time.monotonic())):
                try:
                    upstream, sender = await self._connect(ticket)
                except _Failed:
                    if length is not None:
                        await _discard(reader)
                    raise
                try:
                    sender.write(head)
                    async with asyncio.TaskGroup() as group:
                        body = _pass_on if length is None else partial(_pass_chunks, length=length)
                        sending = group.create_task(body(reader, sender, ticket.max_bytes))
                        first = await upstream.read(_PIECE)
                        if not first:
                            raise _Failed(TERMINATED, "the server closed the connection without an answer")
                        if length is not None:
                            # As in `_discard`; if the guest streams both ways, there is no length.
                            await asyncio.wait([sending], timeout=_PATIENCE)
                        answered = True
                        writer.write(first)
                        await _pass_on(upstream, writer, ticket.max_bytes - len(first))
                        sending.cancel()
                finally:
                    sender.transport.abort()
        except* _Failed as failures:
            failure = next(_flat(failures))
            if failure.code != PROHIBITED:  # which is logged where it is decided
                log.info("%s a request to %s failed: %s", ticket.about, ticket.destination.host, failure)
            await _say(writer, ticket.word, failure.code)
        except* TimeoutError:
            if answered:
                writer.transport.abort()
            else:
                await _say(writer, ticket.word, RESPONSE_TIMEOUT)
        except* OSError:
            if answered:
                writer.transport.abort()
            else:
                await _say(writer, ticket.word, TERMINATED)

    async def _connect(self, ticket: Ticket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the first address that may be used and takes it. Raises _Failed."""
        scheme, host, port = ticket.destination
        if ticket.within is not None:
            ours, theirs = socket.socketpair()
            threading.Thread(target=ticket.within, args=(theirs,), name="wsgi_wasm-within", daemon=True).start()
            return await asyncio.open_connection(sock=ours, limit=_PIECE)
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise _Failed(DNS_ERROR, f"the name cannot be resolved: {error}") from None
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        admitted = [address for address in addresses if ticket.admit_address(ticket.destination, address)]
        if not admitted:
            if ticket.refuse is not None:
                ticket.refuse(ticket.destination, addresses, label=ticket.about)
            raise _Failed(PROHIBITED, f"its address is not allowed: {', '.join(addresses)}")
        failure = _Failed(UNAVAILABLE, "the name has no address")
        for address in admitted:
            try:
                async with asyncio.timeout(_CONNECT):
                    # The address, never the name again: it could resolve to another one now.
                    return await asyncio.open_connection(
                        address,
                        port,
                        ssl=self._tls_context() if scheme == "https" else None,
                        server_hostname=host if scheme == "https" else None,
                        limit=_PIECE,
                    )
            except ssl.SSLCertVerificationError as error:
                raise _Failed(CERTIFICATE_ERROR, str(error)) from None
            except ssl.SSLError as error:
                raise _Failed(TLS_ERROR, str(error)) from None
            except ConnectionRefusedError:
                failure = _Failed(REFUSED, "the server refused the connection")
            except TimeoutError:
                failure = _Failed(TIMEOUT, "the server did not accept the connection in time")
            except OSError as error:
                failure = _Failed(UNAVAILABLE, str(error))
        raise failure

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _stop(loop: asyncio.AbstractEventLoop, server: asyncio.Server) -> None:
    loop.call_soon_threadsafe(server.close)


def _cancel(ticket: Ticket) -> None:
    if ticket.task is not None:
        ticket.task.cancel()


def _flat(failures: ExceptionGroup[_Failed]) -> Iterator[_Failed]:
    for failure in failures.exceptions:
        if isinstance(failure, ExceptionGroup):
            yield from _flat(failure)
        else:
            yield failure


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, most: int) -> None:
    """Bytes from one side to the other as they come, up to `most`: then both connections go."""
    while data := await source.read(_PIECE):
        most -= len(data)
        if most < 0:
            raise ConnectionAbortedError("more bytes than allowed")
        target.write(data)
        await target.drain()


async def _chunks(source: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """A body in chunks (RFC 9112 7.1). Raises ConnectionAbortedError if it is cut off."""
    try:
        while size := int((await source.readuntil(b"\r\n")).partition(b";")[0], 16):
            while size:
                data = await source.readexactly(min(size, _PIECE))
                size -= len(data)
                yield data
            await source.readexactly(2)
    except (ValueError, EOFError, asyncio.LimitOverrunError) as error:
        raise ConnectionAbortedError(f"the body was cut off: {error}") from None


async def _pass_chunks(source: asyncio.StreamReader, target: asyncio.StreamWriter, most: int, length: int) -> None:
    """A body that comes in chunks and goes on as `length` bytes, no more and no fewer."""
    if length > most:
        raise ConnectionAbortedError("more bytes than allowed")
    left = length
    async for data in _chunks(source):
        left -= len(data)
        if left < 0:
            raise ConnectionAbortedError("the body is longer than its length")
        target.write(data)
        await target.drain()
    if left:
        raise ConnectionAbortedError("the body is shorter than its length")


async def _discard(source: asyncio.StreamReader) -> None:
    """Take a body that goes nowhere, if it is small and comes soon: an answer in the middle of it
    would close the stream that the guest writes to, which guests notice before the answer."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            taken = 0
            async for data in _chunks(source):
                taken += len(data)
                if taken > _PIECE:
                    break


async def _say(writer: asyncio.StreamWriter, word: str, code: int) -> None:
    """What the adapter makes an error-code of."""
    with contextlib.suppress(OSError):
        field = f"wsgi-wasm-error: {word} {code}"
        writer.write(f"HTTP/1.1 599 -\r\n{field}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()


_forwarder: Forwarder | None = None
_beginning = threading.Lock()


def forwarder() -> Forwarder:
    """This process's forwarder."""
    global _forwarder
    if _forwarder is None:
        with _beginning:
            if _forwarder is None:
                _forwarder = Forwarder()
    return _forwarder


def _forget() -> None:
    """After a fork: its thread does not exist in the child."""
    global _forwarder, _beginning
    _forwarder = None
    _beginning = threading.Lock()


os.register_at_fork(after_in_child=_forget)
