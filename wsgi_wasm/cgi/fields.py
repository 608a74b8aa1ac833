"""A request as a component that handles HTTP takes it: under the rules of the meta-variables, in
its own form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from wsgi_wasm.cgi import names
from wsgi_wasm.cgi.metavars import MetaVariables, as_bytes, current_uri, encode, request_uri
from wsgi_wasm.cgi.redirects import redirect_status
from wsgi_wasm.cgi.target import server_port

_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_PLAIN = re.compile(r"[\x21-\x7e]*")


class RequestFields(MetaVariables):
    """The header fields that pass are those that a CGI program would find in its environment,
    in lower case."""

    def of_request(
        self,
        environ: Mapping[str, Any],
        *,
        script_name: str,
        path_info: str,
        content_length: int | None,
        streamed_body: bool,
        host_is_field: bool = False,
    ) -> tuple[list[bytes], list[bytes]]:
        """Method, target, scheme, authority, then name and value of each field; and the variables
        of the route.

        The engine takes text: each byte goes as one character, and the adapter makes bytes of them
        again. Arguments are those of `build`. In wasi:http `Host` is the authority and no field,
        which `host_is_field` changes. Raises BadRequest, as `build`.
        """
        get = environ.get
        host = get("HTTP_HOST")
        target = request_uri(environ, script_name, path_info)
        if "REDIRECT_STATUS" in environ:
            target = _redirected(target, environ, script_name, path_info)
        authority = host or f"{get('SERVER_NAME') or ''}:{server_port(environ)}"
        parts = [
            get("REQUEST_METHOD", "GET"),
            _printable(target),
            get("wsgi.url_scheme") or "http",
            _printable(authority),
        ]
        suspect = parts[1] is not target or parts[3] is not authority or "\0" in path_info
        if host and host_is_field:
            parts += "host", host
        if content_length is not None:
            parts += "content-length", str(content_length)
        if (content_length is not None or streamed_body) and get("CONTENT_TYPE"):
            parts += "content-type", environ["CONTENT_TYPE"]
        parts += self._passed_fields(environ)
        text = "\0".join(parts)
        if suspect or text.count("\0") >= len(parts) or "\n" in text or "\r" in text:
            # What no program is given is refused here too, in the same words.
            self.build(
                environ,
                script_name=script_name,
                path_info=path_info,
                request_id="",
                content_length=content_length,
                streamed_body=streamed_body,
            )
        return _arguments(parts, text), self._own(environ)

    def _passed_fields(self, environ: Mapping[str, Any]) -> Iterable[str]:
        fields = self._prefixes.fields
        passed = [(name, value) for key, value in environ.items() if (name := fields[key]) and isinstance(value, str)]
        dropped = self._connection_options(environ)
        if dropped:
            passed = [(name, value) for name, value in passed if name.upper().replace("-", "_") not in dropped]
        return chain.from_iterable(passed)

    def _own(self, environ: Mapping[str, Any]) -> list[bytes]:
        redirected = "REDIRECT_STATUS" in environ
        if not self._passes_variables and not redirected:
            return self._env
        passed = [one for one in self._passed(environ) if not names.is_reserved(one.partition("=")[0])]
        if redirected:
            passed.append("REDIRECT_STATUS=" + redirect_status(environ))
        return encode(passed) + self._env if passed else self._env


def _redirected(target: str, environ: Mapping[str, Any], script_name: str, path_info: str) -> str:
    """The target after a redirect within the server. A program learns it from `SCRIPT_NAME` and
    `PATH_INFO`, a component from the target alone."""
    path, _, query = target.partition("?")
    same = unquote_to_bytes(as_bytes(path)) == as_bytes(script_name + path_info)
    if same and query == (environ.get("QUERY_STRING") or ""):
        return target
    return current_uri(environ, script_name, path_info)


def _arguments(parts: Sequence[str], text: str) -> list[bytes]:
    if text.isascii():
        return text.encode().split(b"\0")
    return [as_bytes(part).decode("latin-1").encode() for part in parts]


def _printable(value: str) -> str:
    """What stands in a request's target, as URIs are: other bytes than
    printable ASCII percent-encoded."""
    return value if _PLAIN.fullmatch(value) else quote(as_bytes(value), safe=_ASCII)
