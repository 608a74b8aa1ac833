"""What a program needs of the system, and what becomes of that in a sandbox.

A need is told from what a program names: functions, modules, paths. A name is no proof that it is
ever used, and a program can hide what it does, so each need carries the place where it was seen,
for a person to look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

MOST_NEEDS = 40  # of one program

KINDS: Mapping[str, tuple[str, bool]] = {
    "programs": ("starts other programs", True),
    "commands": ("starts programs of the server", False),
    "mail": ("sends mail by sendmail", False),
    "mailer": ("sends mail otherwise than by sendmail", True),
    "sockets": ("opens network connections", True),
    "database": ("talks to a database server", True),
    "threads": ("starts threads", True),
    "locks": ("locks files", True),
    "loading": ("loads native libraries", True),
    "users": ("looks up users or changes its own", True),
    "signals": ("uses signals or alarms", True),
    "terminal": ("uses terminals, devices or shared memory", True),
    "module": ("imports a module that does not run in a sandbox", True),
    "import": ("imports a module that is not beside it", False),
    "python2": ("is written for Python 2", False),
    "sqlite": ("opens SQLite databases", False),
    "writes": ("writes files", False),
    "reads": ("reads files of the server", False),
}
"""Every kind of need: what it means, and whether a guest cannot have it."""


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """`what` was seen: a function, a module, a path. `where` is a line or a file, "" in
    binaries."""

    kind: str
    what: str
    where: str = ""

    @property
    def blocks(self) -> bool:
        """Whether a program in a sandbox has to do without it."""
        return KINDS[self.kind][1]

    @property
    def about(self) -> str:
        """In words."""
        return KINDS[self.kind][0]


def by_name(**kinds: str) -> dict[str, str]:
    """The kind of need of each name, from the names of each kind with spaces between."""
    return {name: kind for kind, names in kinds.items() for name in names.split()}


C_FUNCTIONS = by_name(
    programs="""fork vfork execl execle execlp execv execve execvp execvpe fexecve posix_spawn posix_spawnp
        wordexp""",
    commands="system popen",
    sockets="""socket connect bind listen accept accept4 getaddrinfo gethostbyname gethostbyname_r gethostbyaddr
        socketpair sendto recvfrom res_query __res_query SSL_connect curl_easy_perform""",
    threads="pthread_create thrd_create clone",
    locks="dotlock maillock",  # flock, fcntl and lockf are there
    loading="dlopen",
    users="""getpwnam getpwnam_r getpwuid getpwuid_r getgrnam getgrgid getspnam setuid setgid seteuid setegid setreuid
        setresuid initgroups setgroups chroot getlogin crypt crypt_r""",
    signals="sigaction sigprocmask alarm setitimer timer_create sigsuspend",
    terminal="openpty forkpty tcsetattr shmget shm_open semget msgget ptrace",
    database="""mysql_real_connect mysql_init PQconnectdb PQsetdbLogin SQLConnect OCIEnvCreate db_create dbopen
        gdbm_open""",
    sqlite="sqlite3_open sqlite3_open_v2",
    writes="""mkdir rename unlink rmdir truncate ftruncate chmod chown symlink link mkstemp mkstemp64 tmpfile
        tmpfile64""",
)

LIBRARIES = {
    "libmysqlclient": "database",
    "libmariadb": "database",
    "libpq": "database",
    "libodbc": "database",
    "libdb": "database",
    "libgdbm": "database",
    "libldap": "sockets",
    "libcurl": "sockets",
    "libssl": "sockets",
    "libsqlite3": "sqlite",
    "libperl": "loading",
    "libpython": "loading",
}

SENDMAIL = r"(?:/usr)?/(?:s?bin|lib)/sendmail\b|\bsendmail -\w"
OTHER_MAILERS = r"(?:/usr)?/(?:s?bin|lib)/(?:mailx?|exim4?|msmtp|qmail-inject)\b"
MAILERS = re.compile(f"{SENDMAIL}|{OTHER_MAILERS}")
PATHS = re.compile(r"/(?:var|etc|home|srv|opt|tmp|usr/local|mnt|data|www)/[\w.+@%/-]*\w")


def mail_program(name: str) -> Need:
    """The need of a program that sends mail: a route can grant sendmail alone."""
    return Need("mail" if "sendmail" in name else "mailer", name)


def of_functions(names: Iterable[str]) -> Iterator[Need]:
    """Needs of a native program, by the functions that it is linked with."""
    for name in sorted(names):
        if name in C_FUNCTIONS:
            yield Need(C_FUNCTIONS[name], name)


def of_libraries(libraries: Iterable[str]) -> Iterator[Need]:
    """The same by shared libraries (`libpq.so.5`)."""
    for library in libraries:
        kind = LIBRARIES.get(re.split(r"[-.\d]", library)[0])
        if kind is not None:
            yield Need(kind, library)


def of_texts(texts: Iterable[str]) -> Iterator[Need]:
    """The same by its constant texts: mail programs and paths."""
    for text in sorted(texts):
        if found := MAILERS.search(text):
            yield mail_program(found[0])
        elif found := PATHS.search(text):
            yield Need("reads", found[0])


def at_most(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Each need once, those that block first, at most `MOST_NEEDS`."""
    seen: dict[tuple[str, str], Need] = {}
    for need in needs:
        seen.setdefault((need.kind, need.what), need)
    for kind, what in list(seen):
        if kind == "writes":
            seen.pop(("reads", what), None)
    order = list(KINDS)
    return tuple(sorted(seen.values(), key=lambda need: order.index(need.kind))[:MOST_NEEDS])


def line_at(text: str, position: int) -> str:
    """The line of a text in which a position is, as a place of a need."""
    return f"line {text.count(chr(10), 0, position) + 1}"
