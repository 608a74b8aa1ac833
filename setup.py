"""The one part of the package that is compiled; everything else about it is in setup.cfg.

A plain shared library that Python calls through ctypes, so it needs a C compiler and no headers of Python. It is
optional: without a compiler the package is installed without it, and works.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "wsgi_wasm.engine.capi._native",
            ["wsgi_wasm/engine/capi/native.c", "wsgi_wasm/engine/capi/native_component.c"],
            depends=["wsgi_wasm/engine/capi/native.h"],
            extra_compile_args=["-O2"],
            optional=True,
            py_limited_api=True,
        )
    ]
)
