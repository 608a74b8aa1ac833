"""Faults of clients."""

from __future__ import annotations

from .table import CLIENT, Row, in_file

CLIENTS = (
    Row(
        id="C1",
        fault="a head or a body that trickles, a body that stalls, a client that does not read",
        outcome="408, or the connection ends; others are served meanwhile",
        tests=(
            *in_file("faults/test_clients.py", "test_a_body_that_trickles", "test_apache_ends_what_trickles"),
            *in_file("faults/test_clients.py", "test_a_client_that_does_not_read"),
            *in_file(
                "servers/test_slow_clients.py",
                "test_a_body_that_stalls_is_408",
                "test_c1_heads_that_never_end_hold_no_thread_for_good",
            ),
        ),
    ),
    Row(
        id="C2",
        fault="leaving before the request, within it, before the head, within the answer; closing one side",
        outcome="the guest is not started, or stopped; its slot is free. A closed sending side may count as leaving",
        tests=in_file(
            "faults/test_clients.py",
            "test_a_client_that_leaves_takes_no_slot_with_it",
            "test_clients_that_ask_nothing",
            "test_a_closed_sending_side",
        ),
    ),
    Row(
        id="C3",
        fault="pipelined requests; requests after 404, 413, 502 and 504 with the body unread",
        outcome="answered in order, or the connection is closed; never an answer to what was a body",
        tests=in_file(
            "faults/test_clients.py", "test_the_next_answer_is_its_own", "test_pipelined_requests_are_answered_in_order"
        ),
    ),
    Row(
        id="C4",
        fault="two lengths, lengths that are no number, length and chunked, other codings, malformed chunks, trailers",
        outcome="refused by the server, or with 400 by the gateway; the guest does not run",
        tests=(CLIENT,),
    ),
    Row(
        id="C5",
        fault="a length that is more or less than was sent; `Expect` with a guest that does not read",
        outcome="400, or the rest is the next request; no stall",
        tests=(CLIENT,),
    ),
    Row(
        id="C6",
        fault="a body of max_body, of one byte more, chunked without end, of 10 GB",
        outcome="413 before the guest starts; no file is left behind",
        tests=(CLIENT, *in_file("faults/test_clients.py", "test_large_bodies_leave_no_file")),
    ),
    Row(
        id="C7",
        fault="paths with NUL, encoded slashes and dots, backslashes, `;`, invalid UTF-8, 64 KB",
        outcome="404 or 400; never another script",
        tests=(CLIENT,),
    ),
    Row(
        id="C8",
        fault="fields with underscores that look like variables of the server, also from the same machine",
        outcome="they set nothing and lead nowhere else",
        tests=(CLIENT,),
    ),
    Row(
        id="C9",
        fault="`Host` twice, as a list, with a user, a port, a dot at the end, in upper case, empty or missing",
        outcome="one normal form; anything else is 400 or has the default routes",
        tests=(CLIENT,),
    ),
    Row(
        id="C10",
        fault="HEAD, OPTIONS, unknown methods, Range, If-*, Upgrade",
        outcome="as the guest says, within HTTP: HEAD without a body, 304 where the guest's validators match",
        tests=(CLIENT, *in_file("gateway/test_corpus.py", "test_case")),
    ),
)
