"""Faults of guests and of their files."""

from __future__ import annotations

from .table import GUEST, Row, in_file

GUESTS = (
    Row(
        id="G1",
        fault="an endless loop, before and after the head, and in a start section",
        outcome="504, or the answer is cut off; logged; the slot is free",
        tests=(GUEST,),
    ),
    Row(
        id="G2",
        fault="sleeping for an hour, the longest time there is, a million subscriptions, yielding without end",
        outcome="504; more subscriptions than allowed are an error for the guest",
        tests=(GUEST,),
    ),
    Row(
        id="G3",
        fault="memory and tables that grow to the limit and past it, several memories, data outside the memory",
        outcome="growing fails; what cannot be served at all is 503 from the start, with the reason in the log",
        tests=(GUEST,),
    ),
    Row(
        id="G4",
        fault="copies of the whole memory in a loop",
        outcome="504, at most one copy after the limit",
        tests=(GUEST,),
    ),
    Row(
        id="G5",
        fault="10 GB of output, in large pieces or byte by byte",
        outcome="cut at max_output; 502 where nothing has been sent",
        tests=(GUEST,),
    ),
    Row(
        id="G6",
        fault="a flood on standard error, control characters, lines of megabytes",
        outcome="capped at max_stderr and escaped; one line says that the rest is dropped",
        tests=(GUEST, *in_file("faults/test_guests.py", "test_nothing_of_a_guest_reaches_the_log_raw")),
    ),
    Row(
        id="G7",
        fault="traps: unreachable, division by zero, overflow, addresses outside, calls of a wrong type",
        outcome="502, with route and trap in the log",
        tests=(GUEST,),
    ),
    Row(
        id="G8",
        fault="recursion in memory and on the stack, in threads of 128 KiB to 8 MiB, under mod_wsgi's stack-size",
        outcome="502; a stack that is too small is refused by name, and never ends the process",
        tests=(
            GUEST,
            *in_file("faults/test_hosts_process.py", "test_threads_with_small_stacks"),
            *in_file("faults/test_hosts_system.py", "test_a_small_stack_under_apache"),
        ),
    ),
    Row(
        id="G9",
        fault="opening files and directories until none is left, renumbering descriptors",
        outcome="the guest is told EMFILE; the server keeps descriptors; later requests have whole streams",
        tests=(
            GUEST,
            *in_file("faults/test_hosts_process.py", "test_descriptors_run_out"),
            *in_file("gateway/test_files.py", "test_descriptors_are_left_for_the_host"),
            *in_file("gateway/test_component_programs.py", "test_a_component_cannot_take_all_descriptors"),
        ),
    ),
    Row(
        id="G10",
        fault="heads of 100,000 fields, of a megabyte, without an end, with CR, NUL, UTF-16, a byte order mark",
        outcome="502, and nothing of the head is forwarded",
        tests=(GUEST, *in_file("servers/test_differential.py", "test_corpus")),
    ),
    Row(
        id="G11",
        fault="statuses from 0 to 2 to the 31st, exit in a nested call or within the head, no or a wrong _start",
        outcome="the answer counts, not the status; without a whole head 502; a wrong _start is 503 from the start",
        tests=(GUEST,),
    ),
    Row(
        id="G12",
        fault="standard output is closed, sought, truncated, allocated, written to at an offset",
        outcome="it is a stream: what was appended arrives, in order",
        tests=(GUEST,),
    ),
    Row(
        id="G13",
        fault="reading past the end of the body, never, or after closing it",
        outcome="the end of the file; the connection stays in step",
        tests=(GUEST, *in_file("faults/test_clients.py", "test_the_next_answer_is_its_own")),
    ),
    Row(
        id="G14",
        fault="changing a read-only directory by every call, leaving a directory by `..`, links and slashes",
        outcome="an error for the guest; no byte, name or time on the host changes",
        tests=(GUEST,),
    ),
    Row(
        id="G15",
        fault="links in a writable directory that the web server or another route serves",
        outcome="the gateway follows none of them; other programs are the administrator's business",
        tests=in_file("gateway/test_files.py", "test_a_directory_cannot_be_left"),
        reason="no importer reads archives, so there are none to refuse",
    ),
    Row(
        id="G16",
        fault="a guest fills its writable directory, with bytes and with files",
        outcome="the guest is told; bodies, cache and logs lie elsewhere and go on",
        tests=in_file("faults/test_hosts_system.py", "test_a_guest_fills_its_directory"),
        servers="gunicorn gthread",
    ),
    Row(
        id="G17",
        fault="every function of WASI preview 1 with addresses, sizes and numbers from outside",
        outcome="an error number or a trap, never the end of the process",
        tests=(GUEST,),
    ),
    Row(
        id="G18",
        fault="components: handles without end, dropped twice, forged; answers that are unfinished, twice, too long",
        outcome="a trap or an error; 502, or cut off",
        tests=(GUEST,),
    ),
    Row(
        id="G19",
        fault="imports of wasi_unstable, of unknown functions and interfaces, of sockets",
        outcome="programs: refused when they are loaded, by name. Components: calls are refused, no socket is made",
        tests=(GUEST, *in_file("gateway/test_outbound.py", "test_what_has_no_answer")),
    ),
    Row(
        id="G20",
        fault="files that are no module, truncated, with a million functions, 100,000 imports or nested blocks",
        outcome="503 for that route, which the log names; compiled in a child with limits",
        tests=(GUEST,),
    ),
)
