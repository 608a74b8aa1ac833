"""Texts to values. Each function takes the text of one scalar and returns its value, or raises
ValueError with what is wrong, worded to follow the quoted text: `'30' has no unit; write '30s'`.
"""

from __future__ import annotations

import re

from wsgi_wasm.cgi.names import BODY_HEADERS, HOP_BY_HOP_FIELDS, PROXY_HEADERS, dashed, is_refused, is_reserved
from wsgi_wasm.cgi.shebang import unversioned
from wsgi_wasm.messages import did_you_mean, quote

# For the JSON Schema too, so without anything that ECMA's expressions lack. `TOKEN` is RFC
# 9110 5.6.2.
DURATION = r"[0-9]{1,9}(?:\.[0-9]{1,6})?(?:ms|s|m|h)"
SIZE = r"[0-9]{1,15}(?:B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)"
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
NAME_PATTERN = r"[A-Za-z_*?][A-Za-z0-9_*?]*"
TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
METHOD = r"[A-Z0-9!#$%&'*+.^_`|~-]+"
CLEAN_PATH = r"/|(?:/[^/]+)+"
ROUTE_PATH = r"/|(?:/[^/?#]+)+"
FIELD_VALUE = r"[!-~](?:[ -~]{0,254}[!-~])?"
FILE_NAME = r"[^./][^/]*"
SUFFIX = r"\.[A-Za-z0-9_+-]+"
NAME_OF_INTERPRETER = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"
SCRIPTS = rf"{SUFFIX}|{NAME_OF_INTERPRETER}"
HOST = r"(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*|\[[0-9A-Fa-f:.]+\]"
HOST_PATH = r"[^~](?:.|\n)*"
SPIN_VARIABLE = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
_IMPORT = r"[a-zA-Z][a-zA-Z0-9:/@.+-]{0,255}"
COMPONENT_IMPORT = rf"{_IMPORT}(?:={_IMPORT})?"
LABEL = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
VARIABLE = r"[A-Za-z][A-Za-z0-9_.-]{0,127}"

# What a directory serves without an interpreter: modules as binary and as text.
MODULE_SUFFIXES = (".wasm", ".wat")

_LONGEST_PATH = 4095  # bytes: PATH_MAX of Linux, without the NUL
_DEEPEST_PATH = 100  # slashes; what a path leads through is compared with what others do

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_MEANT_UNITS = {"k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB"}


def duration(text: str) -> float:
    """Seconds: `500ms`, `1.5s`, `2m`, `1h`."""
    parts = re.fullmatch(r"([0-9.]+)([a-z]+)", text)
    if parts and re.fullmatch(DURATION, text):
        number, unit = parts.groups()
        # Thousandths go through division, so that 100ms is 0.1 to the last bit.
        return float(number) / 1000 if unit == "ms" else float(number) * _SECONDS[unit]
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", text):
        raise ValueError(f"has no unit; write '{text}s' for seconds, or one of ms, m, h")
    raise ValueError("is not a valid duration; write a number and ms, s, m or h, such as '30s'")


def size(text: str) -> int:
    """Bytes: `512B`, `64KiB`, `10MiB`, `1GiB`; `10MB` is 10 million."""
    parts = re.fullmatch(r"([0-9]+)([A-Za-z]+)", text)
    if parts and re.fullmatch(SIZE, text):
        number, unit = parts.groups()
        return int(number) * _BYTES[unit]
    near = re.fullmatch(r"([0-9]{1,15}) ?([A-Za-z]*)", text)
    if near and not near[2]:
        raise ValueError(f"has no unit; write '{near[1]}B' for bytes, or one of KiB, MiB, GiB")
    if near and (unit := _meant_unit(near[2])):
        raise ValueError(f"is not a valid size; did you mean '{near[1]}{unit}'?")
    raise ValueError("is not a valid size; write a whole number and B, KiB, MiB, GiB, kB, MB or GB, such as '10MiB'")


def _meant_unit(text: str) -> str | None:
    for unit in _BYTES:
        if unit.lower() in (text.lower(), text.lower() + "b"):
            return _MEANT_UNITS.get(text.lower(), unit)
    return _MEANT_UNITS.get(text.lower())


