"""Systems without a home, a user's name, /proc, places to write to, a steady clock, or some call of the kernel."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from guests.build import native_compiler
from servers.apache import Apache, Site, include
from servers.client import get, request
from servers.fixtures import fragment_defines, scripts, server_environ
from servers.limits import own_mounts, starts
from servers.process import wait_for

from .hosts import gunicorn, is_compiled, limit, serves, site_of, unlimit

LARGE = b"x" * 3_000_000

NO_MEMFD = """
import ctypes, struct
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
number = {"x86_64": 319, "aarch64": 279}[__import__("os").uname().machine]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in (
    (0x20, 0, 0, 0),            # the number of the system call
    (0x15, 0, 1, number),       # memfd_create?
    (0x06, 0, 0, 0x00050001),   # EPERM
    (0x06, 0, 0, 0x7fff0000),   # anything else is allowed
)))
program = Program(4, ctypes.addressof(code))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, ctypes.byref(program), 0, 0) == 0, ctypes.get_errno()
"""

NO_EXEC_MEMORY = """
import ctypes
assert ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0) == 0, ctypes.get_errno()
"""


def test_without_a_home_and_a_name(tmp_path: Path) -> None:
    """H14: no HOME, and a user whom no file of passwords knows."""
    site_of(tmp_path)
    fault = "import os; [os.environ.pop(name, None) for name in ('HOME', 'USER', 'LOGNAME', 'XDG_CACHE_HOME')]"
    prefix = ["unshare", "--user", "--map-user=4242"]
    with gunicorn(tmp_path, fault=fault, prefix=prefix if starts(prefix) else []) as server:
        serves(server)
        assert "Traceback" not in server.log()


def test_without_memfd_create(tmp_path: Path) -> None:
    """H14: a sandbox of the service's forbids the call; what needs it does without, or says so."""
    site_of(tmp_path, "echo")
    with gunicorn(tmp_path, fault=NO_MEMFD) as server:
        serves(server)
        is_compiled(server, "/echo")
        assert request(server.address, "POST", "/echo", body=LARGE).status == 200


def test_without_proc(tmp_path: Path) -> None:
    """H14: an empty /proc; programs are served, and what cannot be is said by name."""
    site_of(tmp_path, "echo", "loop", keys={"timeout": "2s"})
    with gunicorn(tmp_path, prefix=own_mounts("mount -t tmpfs tmpfs /proc")) as server:
        wait_for("an answer", lambda: get(server.address, "/hello").status in (200, 503))
        serves(server)
        is_compiled(server, "/loop")
        assert get(server.address, "/loop").status == 504


def without_execution(tmp_path: Path) -> bool:
    """Whether this kernel can refuse memory that is written and run."""
    program = f"{NO_EXEC_MEMORY}"
    return subprocess.run(["python3", "-c", program], capture_output=True, check=False).returncode == 0


def test_memory_that_may_not_be_run(tmp_path: Path) -> None:
    """H15: as by systemd's MemoryDenyWriteExecute. What cannot be made executable is named, and nothing ends."""
    site_of(tmp_path)
    fault = NO_EXEC_MEMORY if without_execution(tmp_path) else ""
    with gunicorn(tmp_path, fault=fault) as server:
        before = server.pids()
        for _ in range(3):
            assert get(server.address, "/hello").status in (200, 503)
        assert server.pids() == before
        if get(server.address, "/hello").status == 503:
            assert "MemoryDenyWriteExecute" in server.log()


SPOOLS: Mapping[str, str] = {
    "missing": "/nowhere/at/all",
    "file": "/dev/null",
    "empty-name": "",
}


@pytest.mark.parametrize("kind", SPOOLS)
def test_no_place_for_large_bodies(kind: str, tmp_path: Path) -> None:
    """H13: another directory is used, or large bodies are 503; small ones never notice."""
    site_of(tmp_path, "echo")
    with gunicorn(tmp_path, env={"TMPDIR": SPOOLS[kind]}) as server:
        is_compiled(server, "/echo")
        assert request(server.address, "POST", "/echo", body=b"small").status == 200
        assert request(server.address, "POST", "/echo", body=LARGE).status in (200, 503)
        assert request(server.address, "POST", "/echo", body=b"small").status == 200
        assert "Traceback" not in server.log()


