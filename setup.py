"""The one part of the package that is compiled; everything else about it is in setup.cfg.

A plain shared library that Python calls through ctypes: it needs a C compiler and no headers of
Python, and one wheel serves every Python 3 on this platform. It is optional: without a compiler the
package is installed without it, and works.
"""

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

LIBRARY = "wsgi_wasm.engine.capi._native"


class BuildLibrary(build_ext):
    """Gives it the name of a library, not that of a module for one Python."""

    def get_ext_filename(self, fullname: str) -> str:
        return f"{fullname.replace('.', '/')}.so"


class WheelForAnyPython(bdist_wheel):
    """Tags the wheel by what is in it: a library for this platform, or nothing that is compiled."""

    def get_tag(self) -> tuple[str, str, str]:
        platform = super().get_tag()[2]
        has_library = Path(self.bdist_dir or "", *LIBRARY.split(".")).with_suffix(".so").exists()
        return "py3", "none", platform if has_library else "any"


setup(
    cmdclass={"build_ext": BuildLibrary, "bdist_wheel": WheelForAnyPython},
    ext_modules=[
        Extension(
            LIBRARY,
            ["wsgi_wasm/engine/capi/native.c", "wsgi_wasm/engine/capi/native_component.c"],
            depends=["wsgi_wasm/engine/capi/native.h"],
            extra_compile_args=["-O2"],
            optional=True,
        )
    ],
)
