"""What sources and scripts need, by what they name: line by line, with expressions that take time
in proportion to the text, whoever wrote it. Python has a module of its own (`python_needs.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from wsgi_wasm.migration.needs import (
    C_FUNCTIONS,
    MAILERS,
    OTHER_MAILERS,
    SENDMAIL,
    Need,
    line_at,
    mail_program,
    of_functions,
)

# Comments and texts of C, unclosed ones up to the end, so that nothing is looked at twice.
_C = re.compile(
    r"""(?P<comment>/\*[^*]*(?:\*(?!/)[^*]*)*(?:\*/)?|//[^\n]*)|"(?P<text>(?:[^"\\\n]|\\.)*)"?|'(?:[^'\\\n]|\\.)*'?""",
    re.DOTALL,
)
_CALL = re.compile(r"\b([A-Za-z_]\w{2,40})[ \t]{0,8}\(")
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"\n]{1,100})", re.M)
_C_WRITES = re.compile(r'\bf(?:re)?open(?:64)?[ \t]*\([ \t]*("[^"\n]{1,200}"|[^,\n"]{1,100}),[ \t]*"(?:[wa]|r[bt]?\+)')
_C_READS = re.compile(r'\b(?:f?open(?:64)?)[ \t]*\([ \t]*"(/[^"\n]{1,200})"')
_C_OPEN = re.compile(
    r'\bopen(?:64)?[ \t]*\([ \t]*("[^"\n]{1,200}"|[^,\n"]{1,100}),[^;\n]{0,100}O_(?:WRONLY|RDWR|CREAT)'
)

_HEADERS = {
    "mysql": "database",
    "libpq-fe.h": "database",
    "sql.h": "database",
    "gdbm.h": "database",
    "ndbm.h": "database",
    "db.h": "database",
    "curl/": "sockets",
    "sys/socket.h": "sockets",
    "netdb.h": "sockets",
    "pthread.h": "threads",
    "sqlite3.h": "sqlite",
    "dlfcn.h": "loading",
    "pwd.h": "users",
    "sys/wait.h": "commands",
}

_Rules = Sequence[tuple[str, "re.Pattern[str]"]]


def _rules(**kinds: str) -> _Rules:
    return [(kind, re.compile(pattern)) for kind, pattern in kinds.items()]


