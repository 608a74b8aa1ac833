"""What a hostile process would try, each as a function: run in a process of its own, `python -m walls.attempts`, which
reads from standard input what walls to put up and what to try, and says what came of each.

An attempt returns nothing where it succeeds. It may use whatever the test tells it in `World`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsgi_wasm.syscalls import call, numbers
from wsgi_wasm.walls import PathRule, ResourceLimits, Rights, Role, Walls, landlock, seccomp, user_of
from wsgi_wasm.walls.walls import missing


@dataclass(frozen=True)
class World:
    """What there is to be attacked: directories with a file `secret` or `file` each, a process and a descriptor in it,
    ports that are listened on, and sockets."""

    outside: str
    readable: str
    writable: str
    pid: int
    descriptor: int
    port: int
    other_port: int
    abstract: str
    unix: str


@dataclass(frozen=True)
class Order:
    """Walls and attempts, as JSON holds them. `role` is empty for no walls at all; `without` names what this kernel
    shall seem to lack; `threads` are started beforehand."""

    role: str
    attempts: list[str]
    world: World
    ports: list[int] | None = None
    without: tuple[str, ...] = ()
    user: str = ""
    file_size: int | None = None
    keep: list[int] | None = None
    empty_environment: bool = False
    programs: bool = False
    threads: int = 0

    def as_json(self) -> str:
        return json.dumps(asdict(self))


Attempt = Callable[[World], object]
ATTEMPTS: dict[str, Attempt] = {}


def attempt(function: Attempt) -> Attempt:
    ATTEMPTS[function.__name__] = function
    return function


_libc = ctypes.CDLL(None, use_errno=True)


# --- files ---


@attempt
def read_outside(world: World) -> None:
    Path(world.outside, "secret").read_bytes()


@attempt
def write_outside(world: World) -> None:
    Path(world.outside, "new").write_bytes(b"x")


@attempt
def list_outside(world: World) -> None:
    os.listdir(world.outside)


@attempt
def read_by_dots(world: World) -> None:
    Path(world.readable, "..", "outside", "secret").read_bytes()


@attempt
def read_by_link(world: World) -> None:
    Path(world.readable, "link").read_bytes()


@attempt
def read_by_new_link(world: World) -> None:
    link = Path(world.writable, f"link-{os.getpid()}")
    link.symlink_to(world.outside)
    (link / "secret").read_bytes()


@attempt
def read_by_root_of_process(world: World) -> None:
    Path("/proc/self/root", world.outside.lstrip("/"), "secret").read_bytes()


@attempt
def read_by_directory_of_process(world: World) -> None:
    os.chdir("/")
    Path("/proc/self/cwd", world.outside.lstrip("/"), "secret").read_bytes()


@attempt
def read_by_root_of_other_process(world: World) -> None:
    Path(f"/proc/{world.pid}/root", world.outside.lstrip("/"), "secret").read_bytes()


@attempt
def read_by_directory_descriptor(world: World) -> None:
    """A directory may be opened as a place without rights; what is in it may not."""
    place = os.open(world.outside, os.O_PATH)
    os.close(os.open("secret", os.O_RDONLY, dir_fd=place))


@attempt
def read_by_place_descriptor(world: World) -> None:
    place = os.open(str(Path(world.outside, "secret")), os.O_PATH)
    Path(f"/proc/self/fd/{place}").read_bytes()


@attempt
def read_by_hard_link(world: World) -> None:
    link = Path(world.writable, f"hard-{os.getpid()}")
    link.hardlink_to(Path(world.outside, "secret"))
    link.read_bytes()


@attempt
def move_out(world: World) -> None:
    file = Path(world.writable, f"moved-{os.getpid()}")
    file.write_bytes(b"x")
    file.rename(Path(world.outside, "moved"))


@attempt
def move_in(world: World) -> None:
    file = Path(world.outside, "moveable")
    file.rename(Path(world.writable, f"moved-{os.getpid()}")).rename(file)


@attempt
def remove_outside(world: World) -> None:
    Path(world.outside, "removable").unlink()


@attempt
def truncate_by_name(world: World) -> None:
    os.truncate(Path(world.outside, "emptied"), 0)


@attempt
def change_mode_by_name(world: World) -> None:
    os.chmod(Path(world.outside, "secret"), 0o644)


@attempt
def change_owner_by_name(world: World) -> None:
    os.chown(Path(world.outside, "secret"), os.getuid(), -1)


@attempt
def set_attribute_by_name(world: World) -> None:
    os.setxattr(Path(world.outside, "secret"), "user.x", b"x")


@attempt
def open_mode_to_all(world: World) -> None:
    with Path(world.writable, "file").open("rb") as file:
        os.fchmod(file.fileno(), 0o666)


@attempt
def open_by_handle(world: World) -> None:
    """name_to_handle_at(2): needs no permission on the way to the file."""
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.c_uint32.from_buffer(handle).value = 128
    mount = ctypes.c_uint32(0)
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY) if not walled else os.open(world.readable, os.O_RDONLY)
    path = ctypes.create_string_buffer(os.fsencode(Path(world.outside, "secret")))
    call("name_to_handle_at", -100, path, handle, mount, 0)
    os.close(call("open_by_handle_at", here, handle, os.O_RDONLY))


@attempt
def lock_readable(world: World) -> None:
    with Path(world.readable, "file").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


@attempt
def read_readable(world: World) -> None:
    Path(world.readable, "file").read_bytes()


@attempt
def write_readable(world: World) -> None:
    with Path(world.readable, "file").open("ab") as file:
        file.write(b"x")


@attempt
def make_in_readable(world: World) -> None:
    Path(world.readable, f"new-{os.getpid()}").touch()


@attempt
def write_writable(world: World) -> None:
    own = Path(world.writable, f"own-{os.getpid()}")
    own.mkdir()
    (own / "a").write_bytes(b"x")
    (own / "a").rename(Path(world.writable, f"renamed-{os.getpid()}"))
    with Path(world.writable, f"renamed-{os.getpid()}").open("r+b") as file:
        file.truncate(0)
    own.rmdir()


@attempt
def make_device(world: World) -> None:
    os.mknod(Path(world.writable, f"device-{os.getpid()}"), 0o20666, os.makedev(1, 3))


@attempt
def make_pipe(world: World) -> None:
    os.mkfifo(Path(world.writable, f"pipe-{os.getpid()}"))


@attempt
def mount(world: World) -> None:
    path, kind = (ctypes.create_string_buffer(os.fsencode(text)) for text in (world.writable, "tmpfs"))
    call("mount", kind, path, kind, 0, None)
    call("umount2", path, 0)


@attempt
def change_root(world: World) -> None:
    os.chroot(world.readable)


@attempt
def run_in_writable(world: World) -> None:
    program = Path(world.writable, f"program-{os.getpid()}")
    program.write_bytes(b"#!/bin/sh\n")
    program.chmod(0o700)
    os.execv(program, ["program"])


# --- programs and processes ---


@attempt
def run_program(world: World) -> None:
    if (pid := os.fork()) == 0:
        try:
            os.execv("/bin/true", ["true"])
        except OSError as error:
            os._exit(error.errno or 0)
    _, status = os.waitpid(pid, 0)
    if status:
        raise OSError(os.waitstatus_to_exitcode(status), "")


@attempt
def replace_program(world: World) -> None:
    """The last attempt, as nothing comes back where it succeeds."""
    os.execv("/bin/true", ["true"])


@attempt
def run_from_memory(world: World) -> None:
    memory = os.memfd_create("program")
    os.write(memory, Path("/bin/true").read_bytes() if not walled else b"\x7fELF")
    os.execve(memory, ["true"], {})


@attempt
def spawn_program(world: World) -> None:
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


@attempt
def make_process(world: World) -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@attempt
def make_process_by_clone3(world: World) -> None:
    """clone3(2) takes its flags in memory, where no filter can look."""
    arguments = (ctypes.c_uint64 * 11)()
    arguments[4] = signal.SIGCHLD
    pid = call("clone3", arguments, ctypes.sizeof(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@attempt
def make_user_namespace(world: World) -> None:
    call("unshare", 0x10000000)


@attempt
def clone_user_namespace(world: World) -> None:
    pid = call("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


@attempt
def enter_namespace(world: World) -> None:
    place = os.open("/proc/self/ns/net", os.O_RDONLY)
    call("setns", place, 0)


@attempt
def start_thread(world: World) -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


@attempt
def trace(world: World) -> None:
    call("ptrace", 0x4206, world.pid, 0, 0)  # PTRACE_SEIZE


@attempt
def read_memory(world: World) -> None:
    buffer = ctypes.create_string_buffer(8)
    own = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
    call("process_vm_readv", world.pid, own, 1, own, 1, 0)


@attempt
def open_memory(world: World) -> None:
    os.close(os.open(f"/proc/{world.pid}/mem", os.O_RDWR))


@attempt
def read_environment(world: World) -> None:
    Path(f"/proc/{world.pid}/environ").read_bytes()


@attempt
def open_own_memory(world: World) -> None:
    os.close(os.open("/proc/self/mem", os.O_RDWR))


@attempt
def take_descriptor(world: World) -> None:
    other = call("pidfd_open", world.pid, 0)
    os.close(call("pidfd_getfd", other, world.descriptor, 0))


@attempt
def take_descriptor_by_name(world: World) -> None:
    os.close(os.open(f"/proc/{world.pid}/fd/{world.descriptor}", os.O_RDONLY))


@attempt
def compare_processes(world: World) -> None:
    call("kcmp", os.getpid(), world.pid, 1, 0, 0)


@attempt
def signal_other(world: World) -> None:
    os.kill(world.pid, signal.SIGCONT)


@attempt
def signal_other_thread(world: World) -> None:
    call("tgkill", world.pid, world.pid, signal.SIGCONT)


@attempt
def signal_other_by_tkill(world: World) -> None:
    call("tkill", world.pid, signal.SIGCONT)


@attempt
def signal_all(world: World) -> None:
    os.kill(-1, 0)


@attempt
def signal_group(world: World) -> None:
    os.kill(0, 0)


@attempt
def queue_signal(world: World) -> None:
    information = (ctypes.c_int * 32)(signal.SIGCONT, 0, -1)
    call("rt_sigqueueinfo", world.pid, int(signal.SIGCONT), information)


@attempt
def signal_by_pidfd(world: World) -> None:
    call("pidfd_send_signal", call("pidfd_open", world.pid, 0), int(signal.SIGCONT), None, 0)


@attempt
def signal_by_descriptor(world: World) -> None:
    """A file of another's that tells of news by signals."""
    reading, _ = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, world.pid)