def integer(text: str) -> int:
    """A number in decimal digits; YAML's other spellings (`0777`, `1e3`, `1_000`,
    `0x10`) are refused."""
    if re.fullmatch(r"0|[1-9][0-9]{0,14}", text):
        return int(text)
    if re.fullmatch(r"0+[0-9]{1,15}", text):
        raise ValueError(f"is not a valid whole number; write {quote(str(int(text)))} (numbers are never octal)")
    raise ValueError("is not a valid whole number; write only decimal digits")


def flag(text: str) -> bool:
    """`true` or `false` and nothing else."""
    if text in ("true", "false"):
        return text == "true"
    meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    word = text.lower()
    meant_word = word if word in ("true", "false") else meant.get(word)
    raise ValueError(f"is neither true nor false; write {meant_word}" if meant_word else "is neither true nor false")


def choice(text: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`."""
    if text in allowed:
        return text
    raise ValueError(f"is not one of {', '.join(allowed)}{did_you_mean(text, allowed)}")


def clean_path(text: str) -> str:
    """An absolute path in one spelling: no empty, `.` or `..` segment, no slash at the end."""
    if not text.startswith("/"):
        raise ValueError(
            f"does not start with a slash; write {quote('/' + text)}" if text else "is empty; write '/' or '/name'"
        )
    segments = text[1:].split("/")
    if text != "/" and "" in segments:
        fixed = "/" + "/".join(segment for segment in segments if segment)
        raise ValueError(f"has an extra slash; write {quote(fixed)}")
    if "." in segments or ".." in segments:
        raise ValueError("has a '.' or '..' segment; write the path without it")
    return text


def route_path(text: str) -> str:
    """A path of requests, decoded: `/a b`, not `/a%20b`."""
    clean_path(text)
    if "?" in text or "#" in text:
        raise ValueError("contains '?' or '#'; a route is a path without query or fragment")
    if any(ord(char) < 0x20 or char == "\x7f" for char in text):
        raise ValueError("contains a control character")
    if re.search(r"%[0-9A-Fa-f]{2}", text):
        raise ValueError("is percent-encoded; write the decoded path, such as '/a b' for '/a%20b'")
    return text


def host_path(text: str) -> str:
    """A file or directory of the host, not yet joined to the directory that it is relative to."""
    if not text:
        raise ValueError("is empty; write '.' for this file's own directory")
    if text.startswith("~"):
        raise ValueError("starts with '~', which is not expanded; write the whole path, or '${HOME}/...'")
    if len(text.encode("utf-8", "surrogateescape")) > _LONGEST_PATH or text.count("/") > _DEEPEST_PATH:
        raise ValueError(f"is longer than {_LONGEST_PATH} bytes, or {_DEEPEST_PATH} directories deep")
    return text


def field_value(text: str) -> str:
    """The value of a response field, printable ASCII."""
    if not re.fullmatch(FIELD_VALUE, text):
        raise ValueError("is not a valid field value; write up to 256 printable characters, such as 'text/plain'")
    return text


def file_name(text: str) -> str:
    """A name without directories that may be served, which names with a leading dot may not."""
    if "/" in text or not text:
        raise ValueError("is not a valid file name; write a name without '/'")
    if text.startswith("."):
        raise ValueError("starts with a dot; such files are never served")
    return text


def scripts(text: str) -> str:
    """What tells a script of an interpreter: the end of its name in lower case, such as `.py`, or
    the name in its `#!` line without the version, such as `python`."""
    if re.fullmatch(SUFFIX, text):
        if text.lower() in MODULE_SUFFIXES:
            raise ValueError("runs without an interpreter")
        return text.lower()
    if re.fullmatch(SCRIPTS, text):
        return unversioned(text)
    if text.startswith("/") and re.fullmatch(SCRIPTS, text.rpartition("/")[2]):
        raise ValueError(f"is a path; write {quote(text.rpartition('/')[2])} for scripts whose '#!' line has that name")
    if re.fullmatch(SUFFIX, "." + text.lstrip("*.")):
        raise ValueError(f"is not a valid suffix; write {quote('.' + text.lstrip('*.'))}")
    raise ValueError(
        "is not a valid suffix; write a dot, letters and digits, such as '.py', or a name in '#!' lines, such as "
        "'python3'"
    )


def host_name(text: str) -> str:
    """A host name in lower case, `*.` and one, or an IPv6 address in brackets."""
    if re.fullmatch(HOST, text):
        return text.lower()
    if re.search(r":[0-9]*$", text) and not text.startswith("["):
        raise ValueError("has a port; remove it, because a host's routes serve all its ports")
    if not text.isascii():
        raise ValueError("is not ASCII; write the form that clients send, which starts with 'xn--'")
    if text == "*":
        raise ValueError("is not a valid host name; the routes at the top level serve all other hosts")
    raise ValueError("is not a valid host name; write 'shop.example', or '*.example' for every name below it")


def component_import(text: str) -> str:
    """What a component imports, see `component.plug`; `import=export` where the plug
    calls it otherwise."""
    if not re.fullmatch(COMPONENT_IMPORT, text):
        raise ValueError("is not a valid import; write an interface such as 'demo:api/greeter@1.0.0', or 'greeter'")
    return text


def label(text: str) -> str:
    """The name of a store or database."""
    if not re.fullmatch(LABEL, text):
        raise ValueError(
            "is not a valid label; use letters, digits, '_', '-' and '.', and start with a letter or digit"
        )
    return text


def guest_variable(text: str) -> str:
    """The name of a variable that a guest asks the host for; not one of its environment."""
    if not re.fullmatch(VARIABLE, text):
        raise ValueError("is not a valid name; use letters, digits, '_', '-' and '.', and start with a letter")
    return text


def method(text: str) -> str:
    """A request method (RFC 9110 9.1), which is case-sensitive; the registered
    ones are upper-case."""
    if is_refused(text):
        raise ValueError("is never given to a guest: it gets 405")
    if re.fullmatch(METHOD, text):
        return text
    if re.fullmatch(TOKEN, text):
        raise ValueError(f"is not upper-case; write {quote(text.upper())}")
    raise ValueError("is not a valid request method")


def variable(text: str) -> str:
    """The name of a variable that a guest's environment may get from the configuration."""
    if not re.fullmatch(NAME, text):
        raise ValueError("is not a valid variable name; use letters, digits and '_', and do not start with a digit")
    return text


def variable_pattern(text: str) -> str:
    """A variable's name, with `*` and `?` for `fnmatch`."""
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError("is not a valid variable name or pattern; use letters, digits, '_', '*' and '?'")
    # If even an unlikely name is reserved then the whole family is, and the pattern could never
    # pass anything.
    if is_reserved(text.replace("*", "qz9").replace("?", "q")):
        raise ValueError("is set by the request, never by 'pass_env'")
    return text


def request_header(text: str) -> str:
    """A request header's name."""
    _token(text)
    if text.upper().replace("-", "_") in PROXY_HEADERS:
        raise ValueError("would become HTTP_PROXY, which programs use as their proxy, so it is never passed")
    if text.upper().replace("-", "_") in BODY_HEADERS:
        raise ValueError("is always passed, as a separate variable")
    return text


def response_field(text: str) -> str:
    """A response field's name, as fields are judged by it: in lower case, with dashes."""
    _token(text)
    name = dashed(text)
    if name in HOP_BY_HOP_FIELDS or name in ("transfer-encoding", "content-length", "status"):
        raise ValueError("belongs to the connection, which only the server controls")
    return name


def _token(text: str) -> None:
    if not re.fullmatch(TOKEN, text):
        raise ValueError("is not a valid field name")


def script_argument(text: str) -> str:
    """An argument of an interpreter; `{script}` is its one placeholder."""
    for name in re.findall(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", text):
        if name != "script":
            raise ValueError(f"contains {quote('{' + name + '}')}; the only placeholder is '{{script}}'")
    return text


def spin_variable(text: str) -> str:
    """The name of a variable of a Spin application."""
    if not re.fullmatch(SPIN_VARIABLE, text):
        raise ValueError("is not a valid variable name; use lower-case letters, digits and single '_'")
    return text


def plain_text(text: str) -> str:
    """Any text, as written."""
    return text
