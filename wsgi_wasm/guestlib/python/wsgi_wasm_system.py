"""Modules and functions of the operating system that this platform's Python lacks.

They can be imported, and have the constants that programs name. What the host offers is done; the
rest fails when it is called, as where a system refuses it.
"""

import errno
import hashlib
import os
import posix
import stat
import sys
import time
import types
from collections import namedtuple

import wsgi_wasm_host as host
from wsgi_wasm_host import refused, refusing
from wsgi_wasm_tls import ssl_module

NOBODY = 65534  # whom a script finds itself to be: there are no users here

# The numbers are Linux's.
CONSTANTS = {
    "fcntl": "LOCK_SH=1 LOCK_EX=2 LOCK_NB=4 LOCK_UN=8 F_DUPFD=0 F_GETFD=1 F_SETFD=2 F_GETFL=3 F_SETFL=4 F_GETLK=5 "
    "F_SETLK=6 F_SETLKW=7 F_RDLCK=0 F_WRLCK=1 F_UNLCK=2 FD_CLOEXEC=1 F_DUPFD_CLOEXEC=1030",
    "syslog": "LOG_EMERG=0 LOG_ALERT=1 LOG_CRIT=2 LOG_ERR=3 LOG_WARNING=4 LOG_NOTICE=5 LOG_INFO=6 LOG_DEBUG=7 "
    "LOG_KERN=0 LOG_USER=8 LOG_MAIL=16 LOG_DAEMON=24 LOG_AUTH=32 LOG_SYSLOG=40 LOG_LPR=48 LOG_NEWS=56 LOG_UUCP=64 "
    "LOG_CRON=72 LOG_AUTHPRIV=80 LOG_LOCAL0=128 LOG_LOCAL1=136 LOG_LOCAL2=144 LOG_LOCAL3=152 LOG_LOCAL4=160 "
    "LOG_LOCAL5=168 LOG_LOCAL6=176 LOG_LOCAL7=184 LOG_PID=1 LOG_CONS=2 LOG_ODELAY=4 LOG_NDELAY=8 LOG_NOWAIT=16 "
    "LOG_PERROR=32",
    "resource": "RLIMIT_CPU=0 RLIMIT_FSIZE=1 RLIMIT_DATA=2 RLIMIT_STACK=3 RLIMIT_CORE=4 RLIMIT_RSS=5 RLIMIT_NPROC=6 "
    "RLIMIT_NOFILE=7 RLIMIT_MEMLOCK=8 RLIMIT_AS=9 RUSAGE_SELF=0 RUSAGE_CHILDREN=-1 RUSAGE_THREAD=1",
}


def put_in_place() -> None:
    """All of them; before the rest of the library is imported, of which some look for them."""
    for make in (_pwd, _grp, _fcntl, _syslog, _resource, ssl_module):
        module = make()
        module.__spec__ = None
        sys.modules[module.__name__] = module
    _os()
    _hashlib()


def _module(name: str, text: str) -> types.ModuleType:
    module = types.ModuleType(name, text)
    for pair in CONSTANTS.get(name, "").split():
        key, _, number = pair.partition("=")
        setattr(module, key, int(number))
    return module


