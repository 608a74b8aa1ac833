"""What a program may import, and the errors that it is told."""

from __future__ import annotations

PREVIEW1 = "wasi_snapshot_preview1"
CHANNEL, CHANNEL_CALL = "wsgi_wasm_host_1", "call"
"""The module of the host's own that a program may import, and its one function: see `channel`."""

# errno, as far as it is answered here
SUCCESS, ACCES, AGAIN, BADF, BUSY, DEADLK, EXIST, FAULT, INTR, INVAL = 0, 2, 6, 8, 10, 16, 20, 21, 27, 28
IO, ISDIR, MFILE, MSGSIZE, NAMETOOLONG, NFILE, NOENT, NOLCK, NOSYS = 29, 31, 33, 35, 37, 41, 44, 46, 52
NOTDIR, NOTSUP, OVERFLOW, PERM, ROFS, SPIPE = 54, 58, 61, 63, 69, 70

# The functions of WASI preview 1 that the linker has. Listed, since Wasmtime names only the first
# import that it lacks.
PREVIEW1_FUNCTIONS = frozenset(
    """
    args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get fd_advise fd_allocate fd_close
    fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size
    fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek
    fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open
    path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise
    random_get sched_yield sock_accept sock_recv sock_send sock_shutdown
    """.split()  # noqa: SIM905
)
