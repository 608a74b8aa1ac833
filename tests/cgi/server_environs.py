"""What WSGI servers put into an environ for one request: gunicorn 27, mod_wsgi 4.9 with mod_ssl, werkzeug 3.1."""

from __future__ import annotations

from typing import Any

GUNICORN: dict[str, Any] = {
    "wsgi.errors": object(),
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.input": object(),
    "wsgi.input_terminated": True,
    "wsgi.url_scheme": "http",
    "gunicorn.socket": object(),
    "SERVER_SOFTWARE": "gunicorn/27.0.1",
    "REQUEST_METHOD": "GET",
    "QUERY_STRING": "a=b&c=%2f",
    "RAW_URI": "/hello//x%20y?a=b&c=%2f",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "www.example:8000",
    "HTTP_USER_AGENT": "curl/8",
    "HTTP_ACCEPT": "*/*",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "40000",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "PATH_INFO": "/hello//x y",
    "SCRIPT_NAME": "",
}

MOD_WSGI: dict[str, Any] = {
    "wsgi.url_scheme": "https",
    "mod_wsgi.request_handler": "wsgi-script",
    "mod_wsgi.handler_script": "",
    "apache.version": (2, 4, 68),
    "HTTPS": "1",
    "SSL_TLS_SNI": "www.example",
    "SSL_CLIENT_CERT": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "REDIRECT_HANDLER": "cgi",
    "REDIRECT_STATUS": "404",
    "UNIQUE_ID": "abc",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REQUEST_METHOD": "GET",
    "QUERY_STRING": "",
    "REQUEST_URI": "//hello//x%20y",
    "SCRIPT_NAME": "/hello",
    "PATH_INFO": "/x y",
    "PATH_TRANSLATED": "/var/www/html/x y",
    "HTTP_HOST": "www.example",
    "SERVER_SIGNATURE": "",
    "SERVER_SOFTWARE": "Apache/2.4.68 (Debian)",
    "SERVER_NAME": "www.example",
    "SERVER_ADDR": "192.0.2.1",
    "SERVER_PORT": "443",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "40000",
    "REMOTE_USER": "ann",
    "AUTH_TYPE": "Basic",
    "DOCUMENT_ROOT": "/var/www/html",
    "REQUEST_SCHEME": "https",
    "CONTEXT_PREFIX": "",
    "CONTEXT_DOCUMENT_ROOT": "/var/www/html",
    "SERVER_ADMIN": "admin@www.example",
    "SCRIPT_FILENAME": "/var/www/hello.wsgi",
}

WERKZEUG: dict[str, Any] = {
    "wsgi.url_scheme": "http",
    "werkzeug.socket": object(),
    "SERVER_SOFTWARE": "Werkzeug/3.1.3",
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/hello",
    "QUERY_STRING": "",
    "REQUEST_URI": "http://www.example/hello",
    "RAW_URI": "http://www.example/hello",
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": 40000,
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "5000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "www.example",
}

SERVERS = {"gunicorn": GUNICORN, "mod_wsgi": MOD_WSGI, "werkzeug": WERKZEUG}

BARE = {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", "SERVER_NAME": "x", "SERVER_PORT": "80"}
