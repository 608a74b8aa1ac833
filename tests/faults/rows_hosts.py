"""Faults of the host."""

from __future__ import annotations

from .table import Row, in_file

CACHE = "faults/test_hosts_cache.py"
CONFIG = "faults/test_hosts_config.py"
PROCESS = "faults/test_hosts_process.py"
SYSTEM = "faults/test_hosts_system.py"
GUNICORN = "gunicorn gthread"

HOSTS = (
    Row(
        id="H1",
        fault="a cache directory that is full, read-only, missing, writable by others, a link, a file, on `noexec`",
        outcome="modules are compiled for the process; one line names a directory that is not trusted",
        tests=(
            *in_file(CACHE, "test_a_cache_directory_that_is_no_good", "test_a_cache_on_a_file_system_that_is_no_good"),
            *in_file("gateway/test_modules.py", "test_a_foreign_artefact_is_not_run"),
        ),
        reason="no NFS in a test; locks there are the kernel's, as on any file system",
        servers=GUNICORN,
    ),
    Row(
        id="H2",
        fault="compiled modules that are truncated, flipped, empty, swapped, of another version",
        outcome="found by each process that loads them, and made again aside",
        tests=in_file(CACHE, "test_damaged_artefacts_are_made_again"),
        servers=GUNICORN,
    ),
    Row(
        id="H3",
        fault="the cache is emptied while it is used",
        outcome="nothing happens to what is loaded; the rest is compiled again",
        tests=in_file(CACHE, "test_a_cache_that_is_emptied_while_it_is_used"),
        reason="compiled modules are mapped, so truncating one in place ends the processes that use it; "
        "the gateway only ever replaces them",
        servers=GUNICORN,
    ),
    Row(
        id="H4",
        fault="processes that start with an empty cache; the one that compiles is killed",
        outcome="one compiles, the others wait; the next takes over",
        tests=(
            *in_file(CACHE, "test_the_next_one_compiles_when_the_first_is_killed"),
            *in_file("gateway/test_modules.py", "test_one_compilation_for_many_processes"),
        ),
        servers="commands",
    ),
    Row(
        id="H5",
        fault="a module replaced in place, by rename, with its old time, half written, gone, a pipe, a device",
        outcome="the last good one serves until the next is ready; what is no file is named",
        tests=in_file(CACHE, "test_modules_that_change_while_they_are_served", "test_modules_that_are_no_files"),
        servers=GUNICORN,
    ),
    Row(
        id="H6",
        fault="a configuration that is broken, empty, binary, gone, a directory, a pipe, a bomb, 100 MB",
        outcome="at a reload the last good one serves; at the first start it ends with the place of the mistake",
        tests=in_file(CONFIG, "test_a_bad_file_at_a_reload", "test_a_bad_file_at_the_first_start"),
        servers=GUNICORN,
    ),
    Row(
        id="H7",
        fault="a broken configuration, and workers that are replaced by max_requests, SIGKILL and SIGHUP",
        outcome="new workers start with the last good configuration; gunicorn does not halt",
        tests=(
            *in_file(CONFIG, "test_workers_that_are_replaced_while_the_file_is_bad"),
            *in_file("servers/test_reload.py", "test_a_graceful_restart_of_apache_with_a_broken_file"),
        ),
    ),
    Row(
        id="H8",
        fault="a worker dies of SIGKILL, SIGSEGV or SIGABRT",
        outcome="requests on it are lost, no others; another takes its place; nothing stale is left",
        tests=in_file(PROCESS, "test_a_worker_that_dies"),
        reason="the kernel's killer of processes out of memory sends SIGKILL, so it is that case",
    ),
    Row(
        id="H9",
        fault="SIGTERM, SIGTERM twice and SIGQUIT while guests run, with a short and a long graceful_timeout",
        outcome="guests end within graceful_timeout or are cut; the server ends",
        tests=in_file(PROCESS, "test_a_stop_while_long_guests_run", "test_a_stop_lets_short_guests_end"),
        servers=GUNICORN,
    ),
    Row(
        id="H10",
        fault="the clock jumps by a day, forward and back",
        outcome="limits of time hold, as they go by a clock that does not jump",
        tests=in_file(SYSTEM, "test_the_clock_jumps"),
        reason="a suspended machine looks to a process as one that was stopped, see H8's neighbour SIGSTOP",
        servers=GUNICORN,
    ),
    Row(
        id="H11",
        fault="no descriptor is left, by idle connections and large bodies",
        outcome="what needs one fails alone; when there are some again, all is as before",
        tests=in_file(PROCESS, "test_descriptors_run_out"),
        servers=GUNICORN,
    ),
    Row(
        id="H12",
        fault="too little address space at the start, no more memory while it serves",
        outcome="503 with what to change, before the engine is made; later, requests that need memory fail, and a "
        "process that the engine ends for want of it is replaced",
        tests=in_file(
            PROCESS,
            "test_too_little_address_space",
            "test_address_space_for_a_small_pool",
            "test_memory_runs_out_while_it_serves",
        ),
        reason="overcommit_memory and max_map_count are of the whole machine, and memory.max needs a delegated cgroup",
        servers=GUNICORN,
    ),
    Row(
        id="H13",
        fault="no usable TMPDIR; the disk is full for a while",
        outcome="another directory, or 503 for large bodies; small ones never notice",
        tests=in_file(SYSTEM, "test_no_place_for_large_bodies", "test_the_disk_is_full_for_a_while"),
        servers=GUNICORN,
    ),
    Row(
        id="H14",
        fault="no HOME, a user without a name, no /proc, no memfd_create, a read-only cache",
        outcome="programs are served; what cannot be is said by name",
        tests=(
            *in_file(SYSTEM, "test_without_a_home_and_a_name", "test_without_memfd_create", "test_without_proc"),
            *in_file(CACHE, "test_a_cache_on_a_file_system_that_is_no_good"),
        ),
        servers=GUNICORN,
    ),
    Row(
        id="H15",
        fault="memory that is written may not be run (MemoryDenyWriteExecute, SELinux without execmem)",
        outcome="503, and the log says who forbids it",
        tests=in_file(SYSTEM, "test_memory_that_may_not_be_run"),
        reason="SELinux itself: no policy in a test; the call fails in the same way",
        servers=GUNICORN,
    ),
    Row(
        id="H16",
        fault="a fork while guests run, or after they have",
        outcome="the child makes an engine of its own, or refuses where Wasmtime's threads are missing",
        tests=(
            *in_file(PROCESS, "test_a_fork_while_a_guest_runs"),
            *in_file("gateway/test_modules.py", "test_a_fork_makes_its_own_engine"),
        ),
        servers="in one process",
    ),
    Row(
        id="H17",
        fault="KeyboardInterrupt, SystemExit and MemoryError in what a guest calls",
        outcome="none crosses Wasmtime; the guest is stopped, its slot is free, and the server gets the exception",
        tests=in_file(PROCESS, "test_exceptions_in_callbacks"),
        reason="one that another thread injects may come before the first line of a function that Wasmtime calls, "
        "which Python cannot catch; see the limits",
        servers="in one process, with and without the compiled part",
    ),
    Row(
        id="H18",
        fault="faulthandler has SIGSEGV",
        outcome="traps are traps, if it was enabled before the first guest ran",
        tests=in_file(PROCESS, "test_a_fault_handler_that_is_there_first"),
        reason="whoever takes SIGSEGV afterwards takes it from the engine, which has no way to take it back",
        servers="in one process",
    ),
    Row(
        id="H19",
        fault="mod_wsgi in a sub-interpreter",
        outcome="503, and the log names the directive",
        tests=in_file(SYSTEM, "test_a_sub_interpreter"),
        reason="Debian's mod_wsgi is built for a Python with one lock for all interpreters",
        servers="mod_wsgi daemon",
    ),
    Row(
        id="H20",
        fault="standard error is closed, a log handler raises",
        outcome="requests do not notice",
        tests=in_file(PROCESS, "test_without_standard_error", "test_a_log_handler_that_raises"),
        reason="a pipe that nobody reads blocks the server's own log as well",
        servers=GUNICORN,
    ),
    Row(
        id="H21",
        fault="the wrapped application raises, uses write(), returns what must be closed",
        outcome="passed through; close() is called once, by the server",
        tests=in_file(PROCESS, "test_the_wrapped_application_is_passed_through"),
        servers="in one process",
    ),
    Row(
        id="H22",
        fault="name service or a registry of modules is down",
        outcome="no request of a program needs the network",
        reason="there is no import from a registry; for hosts that a route names, see the tests of outbound requests",
        servers="",
    ),
    Row(
        id="H23",
        fault="5,000 routes, 10,000 files in a directory of scripts, which goes away",
        outcome="served; what is gone is 404 or 503",
        tests=in_file(PROCESS, "test_many_routes"),
        servers=GUNICORN,
    ),
    Row(
        id="H24",
        fault="another version of Wasmtime is installed, or one with known holes",
        outcome="refused before the first call into it; `check` names the advisories",
        tests=(
            *in_file(PROCESS, "test_another_version_of_the_engine"),
            *in_file("cli/test_cli_check.py", "test_advisories_go_by_version_and_features"),
        ),
        servers="in one process",
    ),
    Row(
        id="H25",
        fault="a declaration of a C function differs from the library's",
        outcome="the tests fail",
        tests=in_file("engine/test_declarations.py", "test_declaration_agrees_with_the_package", "test_struct_sizes"),
        servers="in one process",
    ),
)