@attempt
def signal_by_ioctl(world: World) -> None:
    one, _ = socket.socketpair() if not walled else (sys.stdin, None)
    fcntl.ioctl(one.fileno(), 0x8901, (ctypes.c_int * 1)(world.pid))


@attempt
def signal_itself(world: World) -> None:
    os.kill(os.getpid(), signal.SIGCONT)
    signal.pthread_kill(threading.get_ident(), signal.SIGCONT)


@attempt
def limit_other(world: World) -> None:
    resource.prlimit(world.pid, resource.RLIMIT_CORE, resource.prlimit(world.pid, resource.RLIMIT_CORE))


@attempt
def limit_itself(world: World) -> None:
    resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))


@attempt
def slow_other(world: World) -> None:
    os.sched_setaffinity(world.pid, os.sched_getaffinity(world.pid))


@attempt
def slow_other_by_priority(world: World) -> None:
    os.setpriority(os.PRIO_PROCESS, world.pid, os.getpriority(os.PRIO_PROCESS, world.pid))


@attempt
def be_dumpable(world: World) -> None:
    call("prctl", 4, 1, 0, 0, 0)


@attempt
def keep_capabilities(world: World) -> None:
    call("prctl", 8, 1, 0, 0, 0)


@attempt
def become_root(world: World) -> None:
    os.setresuid(0, 0, 0)


