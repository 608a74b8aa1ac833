"""Which system calls a process keeps: the table that `seccomp` makes its filters of, and
docs/security.md its page.

What stands under neither heading is answered with ENOSYS, as by a kernel that does not have the
call yet. So what future kernels bring is closed from the start, and C libraries, which live with
older kernels, go on with what they did before. That is why a list of what is allowed does not break
under another C library, while a list of what is refused would let through what nobody had heard of.

What is refused by name gets EPERM. Nothing is killed for a call, so that programs can say what
failed; only calls of another processor's or of the x32 convention, whose numbers mean something
else, end the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from wsgi_wasm.walls.roles import Role


@dataclass(frozen=True, slots=True)
class Calls:
    """System calls that belong together: what they do, and whether each role keeps them."""

    what: str
    names: str
    child: bool = True
    worker: bool = True

    def kept_by(self, role: Role) -> bool:
        return self.child if role is Role.CHILD else self.worker


@dataclass(frozen=True, slots=True)
class Check:
    """A call that depends on an argument, of which the low 32 bits count, and of those the bits of
    `mask`. With `only`, the call is kept if the result is one of `values`, else if it is none of
    them. `unless` is another argument and its value with which all this does not matter."""

    call: str
    argument: int
    values: tuple[int, ...]
    only: bool = True
    mask: int = 0xFFFFFFFF
    unless: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """What a process keeps beyond its role: connections of its own over TCP (for a child),
    programs (for a worker whose compiler is started by itself)."""

    role: Role
    connect: bool = False
    programs: bool = False


GROUPS = (
    # --- kept by both ---
    Calls(
        "use files, pipes and sockets that are open",
        "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range fstat "
        "dup dup2 dup3 fsync fdatasync sync_file_range ftruncate fallocate fadvise64 readahead sendfile "
        "copy_file_range fstatfs getdents getdents64 fchdir poll ppoll select pselect6 epoll_create epoll_create1 "
        "epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create "
        "timerfd_settime timerfd_gettime pipe pipe2 memfd_create recvfrom recvmsg recvmmsg shutdown getsockname "
        "getpeername setsockopt getsockopt fgetxattr flistxattr cachestat fchown",
    ),
    Calls(
        "open, make, move and remove files where Landlock allows it",
        "open openat openat2 creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat "
        "symlink symlinkat utimensat utime utimes futimesat",
    ),
    Calls(
        "look at the status of files, wherever they are",
        "stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat statfs getcwd chdir getxattr "
        "lgetxattr listxattr llistxattr getxattrat listxattrat umask",
    ),
    Calls(
        "use memory, also for compiled code",
        "mmap munmap mremap mprotect madvise msync mincore brk mlock mlock2 munlock mlockall munlockall membarrier "
        "pkey_alloc pkey_free pkey_mprotect mbind get_mempolicy set_mempolicy arch_prctl map_shadow_stack mseal",
    ),
    Calls(
        "run threads, wait, and end",
        "futex futex_wait futex_wake futex_waitv futex_requeue set_robust_list set_tid_address rseq sched_yield "
        "sched_getaffinity sched_getparam sched_getscheduler sched_getattr sched_get_priority_max "
        "sched_get_priority_min sched_rr_get_interval getcpu exit exit_group wait4 waitid restart_syscall nanosleep "
        "clock_nanosleep clock_gettime clock_getres gettimeofday time times timer_create timer_settime "
        "timer_gettime timer_getoverrun timer_delete getitimer setitimer alarm pause rt_sigaction rt_sigprocmask "
        "rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack uretprobe uprobe",
    ),
    Calls(
        "ask about itself and the system, and give up more",
        "getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgid getpgrp getsid "
        "getpriority getrlimit setrlimit getrusage uname sysinfo getrandom capget seccomp landlock_create_ruleset "
        "landlock_add_rule landlock_restrict_self",
    ),
    # Guests may. Whoever can read a file can lock it, but of the cache a child reads the code
    # alone, which nobody locks.
    Calls("lock files as a whole", "flock"),
    # --- kept by workers ---
    Calls("accept connections, and open pairs of sockets", "accept accept4 socketpair", child=False),
    Calls("listen for connections", "bind listen", child=False),
    Calls("make pipes with a name", "mknod mknodat", child=False),
    Calls(
        "change mode, owner and attributes of files by name, wherever they are",
        "chmod fchmodat fchmodat2 chown lchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr "
        "fremovexattr setxattrat removexattrat file_getattr file_setattr",
        child=False,
    ),
    Calls("watch files", "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch", child=False),
    Calls("write all files to disk", "sync syncfs", child=False),
    # --- refused to both ---
    Calls("start programs", "execve execveat", child=False, worker=False),
    Calls("make processes", "fork vfork", child=False, worker=False),
    Calls(
        "look into other processes, and control them",
        "ptrace process_vm_readv process_vm_writev kcmp pidfd_open pidfd_getfd pidfd_send_signal process_madvise "
        "process_mrelease get_robust_list migrate_pages move_pages rt_sigqueueinfo rt_tgsigqueueinfo tkill setpgid "
        "setsid setpriority ioprio_set sched_setparam sched_setscheduler sched_setattr perf_event_open lookup_dcookie",
        child=False,
        worker=False,
    ),
    Calls(
        "mount, and change roots and namespaces",
        "mount umount2 pivot_root chroot unshare setns open_tree open_tree_attr move_mount fsopen fsconfig fsmount "
        "fspick mount_setattr statmount listmount listns fanotify_init fanotify_mark open_by_handle_at "
        "name_to_handle_at",
        child=False,
        worker=False,
    ),
    Calls(
        "change user, group or capabilities",
        "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset personality",
        child=False,
        worker=False,
    ),
    Calls(
        "use parts of the kernel with a history of holes",
        "io_uring_setup io_uring_enter io_uring_register io_setup io_submit io_getevents io_pgetevents io_cancel "
        "io_destroy bpf userfaultfd keyctl add_key request_key modify_ldt vmsplice splice tee memfd_secret "
        "remap_file_pages",
        child=False,
        worker=False,
    ),
    Calls(
        "share memory and queues with other processes (System V, POSIX)",
        "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink "
        "mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
        child=False,
        worker=False,
    ),
    Calls(
        "administer the machine",
        "init_module finit_module delete_module create_module get_kernel_syms query_module kexec_load "
        "kexec_file_load reboot swapon swapoff settimeofday clock_settime clock_adjtime adjtimex sethostname "
        "setdomainname syslog acct quotactl quotactl_fd iopl ioperm nfsservctl vhangup uselib ustat sysfs _sysctl",
        child=False,
        worker=False,
    ),
    Calls(
        "change the size of files by name, which old kernels do not confine",
        "truncate",
        child=False,
        worker=False,
    ),
)

# asm-generic and linux headers
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_TYPE = 1, 2, 0xF
_IPPROTO_TCP, _IPPROTO_UDP = 6, 17
_MSG_FASTOPEN = 0x20000000
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000  # every kind of namespace that this call can make
_SIGNALS_OF_FILES = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX
_LEASES = (1024, 1026)  # F_SETLEASE, F_NOTIFY
_OWNERS_AND_TERMINALS = (0x5412, 0x541C, 0x540E, 0x5423, 0x8901, 0x8902)
# TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCSETD, FIOSETOWN, SIOCSPGRP
_PRCTL = (
    *(1, 2, 3),  # PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE
    *(15, 16, 0x53564D41),  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
    *(21, 22, 38, 39),  # PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS
    *(23, 29, 30, 41, 42),  # PR_CAPBSET_READ, timer slack, huge pages
    *(50, 51, 54, 55, 56, 61),  # aarch64: vectors, pointer keys, tagged addresses
)
_GROUP_OR_OTHERS_WRITE_OR_SETID = 0o6022


def checks(extent: Extent) -> Iterator[Check]:
    """The calls that depend on their arguments; several checks of one call must all hold."""
    me = os.getpid()
    child = extent.role is Role.CHILD
    if not extent.programs:
        yield Check("clone", 0, (_CLONE_THREAD,), mask=_CLONE_THREAD)
    yield Check("clone", 0, (0,), mask=_CLONE_NEW)
    yield Check("prctl", 0, _PRCTL)
    yield Check("ioctl", 1, _OWNERS_AND_TERMINALS, only=False)
    yield Check("fcntl", 1, (*_SIGNALS_OF_FILES, *_LEASES), only=False)
    for call in ("kill", "tgkill") if not extent.programs else ():
        # Who starts programs has to end them; which those are is not known here.
        yield Check(call, 0, (me,))
    for call in ("prlimit64", "sched_setaffinity"):
        yield Check(call, 0, (0, me))
    # A connection may begin with data instead of a call of `connect`, where Landlock looks.
    for call, argument in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
        yield Check(call, argument, (0,), mask=_MSG_FASTOPEN)
    if child:
        # A file of ours must not become one that others can change or that runs as us.
        yield Check("fchmod", 1, (0,), mask=_GROUP_OR_OTHERS_WRITE_OR_SETID)
    else:
        yield Check("socket", 0, (_AF_UNIX, _AF_INET, _AF_INET6))
        local = (0, _AF_UNIX)
        yield Check("socket", 1, (_SOCK_STREAM, _SOCK_DGRAM), mask=_SOCK_TYPE, unless=local)
        yield Check("socket", 2, (0, _IPPROTO_TCP, _IPPROTO_UDP), unless=local)
    if extent.connect and child:
        yield Check("socket", 0, (_AF_INET, _AF_INET6))
        yield Check("socket", 1, (_SOCK_STREAM,), mask=_SOCK_TYPE)
        # Landlock's ports are TCP's; others, such as MPTCP, would go past them.
        yield Check("socket", 2, (0, _IPPROTO_TCP))


@dataclass(frozen=True, slots=True)
class Checked:
    """Calls that depend on their arguments, and in words what each role keeps of them."""

    what: str
    names: str
    child: str = "yes"
    worker: str = "yes"


CHECKED = (
    Checked("make threads, but no processes and no namespaces", "clone"),
    Checked("send signals to itself alone", "kill tgkill"),
    Checked("ask about itself and lower its limits", "prctl prlimit64 sched_setaffinity"),
    Checked("control files and terminals, but not have signals sent by them, nor type into them", "fcntl ioctl"),
    Checked("send data, unless that begins a connection", "sendto sendmsg sendmmsg"),
    Checked("change the mode of open files", "fchmod", child="not to one that others can write to"),
    Checked(
        "open sockets", "socket", child="TCP, where it may connect to the gateway's port", worker="TCP, UDP and Unix"
    ),
    Checked("connect", "connect", child="only to that port"),
)


def kept(extent: Extent) -> set[str]:
    """The calls that are always allowed."""
    names = {name for group in GROUPS if group.kept_by(extent.role) for name in group.names.split()}
    if extent.role is Role.WORKER:
        names |= {"connect", "fchmod"}
    elif extent.connect:
        names.add("connect")
    if extent.programs:
        names |= {"execve", "execveat", "fork", "vfork", "setsid", "setpgid", "setpriority", "kill", "tgkill"}
    return names


def known() -> set[str]:
    """The calls that are allowed or refused by name."""
    return {name for one in (*GROUPS, *CHECKED) for name in one.names.split()}
