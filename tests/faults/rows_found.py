"""Faults that attacks on the gateway found, each with the kind that it stands for."""

from __future__ import annotations

from .table import CLIENT, Row, in_file

FOUND_TEST = "faults/test_found.py::test_found"

FOUND = (
    Row(
        id="F1",
        fault="a folder of a worker, a script or a route is swapped for a link after it was looked at",
        outcome="opened beneath its root without following links: no other file is read",
        tests=(
            *in_file("servers/test_swapped_files.py", "test_nothing_else_is_given"),
            *in_file(
                "gateway/test_swapped_folders.py",
                "test_swapped_after_the_site_was_loaded",
                "test_swapped_all_the_time",
                "test_a_sidecars_folder_is_swapped",
                "test_a_sidecars_folder_is_swapped_all_the_time",
                "test_a_modules_folder_is_swapped",
            ),
        ),
    ),
    Row(
        id="F2",
        fault="components of many shapes, each with an engine of its own",
        outcome="one budget of address space for all engines; what does not fit is 503",
        tests=(
            *in_file("faults/test_found.py", "test_components_of_many_shapes"),
            *in_file("engine/test_room.py", "test_all_shapes_together_keep_within_the_budget"),
        ),
    ),
    Row(
        id="F3",
        fault="SQL over texts of megabytes: GLOB, LIKE, trim, replace, printf, hex, instr, upper",
        outcome="ended by timeout and cpu, wherever the statement is",
        tests=(FOUND_TEST, *in_file("hostapi/test_statements.py", "test_it_ends_with_the_run")),
    ),
    Row(
        id="F4",
        fault="a writable directory of one route above, below or in another route's",
        outcome="the configuration is refused, and names both",
        tests=in_file(
            "config/test_config_reach.py",
            "test_a_writable_directory_above",
            "test_a_writable_directory_below",
            "test_the_message_names_both",
        ),
        servers="none: it is refused before one starts",
    ),
    Row(
        id="F5",
        fault="one call of the host over 1,024 pieces of 120 MB; every function with its largest arguments",
        outcome="504: no call goes on for more than a tick without a look at the clock",
        tests=(
            FOUND_TEST,
            *in_file("hostcalls/test_wasi_calls.py", "test_a_program_ends_in_time", "test_a_component_ends_in_time"),
            *in_file("hostcalls/test_api_calls.py", "test_it_ends_in_time"),
        ),
    ),
    Row(
        id="F6",
        fault="a module of 29 KB that takes a compiler minutes and gigabytes",
        outcome="503 within the limits for what requests cause; others are compiled meanwhile, and no compiler stays",
        tests=(
            *in_file("faults/test_found.py", "test_a_module_that_blocks_the_compiler"),
            *in_file(
                "servers/test_compile_faults.py",
                "test_a_good_module_is_compiled_beside_a_bad_one",
                "test_no_compiler_outlives_its_server",
                "test_a_limit_is_met_once",
                "test_a_burst_of_bad_modules_takes_no_threads",
            ),
        ),
    ),
    Row(
        id="F7",
        fault="an engine that cannot be made, on the thread that compiles",
        outcome="the thread goes on; other modules are compiled",
        tests=in_file("faults/test_found.py", "test_components_of_many_shapes"),
    ),
    Row(
        id="F8",
        fault="the disk of the cache or of TMPDIR is full or absent",
        outcome="done without: compiled for the process, small bodies in memory, 503 for others, until there is room",
        tests=in_file(
            "servers/test_disk_faults.py",
            "test_a_disk_that_fills_up",
            "test_descriptors_that_run_out",
            "test_serve_starts_without_temporary_files",
            "test_a_small_disk",
        ),
    ),
    Row(
        id="F9",
        fault="a module over the limits of the engine's pools",
        outcome="503, with the number that it has and the number that is allowed; compiled by nobody",
        tests=(FOUND_TEST,),
    ),
    Row(
        id="F10",
        fault="a component whose `run` is a type, an instance, missing, or has another type",
        outcome="503: the type of what is called is looked at when it is compiled",
        tests=(FOUND_TEST,),
    ),
    Row(
        id="F11",
        fault="line ends and escape sequences in names of imports, files, routes and in what others say",
        outcome="escaped wherever they are logged or printed",
        tests=(
            FOUND_TEST,
            *in_file("servers/test_log_forging.py", "test_the_log_of_a_hostile_day"),
        ),
    ),
    Row(
        id="F12",
        fault="a guest that writes 104 MB at once",
        outcome="no copy of it as a whole is made",
        tests=in_file("faults/test_found.py", "test_no_copy_of_what_a_guest_writes"),
        servers="gunicorn gthread",
    ),
    Row(
        id="F13",
        fault="fields of guests with underscores, CONNECT and TRACE, a target whose host is not that of `Host`",
        outcome="as with dashes; 405 where they reach the gateway; the target's host decides",
        tests=(
            FOUND_TEST,
            CLIENT,
            *in_file(
                "servers/test_request_targets.py",
                "test_c9_the_targets_host_decides",
                "test_c10_methods_that_never_reach_a_guest",
            ),
        ),
    ),
    Row(
        id="F14",
        fault="a trap deep in a program; an outbound request that is refused",
        outcome="the log names up to eight functions, and once a minute the key that would allow the request",
        tests=(
            FOUND_TEST,
            *in_file("gateway/test_traps.py", "test_the_log_names_functions"),
        ),
    ),
)
