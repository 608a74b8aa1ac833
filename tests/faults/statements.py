"""The promises and limits of docs/security.md, and the rows that stand behind them. Some have none: what cannot be a
fault that a test does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .table import Statement

GUESTS = (
    Statement(
        "see any other file, or follow a link out of a granted directory",
        "G14 G15 F1",
    ),
    Statement(
        "change a directory that is granted for reading",
        "G14 F4",
    ),
    Statement(
        "use the network: it has no sockets. Only the host connects to the servers that `redis`, `postgres`, "
        "`mysql` and `allowed_outbound_hosts` list, and it [checks each address](components.md#outbound-requests)",
        "G19",
    ),
    Statement(
        "start processes or threads, send signals, or see the server's environment or arguments",
        "G19",
    ),
    Statement(
        "see any data of another request: each request runs in a fresh instance with the module's initial memory",
        "G9 G12",
    ),
    Statement(
        "name a host file in a variable or header that a front server would act on (`X-Sendfile` and the like "
        "are dropped, with underscores too)",
        "F13",
    ),
    Statement(
        "send a head that a server or a client could misread: a malformed head becomes 502, and none of it is "
        "forwarded",
        "G10",
    ),
    Statement(
        "add a line to a log or send a sequence to a terminal, whatever is in its names, its output or its "
        "errors: such characters are shown as `\\x0a` or `\\u202e`, and a message is cut at 20,000 characters",
        "G6 F11",
    ),
    Statement(
        "keep a process busy beyond its limits, or end it: a trap, a stack overflow or an endless loop ends "
        "only the guest, also within a call of the host, in SQL, or while it is compiled",
        "G1 G2 G4 G7 G8 G11 G17 G18 G20 F3 F5 F6 F7 F10 F14",
    ),
    Statement(
        "take more memory, output, open files or address space than its limits allow",
        "G3 G5 G9 G16 F2 F9 F12",
    ),
)

CLIENTS = (
    Statement(
        "Set a variable that the server sets: `HTTP_PROXY` never comes from a `Proxy` header, and "
        "`HTTP_CONTENT_LENGTH` never comes from a header with an underscore.",
        "C8",
    ),
    Statement(
        "Pass arguments: the query becomes arguments only with `query_args`, and not if it has a `=`.",
        "",
    ),
    Statement(
        "Reach a file outside a `directory`, a hidden file, or a file that is not a program.",
        "C7",
    ),
    Statement(
        "Choose the configuration.",
        "",
    ),
    Statement(
        "Reach the routes of one virtual host under the name of another: the host in a request target decides "
        "over `Host`.",
        "C9 F13",
    ),
    Statement(
        "Make a guest answer `CONNECT`, `TRACE` or `TRACK`.",
        "C10 F13",
    ),
    Statement(
        "Have a part of a body taken for a request, or a body read that is not as long as it says.",
        "C3 C4 C5 G13",
    ),
    Statement(
        "Store more than `max_body`, or leave a file behind.",
        "C6",
    ),
    Statement(
        "Keep a guest running, its slot or, under gunicorn, a thread by going away or sending slowly.",
        "C1 C2",
    ),
)

HOST = (
    Statement(
        "a cache that is missing, full, read-only, damaged or emptied: modules are compiled again",
        "H1 H2 H3 H4 F8",
    ),
    Statement(
        "a module that is half written, replaced or gone: the last good one serves",
        "H5",
    ),
    Statement(
        "a configuration that is broken: the last good one serves, also when workers are replaced",
        "H6 H7",
    ),
    Statement(
        "workers that are killed: others serve, and another takes their place",
        "H8",
    ),
    Statement(
        "stopping and reloading while guests run: they end within the server's graceful timeout, or are cut",
        "H9",
    ),
    Statement(
        "a clock that jumps",
        "H10",
    ),
    Statement(
        "no descriptors, memory or room on the disk for a while: what needs some fails alone",
        "H11 H12 H13",
    ),
    Statement(
        "a system without HOME, a user's name, `/proc` or `memfd_create`",
        "H14",
    ),
    Statement(
        "a log that cannot be written, or whose handler fails",
        "H20",
    ),
    Statement(
        "thousands of routes and files",
        "H23",
    ),
    Statement(
        "a fork while guests run, an exception in a callback, a wrapped application that fails",
        "H16 H17 H21",
    ),
    Statement(
        "what cannot work is refused by name: too little address space, a system that forbids code, a "
        "sub-interpreter, another version of the engine",
        "H12 H15 H19 H24 H25",
    ),
    Statement(
        "a network that is down: programs need none",
        "H22",
    ),
)

LIMITS = (
    Statement(
        "Pipes (FIFOs), sockets and devices in a granted directory cannot be opened by programs, which get "
        "ENOTSUP. Components open files by way of the engine alone: a pipe that has nobody at its other end "
        "keeps such a guest for up to a second, then the call fails as interrupted; if somebody is there, the "
        "component can use the pipe. In a process that has changed its user, as under Apache, the call fails "
        "when the guest's `timeout` is over. Grant only directories with plain files.",
        "",
    ),
    Statement(
        "SQLite opens its files by path. It is looked at before and after whether that is the file that was "
        "configured, but whoever can swap a folder above it for a link and back in that moment can have "
        "another database opened. Keep stores in directories to which only root and the server's user can "
        "write.",
        "F1",
    ),
    Statement(
        "A writable directory has no quota. Put it on a separate file system, or use the file system's quotas.",
        "G16",
    ),
    Statement(
        "A client that closes only its sending side counts as disconnected, because the two look the same.",
        "C2",
    ),
    Statement(
        "mod_wsgi does not expose the client's socket. A client that disconnects is noticed when the guest "
        "writes again, or when a limit ends the guest.",
        "C2",
    ),
    Statement(
        "mod_wsgi cannot close a connection in the middle of an answer, so the client cannot see that the "
        "answer was cut off. It is logged.",
        "G1",
    ),
    Statement(
        "Some calls take as long as the file system takes, and nothing can stop them meanwhile: `fsync`, and "
        "deleting or shortening a very large file. Their time counts towards `timeout`.",
        "F5",
    ),
    Statement(
        "A single bulk operation (`memory.fill`, `memory.copy`) completes before a limit takes effect. It "
        "covers at most the guest's memory, 128 MiB by default, which takes milliseconds. It takes longer if "
        "`memory` allows more.",
        "G4",
    ),
    Statement(
        "Greenlets share a thread, and the engine needs a thread to itself while a guest runs. The gateway "
        "refuses to start if gevent has patched `threading`.",
        "",
    ),
    Statement(
        "One call of Wasmtime's own functions for components (WASI 0.2) can copy up to 128 MiB, or make 64 "
        "MiB of random bytes, and listing a directory takes as long as the directory is. Such a call "
        "completes before a limit takes effect: 0.1 to 0.5 s on one core, measured once. For programs "
        "(preview 1) there is no such call.",
        "F5 F12",
    ),
    Statement(
        "Compiled modules are mapped. If another program truncates one in place, processes that use it end. "
        "The gateway only ever replaces them.",
        "H3",
    ),
    Statement(
        "An exception that another thread injects (mod_wsgi's `interrupt-timeout` does) can end the process, "
        "if it comes at the first instruction of a function that a guest calls. Leave that option out.",
        "H17",
    ),
    Statement(
        "If something takes SIGSEGV after the first guest has run (`faulthandler.enable()` does), the next "
        "trap ends the process. Enable it before, as `python -X faulthandler` does.",
        "H18",
    ),
    Statement(
        "Wasmtime ends the process if the system has no memory for its own small needs. Set `MemoryMax` so "
        "that guests meet their own limits before.",
        "H12",
    ),
    Statement(
        "A pipe for logs that nobody reads blocks whoever logs, as it blocks the server itself.",
        "H20",
    ),
    Statement(
        "If a guest begins a transaction and does not end it, other writers of that database wait until the "
        "guest's `timeout`.",
        "",
    ),
    Statement(
        "While the host resolves the name of a server that `redis`, `postgres` or `mysql` lists, the guest cannot be "
        "stopped.",
        "",
    ),
    Statement(
        "Guests that run at the same time can observe each other's use of the processor's caches.",
        "",
    ),
)

LISTS: Mapping[str, Sequence[Statement]] = {
    "what a guest cannot do": GUESTS,
    "what a request cannot do": CLIENTS,
    "what the server survives": HOST,
    "known limits": LIMITS,
}