@attempt
def take_capabilities(world: World) -> None:
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    call("capget", header, sets)
    call("capset", header, sets)


@attempt
def leave_session(world: World) -> None:
    os.setpgid(0, 0)


# --- sockets ---


def connected(kind: int, protocol: int, address: Any, family: int = socket.AF_INET) -> None:
    with socket.socket(family, kind, protocol) as made:
        made.connect(address)


@attempt
def connect(world: World) -> None:
    connected(socket.SOCK_STREAM, 0, ("127.0.0.1", world.port))


@attempt
def connect_elsewhere(world: World) -> None:
    connected(socket.SOCK_STREAM, 0, ("127.0.0.1", world.other_port))


@attempt
def connect_by_mptcp(world: World) -> None:
    connected(socket.SOCK_STREAM, 262, ("127.0.0.1", world.other_port))


@attempt
def connect_by_fast_open(world: World) -> None:
    with socket.socket() as made:
        made.sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.1", world.other_port))


@attempt
def connect_by_fast_open_message(world: World) -> None:
    with socket.socket() as made:
        made.sendmsg([b"x"], [], socket.MSG_FASTOPEN, ("127.0.0.1", world.other_port))


@attempt
def send_datagram(world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", ("127.0.0.1", world.port))


@attempt
def connect_unix(world: World) -> None:
    connected(socket.SOCK_STREAM, 0, world.unix, socket.AF_UNIX)


@attempt
def connect_abstract(world: World) -> None:
    connected(socket.SOCK_STREAM, 0, "\0" + world.abstract, socket.AF_UNIX)


@attempt
def listen(world: World) -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()


@attempt
def make_pair(world: World) -> None:
    for one in socket.socketpair():
        one.close()


@attempt
def open_raw(world: World) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


@attempt
def open_packet(world: World) -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


@attempt
def open_netlink(world: World) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


@attempt
def open_vsock(world: World) -> None:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()


@attempt
def open_crypto(world: World) -> None:
    socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).close()


