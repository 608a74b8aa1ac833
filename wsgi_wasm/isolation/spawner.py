"""The process that makes children: started before anything else is, and by nobody who has threads
or an engine. It has imported all that a child needs, so that starting one is a fork.

It is one for each server, whose processes ask it over a socket, and ends with that server. A
request is one packet of JSON:

    {"connect": GROUP}       a connection to the group's child, started where there is none
    {"ended": PID}           how that child ended
    {"kill": PID}            end a child that no longer answers
    {"children": true}       what runs
    {"compile": ARGUMENTS}   a compiler with these arguments; its three streams go with the request
    {"command": COMMAND, ...}   a program of the host, in the same way
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import struct
import time
from typing import Any

from wsgi_wasm.errors import WallError
from wsgi_wasm.isolation.commands import Commands
from wsgi_wasm.isolation.compilers import Compilers
from wsgi_wasm.isolation.control_groups import ControlGroups
from wsgi_wasm.isolation.fork import be_child, forked
from wsgi_wasm.isolation.frames import closing
from wsgi_wasm.isolation.rights import SpawnerOptions, SpawnerRights, spawner_arguments
from wsgi_wasm.isolation.running import LOG_RATE, PATIENCE, ChildFault, Reply, RunningChild, Wanted
from wsgi_wasm.isolation.server import began
from wsgi_wasm.isolation.tenant import Tenant
from wsgi_wasm.log_output import choose_by
from wsgi_wasm.logs import package_log
from wsgi_wasm.messages import escaped
from wsgi_wasm.walls import missing

log = package_log("isolation")

MAX_REQUEST = 1 << 20  # bytes
_STEADY = 10.0  # seconds after which the child's next fault counts as its first
_FIRST_PAUSE, _LAST_PAUSE = 0.2, 30.0  # seconds before a child that failed is started again


class Spawner:
    """The loop of the process; everything happens on its one thread."""

    def __init__(self, listener: socket.socket, server: int, options: SpawnerOptions) -> None:
        self._listener = listener
        self._most = options.most
        self._rights = options.rights
        self._children: dict[str, RunningChild] = {}  # by the group's key
        self._leaving: set[RunningChild] = set()  # that take no connections any more
        self._ended: dict[int, str] = {}  # how the last ones ended, by pid
        self._faults: dict[str, ChildFault] = {}
        self._held: list[Wanted] = []  # until a child has ended
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._groups = ControlGroups()
        self._compilers = Compilers(self._selector, options.cache)
        self._commands = Commands(self._selector, options.rights)
        self._server = os.pidfd_open(server)
        self._selector.register(self._server, selectors.EVENT_READ, self._leave)
        self._over = False

    def run(self) -> None:
        """Until the server has ended."""
        while not self._over:
            waiting = self._held or any(one.waiting for one in self._running())
            for key, _ in self._selector.select(0.05 if waiting else None):
                key.data()
            self._look_at_held()
            self._look_at_waiting()
        for one in self._running():
            os.kill(one.pid, signal.SIGKILL)
        self._compilers.end()

    def _running(self) -> list[RunningChild]:
        return [*self._children.values(), *self._leaving]

    def _leave(self) -> None:
        self._over = True

    # --- requests ---

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        _, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if not self._rights.may_ask(uid):
            log.warning("user %d is not allowed to ask for processes", uid)
            connection.close()
            return
        connection.settimeout(1.0)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._answer(connection, (uid, gid)))

    def _answer(self, connection: socket.socket, peer: tuple[int, int]) -> None:
        self._selector.unregister(connection)

        def reply(answer: dict[str, Any], descriptor: int | None = None) -> None:
            with contextlib.suppress(OSError):
                socket.send_fds(connection, [json.dumps(answer).encode()], [] if descriptor is None else [descriptor])
            connection.close()

        given: list[int] = []
        try:
            data, given, _, _ = socket.recv_fds(connection, MAX_REQUEST, 3)
            request = json.loads(data)
            if "connect" in request:
                tenant = Tenant.from_json(request["connect"])
                self._connect(Wanted(tenant, self._rights.user(peer, tenant.user), reply))
            elif "compile" in request:
                user = self._rights.user(peer, None)
                self._compilers.start(connection, [str(one) for one in request["compile"]], given, user)
            elif "command" in request:
                self._commands.start(connection, request, given, self._rights.user(peer, None))
            elif "ended" in request or "kill" in request:
                self._tell_end(int(request.get("ended") or request["kill"]), "kill" in request, reply)
            else:
                reply({"children": [self._described(one) for one in self._children.values()]})
        except (OSError, WallError, ValueError, TypeError, KeyError, AttributeError) as error:
            reply({"error": f"the request cannot be served: {error}", "retry_after": 1})
        finally:
            closing(given)

    def _described(self, one: RunningChild) -> dict[str, Any]:
        return {"name": one.tenant.name, "pid": one.pid, "seconds": round(time.monotonic() - one.began, 3)}

    def _connect(self, wanted: Wanted) -> None:
        tenant, reply = wanted.tenant, wanted.reply
        one = self._children.get(tenant.key)
        if one is None:
            fault = self._faults.get(tenant.key)
            left = fault.until - time.monotonic() if fault is not None else 0.0
            if fault is not None and left > 0:
                what = f"the process of {tenant.name!r} {fault.how}, and is started again in {left:.1f} s"
                reply({"error": what, "retry_after": max(1, round(left))}, None)
                return
            if len(self._children) >= self._most:
                self._make_room()
                self._held.append(wanted)
                return
            try:
                one = self._children[tenant.key] = self._start(wanted)
            except OSError as error:
                reply({"error": f"a process for {tenant.name!r} cannot be started: {error}", "retry_after": 5}, None)
                return
        ours, theirs = socket.socketpair()
        with ours, theirs:
            try:
                socket.send_fds(one.control, [b"connect"], [theirs.fileno()])
            except OSError:
                # It is about to end, which takes its time where memory is given back.
                self._leaving.add(self._children.pop(tenant.key))
                self._connect(wanted)
                return
            reply({"pid": one.pid}, ours.fileno())

    def _make_room(self) -> None:
        """Ask every child in which nothing runs to end."""
        for one in self._children.values():
            with contextlib.suppress(OSError):
                one.control.send(b"leave")

    def _look_at_held(self) -> None:
        held, self._held = self._held, []
        for wanted in held:
            if time.monotonic() > wanted.until:
                wanted.reply(
                    {"error": f"all {self._most} processes (engine.processes) are in use", "retry_after": 5}, None
                )
            elif wanted.tenant.key in self._children or len(self._children) < self._most:
                self._connect(wanted)
            else:
                self._held.append(wanted)

    def _look_at_waiting(self) -> None:
        """Tell those who have waited long enough that a child still runs: it has closed their
        connection alone."""
        for one in self._running():
            for _, reply in one.late():
                reply({"ended": "has closed the connection"}, None)

    def _tell_end(self, pid: int, kill: bool, reply: Reply) -> None:
        for one in self._running():
            if one.pid == pid:
                if kill:
                    log.error("the process of %r no longer answers, and is ended", one.tenant.name)
                    signal.pidfd_send_signal(one.pidfd, signal.SIGKILL)
                one.waiting.append((time.monotonic() + PATIENCE, reply))
                return
        reply({"ended": self._ended.get(pid, "has ended")}, None)

    # --- children ---

    def _start(self, wanted: Wanted) -> RunningChild:
        """Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        read, write = os.pipe2(os.O_CLOEXEC)
        group = self._groups.of(wanted.tenant)
        with theirs:
            pid = forked(lambda: be_child(wanted, theirs, write, group))
        os.close(write)
        os.set_blocking(read, False)
        ours.setblocking(False)
        one = RunningChild(wanted.tenant, pid, os.pidfd_open(pid), ours, read, group)
        self._selector.register(one.pidfd, selectors.EVENT_READ, lambda: self._reap(one))
        self._selector.register(read, selectors.EVENT_READ, lambda: self._print(one))
        return one

    def _reap(self, one: RunningChild) -> None:
        _, status = os.waitpid(one.pid, 0)
        self._print(one)
        self._selector.unregister(one.pidfd)
        with contextlib.suppress(KeyError):
            self._selector.unregister(one.printed)
        one.close()
        self._leaving.discard(one)
        if self._children.get(one.tenant.key) is one:
            del self._children[one.tenant.key]
        how = self._judged(one, status)
        self._ended[one.pid] = how
        while len(self._ended) > 1000:
            del self._ended[next(iter(self._ended))]
        if one.group is not None:
            one.group.remove()
        for _, reply in one.waiting:
            reply({"ended": how}, None)

    def _judged(self, one: RunningChild, status: int) -> str:
        """How a child ended, in words; of a failure, when the next one may start."""
        key, now = one.tenant.key, time.monotonic()
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            self._faults.pop(key, None)
            return "idle"
        how = f"ended with status {os.waitstatus_to_exitcode(status)}"
        if os.WIFSIGNALED(status):
            how = f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        if one.group is not None and one.group.killed_for_memory():
            how = f"{how}, as it used more memory than its group may"
        fault = self._faults.setdefault(key, ChildFault())
        fault.times = 1 if now - one.began > _STEADY else fault.times + 1
        fault.until = now + min(_LAST_PAUSE, _FIRST_PAUSE * 2 ** (fault.times - 1))
        fault.how = how
        log.error("the process of %r %s, after %.1f s", one.tenant.name, how, now - one.began)
        while len(self._faults) > 10_000:
            del self._faults[next(iter(self._faults))]
        return how

    def _print(self, one: RunningChild) -> None:
        """Pass on what a child has printed, as far as its quota goes: it may be a guest's."""
        try:
            data = os.read(one.printed, 65536)
        except BlockingIOError:
            return
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(one.printed)
            return
        now = time.monotonic()
        one.quota = min(LOG_RATE, one.quota + (now - one.quota_at) * LOG_RATE)
        one.quota_at = now
        for line in data.splitlines():
            one.quota -= len(line) + 1
            if one.quota > 0:
                log.warning("%r: %s", one.tenant.name, escaped(os.fsdecode(line)))


def main() -> None:
    """`python -m wsgi_wasm.isolation.spawner`, with the listening socket as standard input."""
    options = spawner_arguments()
    choose_by(options.log)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # it ends with its server, which these are for
    listener = socket.socket(fileno=os.dup(0))
    for sentence in missing(group=True):
        log.warning("isolate: %s", sentence)
    rights = SpawnerRights.of(options)
    spawner = Spawner(listener, options.server, SpawnerOptions(options.most, options.cache, rights))
    if began(options.server) == options.began:
        spawner.run()


if __name__ == "__main__":
    main()