def _pwd() -> types.ModuleType:
    """A table without entries."""
    module = _module("pwd", "The table of users, which is empty.")

    def getpwnam(name):
        raise KeyError(f"getpwnam(): name not found: {name!r}")

    def getpwuid(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    module.getpwnam, module.getpwuid, module.getpwall = getpwnam, getpwuid, list
    module.struct_passwd = namedtuple("struct_passwd", "pw_name pw_passwd pw_uid pw_gid pw_gecos pw_dir pw_shell")
    return module


def _grp() -> types.ModuleType:
    module = _module("grp", "The table of groups, which is empty.")

    def getgrnam(name):
        raise KeyError(f"getgrnam(): name not found: {name!r}")

    def getgrgid(id):
        raise KeyError(f"getgrgid(): gid not found: {id}")

    module.getgrnam, module.getgrgid, module.getgrall = getgrnam, getgrgid, list
    module.struct_group = namedtuple("struct_group", "gr_name gr_passwd gr_gid gr_mem")
    return module


def _fcntl() -> types.ModuleType:
    module = _module("fcntl", "Locks and flags of descriptors.")

    def fcntl(fd, cmd, arg=0):
        if cmd in (module.F_GETFD, module.F_SETFD, module.F_GETFL, module.F_SETFL):
            return 0  # nothing is handed on to another program
        raise refused("fcntl.fcntl", errno.EINVAL)

    module.fcntl = fcntl
    module.ioctl = refusing("fcntl.ioctl", errno.ENOTTY)
    module.flock = refusing("fcntl.flock", errno.ENOLCK)
    module.lockf = refusing("fcntl.lockf", errno.ENOLCK)
    return module


def _syslog() -> types.ModuleType:
    """To the log, where standard error goes too."""
    module = _module("syslog", "The system's log.")
    told = {"ident": "", "facility": 8, "mask": 0xFF}

    def openlog(ident="", logoption=0, facility=8):
        told.update(ident=ident or os.path.basename(sys.argv[0] if sys.argv else ""), facility=facility)

    def syslog(priority, message=None):
        if message is None:
            priority, message = module.LOG_INFO, priority
        if told["mask"] & 1 << (priority & 7):
            prefix = f"{told['ident']}: " if told["ident"] else ""
            host.ask(host.SYSLOG, host.words("I", priority | told["facility"]) + f"{prefix}{message}".encode())

    def setlogmask(maskpri):
        before, told["mask"] = told["mask"], maskpri or told["mask"]
        return before

    module.openlog, module.syslog, module.setlogmask = openlog, syslog, setlogmask
    module.closelog = lambda: openlog("", 0, 8)
    module.LOG_MASK = lambda pri: 1 << pri
    module.LOG_UPTO = lambda pri: (1 << (pri + 1)) - 1
    return module


def _resource() -> types.ModuleType:
    module = _module("resource", "Limits, which the route sets, and what has been used.")
    names = (
        "ru_utime ru_stime ru_maxrss ru_ixrss ru_idrss ru_isrss ru_minflt ru_majflt ru_nswap ru_inblock ru_oublock "
        "ru_msgsnd ru_msgrcv ru_nsignals ru_nvcsw ru_nivcsw"
    )
    module.error, module.RLIM_INFINITY = OSError, -1
    module.struct_rusage = namedtuple("struct_rusage", names)
    module.getrusage = lambda who: module.struct_rusage(max(time.process_time(), 0.0), 0.0, *[0] * 14)
    module.getrlimit = lambda resource: (module.RLIM_INFINITY, module.RLIM_INFINITY)
    module.setrlimit = refusing("resource.setrlimit")
    module.getpagesize = lambda: 65536
    return module


def _os() -> None:
    """What programs ask and set about themselves."""
    mask = [0o022]

    def umask(new):
        before, mask[0] = mask[0], new & 0o777
        return before

    whole = os.write

    def write(fd, data, /):
        """Writes everything, as other systems do where nothing is in the way."""
        view = memoryview(data).cast("B")
        done = whole(fd, view)
        while done < len(view):
            done += whole(fd, view[done:])
        return done

    some = os.read

    def read(fd, length, /):
        """Reads as much of a file as is asked for; a call of the host gives no more than a part."""
        data = some(fd, length)
        if len(data) == length or not data or not stat.S_ISREG(os.fstat(fd).st_mode):
            return data
        parts = [data]
        left = length - len(data)
        while left and parts[-1]:
            parts.append(some(fd, left))
            left -= len(parts[-1])
        return b"".join(parts)

    made = {name: (lambda: NOBODY) for name in ("getuid", "geteuid", "getgid", "getegid")}
    made |= {"getgroups": list, "getppid": lambda: 1, "umask": umask, "read": read, "write": write}
    made["getlogin"] = refusing("os.getlogin", errno.ENXIO)
    # Not those for processes: whoever looks whether there is `os.fork` does without.
    for name in ("setuid", "seteuid", "setgid", "setegid", "setgroups", "chown", "lchown", "fchown", "chroot", "mkfifo",
                 "mknod"):  # fmt: skip
        made[name] = refusing(f"os.{name}")
    for name, function in made.items():
        if name in ("read", "write") or not hasattr(os, name):
            if isinstance(function, types.FunctionType):
                function.__name__ = function.__qualname__ = name
            setattr(os, name, function)
            setattr(posix, name, function)


def _hashlib() -> None:
    """Derived keys, which the host makes a hundred times faster."""

    def pbkdf2_hmac(hash_name, password, salt, iterations, dklen=None):
        """As hashlib has it, with OpenSSL."""
        if not isinstance(hash_name, str):
            raise TypeError("expected str for hash_name")
        size = hashlib.new(hash_name).digest_size if dklen is None else dklen
        if iterations < 1 or size < 1:
            raise ValueError("iterations and dklen must be greater than 0")
        request = host.words("III", iterations, size, len(bytes(password)))
        request += hash_name.encode() + b"\0" + bytes(password) + bytes(salt)
        try:
            return host.ask(host.PBKDF2, request)
        except OSError as error:
            raise _of_key(error, f"unsupported hash type {hash_name}") from None

    def scrypt(password, *, salt=None, maxmem=0, dklen=64, **cost):
        """As hashlib has it, with OpenSSL."""
        if salt is None or set(cost) != {"n", "r", "p"}:
            raise TypeError("salt, n, r and p are required")
        n, r, p = cost["n"], cost["r"], cost["p"]
        if n < 2 or n & n - 1:
            raise ValueError("n must be a power of 2.")
        request = host.words("QIIQII", n, r, p, maxmem, dklen, len(bytes(password))) + bytes(password) + bytes(salt)
        try:
            return host.ask(host.SCRYPT, request)
        except OSError as error:
            raise _of_key(error, "Invalid parameter combination for n, r, p, maxmem.") from None

    for function in (pbkdf2_hmac, scrypt):
        function.__module__ = "hashlib"
        function.__qualname__ = function.__name__
        setattr(hashlib, function.__name__, function)


def _of_key(error: OSError, wrong: str) -> Exception:
    return ValueError(wrong) if error.errno == errno.EINVAL else error