# --- the kernel ---


@attempt
def set_up_io_uring(world: World) -> None:
    os.close(call("io_uring_setup", 1, (ctypes.c_uint32 * 30)()))


@attempt
def set_up_aio(world: World) -> None:
    call("io_setup", 1, (ctypes.c_uint64 * 1)())


@attempt
def load_bpf(world: World) -> None:
    attributes = (ctypes.c_uint32 * 32)(2, 4, 4, 1)  # a map
    os.close(call("bpf", 0, attributes, 128))


@attempt
def handle_page_faults(world: World) -> None:
    os.close(call("userfaultfd", 1))


@attempt
def count_events(world: World) -> None:
    attributes = (ctypes.c_uint32 * 32)(1, 128)
    os.close(call("perf_event_open", attributes, 0, -1, -1, 0))


@attempt
def use_keys(world: World) -> None:
    call("keyctl", 0, -3, 1)  # KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING


@attempt
def share_memory(world: World) -> None:
    call("shmctl", call("shmget", 0, 4096, 0o600), 0, None)


@attempt
def change_personality(world: World) -> None:
    call("personality", 0xFFFFFFFF)


@attempt
def set_clock(world: World) -> None:
    call("settimeofday", None, None)


@attempt
def type_into_terminal(world: World) -> None:
    _, terminal = os.openpty() if not walled else (0, 0)
    fcntl.ioctl(terminal, 0x5412, b"x")