def test_the_disk_is_full_for_a_while(tmp_path: Path) -> None:
    """H13: a body that cannot be stored is 503; when there is room again, everything is as before."""
    site_of(tmp_path, "echo")
    with gunicorn(tmp_path) as server:
        is_compiled(server, "/echo")
        before = server.pids()
        limit(server, resource.RLIMIT_FSIZE, 1 << 20)
        for _ in range(3):
            assert request(server.address, "POST", "/echo", body=LARGE).status in (200, 503)
            assert request(server.address, "POST", "/echo", body=b"small").status == 200
        unlimit(server, resource.RLIMIT_FSIZE)
        assert request(server.address, "POST", "/echo", body=LARGE).status == 200
        assert server.pids() == before
        assert "Traceback" not in server.log()


def test_a_guest_fills_its_directory(tmp_path: Path) -> None:
    """G16: the guest is told, and nobody else notices: cache, bodies and logs lie elsewhere."""
    data = tmp_path / "data"
    data.mkdir()
    site_of(tmp_path, "files", "echo", keys={"dirs": {"/data": {"path": "data", "writable": True}}})
    prefix = own_mounts('mount -t tmpfs -o size=64k,nr_inodes=200 tmpfs "$0"', data)
    with gunicorn(tmp_path, prefix=prefix) as server:
        is_compiled(server, "/files?op=stat&path=/data", "/echo")
        if not prefix:
            limit(server, resource.RLIMIT_FSIZE, 64 << 10)
        many = get(server.address, "/files?op=many&path=/data&n=1000")
        assert many.status == 200
        assert ("many E" in many.text) == bool(prefix)
        assert get(server.address, "/files?op=truncate&path=/data/0&size=1000000000000").status == 200
        assert request(server.address, "POST", "/echo", body=b"x" * 900_000).status == 200
        serves(server)


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <time.h>
static long long ahead(void)
{
    struct stat is;
    const char *file = getenv("FAULT_CLOCK");
    return file && stat(file, &is) == 0 ? (is.st_size == 1 ? 86400 : -86400) : 0;
}
int clock_gettime(clockid_t id, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        now->tv_sec += ahead();
    return result;
}
time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec is;
    clock_gettime(CLOCK_REALTIME, &is);
    now->tv_sec = is.tv_sec;
    now->tv_usec = is.tv_nsec / 1000;
    return 0;
}
"""


def test_the_clock_jumps(tmp_path: Path) -> None:
    """H10: a day ahead, and a day back: limits of time go by a clock that does not."""
    (tmp_path / "clock.c").write_text(CLOCK)
    library = tmp_path / "clock.so"
    subprocess.run([native_compiler(), "-shared", "-fPIC", "-o", library, tmp_path / "clock.c", "-ldl"], check=True)
    site_of(tmp_path, "loop", "sleep", keys={"timeout": "2s"})
    moved = tmp_path / "moved"
    with gunicorn(tmp_path, env={"LD_PRELOAD": str(library), "FAULT_CLOCK": str(moved)}) as server:
        is_compiled(server, "/sleep?seconds=0", "/loop")
        for jump in (b"+", b"--"):
            moved.write_bytes(jump)
            assert get(server.address, "/sleep?seconds=1").status == 200
            assert get(server.address, "/loop").status == 504
            serves(server)


def apache(place: Path, old: str, new: str) -> Apache:
    """One daemon for `place/site.yaml`, by the installed fragments with something in them replaced."""
    share = scripts(place)
    texts = {path: path.read_text("utf-8") for path in (share / "wsgi-wasm.conf", share / "wsgi-wasm-site.conf")}
    assert any(old in text for text in texts.values())
    for path, text in texts.items():
        path.write_text(text.replace(old, new))
    return Apache.start(
        Site(
            text=include(share / "wsgi-wasm.conf"),
            scripts=share,
            daemons=1,
            defines={**fragment_defines(), "WSGI_WASM_PATH": "/", "WSGI_WASM_PROCESSES": "1"},
        ),
        place,
        env={"WSGI_WASM_CONFIG": str(place / "site.yaml"), **server_environ("mod_wsgi-daemon", place, None, None)},
    )


def test_a_sub_interpreter(open_tmp: Path) -> None:
    """H19: without application-group=%{GLOBAL} nothing runs, and the log names the directive."""
    site_of(open_tmp)
    with apache(open_tmp, "application-group=%{GLOBAL}", "") as server:
        assert get(server.address, "/hello").status == 503
        assert "application-group=%{GLOBAL}" in server.log()


def test_a_small_stack_under_apache(open_tmp: Path) -> None:
    """G8: mod_wsgi's stack-size of 512 KiB, which its documentation suggests for small machines."""
    site_of(open_tmp, "recurse_calls")
    with apache(open_tmp, "queue-timeout=45", "stack-size=524288 queue-timeout=45") as server:
        before = server.pids()
        for _ in range(3):
            assert get(server.address, "/recurse_calls").status == 503
        server.wait_for_log("KiB of stack")
        assert server.pids() == before
