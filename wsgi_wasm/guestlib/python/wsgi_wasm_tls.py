"""The module `ssl`: classes and constants, without connections that could use them."""

import enum
import errno
import types

from wsgi_wasm_host import refusing


class SSLError(OSError):
    """As ssl.SSLError."""

    library = reason = None


class SSLCertVerificationError(SSLError, ValueError):
    """As ssl.SSLCertVerificationError."""


class VerifyMode(enum.IntEnum):
    """As ssl.VerifyMode."""

    CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = range(3)


class TLSVersion(enum.IntEnum):
    """As ssl.TLSVersion."""

    MINIMUM_SUPPORTED, SSLv3, TLSv1, TLSv1_1, TLSv1_2, TLSv1_3, MAXIMUM_SUPPORTED = -2, 768, 769, 770, 771, 772, -1


class Purpose(enum.Enum):
    """As ssl.Purpose."""

    SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"


class SSLContext:
    """Holds settings."""

    post_handshake_auth = sni_callback = keylog_filename = None

    def __init__(self, protocol=None, *_arguments, **_named):
        self.protocol, self.options, self.verify_flags, self.check_hostname = protocol, 0, 0, False
        self.verify_mode, self.minimum_version, self.maximum_version = VerifyMode.CERT_NONE, None, None

    def __getattr__(self, name):
        if name.startswith(("load_", "set_")):
            return lambda *_arguments, **_named: None
        if name.startswith("wrap_"):
            return refusing(f"ssl.SSLContext.{name}", errno.ENETUNREACH)
        raise AttributeError(f"'SSLContext' object has no attribute {name!r}", name=name, obj=self)


_ERRORS = ("SSLZeroReturnError", "SSLWantReadError", "SSLWantWriteError", "SSLSyscallError", "SSLEOFError")
_CLASSES = (SSLError, SSLCertVerificationError, VerifyMode, TLSVersion, Purpose, SSLContext)


def ssl_module() -> types.ModuleType:
    """The module."""
    module = types.ModuleType("ssl", "TLS, for which there are no connections here.")
    made = [type(name, (SSLError,), {}) for name in _ERRORS]
    made += [type(name, (), {}) for name in ("SSLSocket", "SSLObject", "MemoryBIO")]
    for one in (*_CLASSES, *made):
        one.__module__ = "ssl"
        setattr(module, one.__name__, one)
    module.CertificateError, module.socket_error = SSLCertVerificationError, OSError
    module.CERT_NONE, module.CERT_OPTIONAL, module.CERT_REQUIRED = VerifyMode
    module.OPENSSL_VERSION, module.OPENSSL_VERSION_INFO, module.OPENSSL_VERSION_NUMBER = "none", (0, 0, 0, 0, 0), 0
    module.create_default_context = lambda *_arguments, **_named: SSLContext()
    module._create_default_https_context = module._create_unverified_context = module.create_default_context
    module.get_default_verify_paths = refusing("ssl.get_default_verify_paths", errno.ENOSYS)
    module.get_server_certificate = refusing("ssl.get_server_certificate", errno.ENETUNREACH)

    def constant(name):
        """Programs name many of them, and do nothing else with them."""
        if name.startswith("HAS_"):
            return False
        if name.startswith(("OP_", "PROTOCOL_", "VERIFY_", "ALERT_", "SSL_ERROR_")):
            return 0
        raise AttributeError(f"module 'ssl' has no attribute {name!r}", name=name, obj=module)

    module.__getattr__ = constant
    return module