@attempt
def allocate_memory_file(world: World) -> None:
    with open(os.memfd_create("memory"), "r+b") as file:
        file.truncate(1 << 16)
        mmap.mmap(file.fileno(), 1 << 16, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


@attempt
def make_code(world: World) -> None:
    memory = mmap.mmap(-1, 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    call("mprotect", address, 4096, mmap.PROT_READ | mmap.PROT_EXEC)
    call("mprotect", address, 4096, mmap.PROT_READ | mmap.PROT_WRITE)


@attempt
def use_devices(world: World) -> None:
    Path("/dev/null").write_bytes(b"x")
    with open("/dev/urandom", "rb") as file:
        file.read(8)


@attempt
def call_from_the_future(world: World) -> None:
    if _libc.syscall(ctypes.c_long(1000), 0) < 0:
        raise OSError(ctypes.get_errno(), "")


@attempt
def call_by_x32(world: World) -> None:
    if _libc.syscall(ctypes.c_long(0x40000000 + numbers("x86_64")["getpid"])) < 0:
        raise OSError(ctypes.get_errno(), "")


@attempt
def call_by_i386(world: World) -> None:
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000cd80c3"))  # getpid by interrupt 0x80
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()


@attempt
def grow_file(world: World) -> None:
    with Path(world.writable, f"grown-{os.getpid()}").open("wb") as file:
        file.write(bytes(1 << 20))


@attempt
def use_descriptor(world: World) -> None:
    os.fstat(world.descriptor)


@attempt
def see_environment(world: World) -> None:
    """Fails as if there were none where there is none."""
    text = Path("/proc/self/environ").read_bytes().strip(b"\0") + b"".join(os.environb.keys())
    if not text:
        raise OSError(errno.ENODATA, "")


# --- the process ---

walled = False


def rules(world: World) -> tuple[PathRule, ...]:
    """Python itself, and what the world says."""
    own = [Path(path) for path in (sys.prefix, sys.base_prefix, "/usr/lib", "/lib", *sys.path) if path]
    return (
        *(PathRule(path, Rights.READ) for path in (*own, Path(world.readable), Path("/proc/self"))),
        PathRule(Path(world.writable), Rights.WRITE),
        PathRule(Path("/dev/null"), Rights.WRITE),
        PathRule(Path("/dev/urandom"), Rights.READ),
        PathRule(Path(world.outside) / "absent", Rights.WRITE),
    )


def put_up(order: Order) -> dict[str, list[str]]:
    """Walls as ordered; what `apply` said."""
    global walled
    if "landlock" in order.without:
        landlock.abi = lambda: 0  # type: ignore[assignment]
    elif versions := [int(name[8:]) for name in order.without if name.startswith("landlock")]:
        landlock.abi = lambda: versions[0]  # type: ignore[assignment]
    if "seccomp" in order.without:
        seccomp.missing = lambda: ["seccomp"]
    missing.cache_clear()
    stay = threading.Event()
    for _ in range(order.threads):
        threading.Thread(target=stay.wait, daemon=True).start()
    walls = Walls(
        role=Role(order.role),
        paths=rules(order.world),
        ports=None if order.ports is None else tuple(order.ports),
        programs=order.programs,
        user=user_of(order.user) if order.user else None,
        limits=ResourceLimits(file_size=order.file_size),
        keep=None if order.keep is None else frozenset(order.keep),
        empty_environment=order.empty_environment,
    )
    applied = walls.apply()
    walled = True
    return {"absent": [str(path) for path in applied.absent], "lacking": list(applied.lacking)}


def tried(function: Attempt, world: World) -> str:
    try:
        function(world)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    except RuntimeError as error:  # a thread that cannot start
        return str(error)
    return "done"


def main() -> None:
    given = json.load(sys.stdin)
    order = Order(**{**given, "world": World(**given["world"])})
    said = put_up(order) if order.role else {}
    print(json.dumps(said), flush=True)
    for name in order.attempts:
        print(json.dumps([name, tried(ATTEMPTS[name], order.world)]), flush=True)


if __name__ == "__main__":
    main()