# A group says what was seen, else the whole match does.
_RULES: Mapping[str, _Rules] = {
    "Perl": _rules(
        mail=f"({SENDMAIL})",
        mailer=rf"({OTHER_MAILERS})|\b(Net::SMTP|Mail::\w+|MIME::Lite|Email::Sender\w*)\b",
        database=r"\b(DBI|DBD::\w+|Mysql|Pg|DB_File|GDBM_File|NDBM_File)\b(?=\s*;|\s*->|\s+qw|\s+['\"])",
        programs=r"(?<![\w$@%>:-])(exec|fork)\b(?!\s*=>)|\b(IPC::Open[23])\b",
        commands=r"(?<![\w$@%>:-])(system|qx)\b(?!\s*=>)|=\s*(`)[^`\n]+`|\b(open)\b[^;\n]{1,100}['\"]\s*-?\|"
        r"|\b(open)\b[^;\n]{1,100}\|\s*['\"]",
        sockets=r"\b(IO::Socket\w*|Socket|LWP\S*|HTTP::Tiny|Net::(?!SMTP)\w+|WWW::\w+)\b(?=\s*;|\s*->|\s+qw|\s+['\"])",
        locks=r"(?<![\w$@%>:-])(flock|lockf)\b",
        threads=r"\buse\s+(threads)\b",
        users=r"(?<![\w$@%>:-])(getpw\w+|getgr\w+|crypt)\s*\(",
        signals=r"(\$SIG\{\s*['\"]?(?!__)\w+)|(?<![\w$@%>:-])(alarm|kill)\b\s*[\w(]",
        loading=r"\b(DynaLoader|XSLoader|Inline|GD|Image::Magick)\b(?=\s*;|\s*->|\s+qw)",
        writes=r"\bopen\b[^;\n]{1,60}['\"]\s*\+?>{1,2}[^&'\"\n]{0,5}['\"]?\s*,?\s*(['\"]?[$/\w.]{1,100})",
        sqlite=r"\b(DBD::SQLite|dbi:SQLite)\b",
    ),
    "shell": _rules(
        mail=rf"({MAILERS.pattern})|(?:^|[|;&]\s*)(mailx?|mutt)\s",
        sockets=r"(?:^|[|;&(`]\s*)(curl|wget|nc|ssh|scp|rsync|ftp|telnet)\s",
        database=r"(?:^|[|;&(`]\s*)(mysql|psql|sqlite3|isql)\s",
        locks=r"(?:^|[|;&(`]\s*)(flock|lockfile|dotlockfile)\s",
        users=r"(?:^|[|;&(`]\s*)(sudo|su|id|getent)\s",
        writes=r">{1,2}\s*([\"']?[$/\w.{}]{2,100})",
    ),
    "PHP": _rules(
        mail=r"\b(mail)\s*\(",
        programs=r"\b(shell_exec|exec|system|passthru|proc_open|popen)\s*\(",
        database=r"\b(mysqli?_connect|mysqli|PDO|pg_connect|mssql_connect)\b",
        sockets=r"\b(curl_init|fsockopen|stream_socket_client)\s*\(",
        locks=r"\b(flock)\s*\(",
    ),
    "Ruby": _rules(
        mail=rf"({MAILERS.pattern})|\b(Net::SMTP)\b",
        programs=r"(?<![\w.:])(system|exec|fork|spawn)\b\s*[(\"']|\b(IO\.popen|Open3)\b",
        database=r"\b(Mysql2?|PG)(?=::|\.)",
        sockets=r"\b(Net::HTTP|TCPSocket|open-uri)\b",
        locks=r"\.(flock)\b",
        threads=r"\b(Thread\.new)\b",
    ),
}
_HASH = re.compile(r"(?:^|(?<=\s))#(?!!).*")
_HANDED_ON = re.compile(r"\s*eval\s+['\"]exec\s")  # by which a shell hands a Perl script to perl
_LINE = 2000  # characters of a line that are looked at


def of_text(language: str, text: str) -> Iterator[Need]:
    """The needs of a script or a source in one of the languages that this module knows; none for
    others."""
    if language in ("C", "C++"):
        yield from _of_c(text)
        return
    rules = _RULES.get(language, ())
    pod = False
    for number, line in enumerate(text.split("\n"), 1):
        if language == "Perl" and re.match(r"=[a-z]", line):
            pod = not line.startswith("=cut")
            continue
        if pod:
            continue
        if _HANDED_ON.match(line):
            continue
        line = _HASH.sub("", line[:_LINE])
        if line.strip() in ("__END__", "__DATA__"):
            return
        for kind, pattern in rules:
            if found := pattern.search(line):
                what = next((group for group in found.groups() if group), found[0])
                yield Need(kind, what.strip().strip("\"'"), f"line {number}")


def _of_c(text: str) -> Iterator[Need]:
    code = _C.sub(_blanked, text)
    for found in _INCLUDE.finditer(text):
        for header, kind in _HEADERS.items():
            if found[1].startswith(header):
                yield Need(kind, f"<{found[1]}>", line_at(text, found.start()))
    called: dict[str, int] = {}
    for found in _CALL.finditer(code):
        if found[1] in C_FUNCTIONS:
            called.setdefault(found[1], found.start())
    for need in of_functions(called):
        yield Need(need.kind, need.what, line_at(code, called[need.what]))
    plain = _C.sub(lambda one: " " if one["comment"] else one[0], text)
    for kind, pattern in (("writes", _C_WRITES), ("writes", _C_OPEN), ("reads", _C_READS)):
        for found in pattern.finditer(plain):
            yield Need(kind, found[1].strip().strip('"'))
    for found in MAILERS.finditer(plain):
        yield mail_program(found[0])


def _blanked(found: re.Match[str]) -> str:
    """Comments and texts without their content, with their lines."""
    return "\n" * found[0].count("\n") or '""'
