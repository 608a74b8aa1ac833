"""Names of interfaces, `namespace:package/interface@version`, and which versions stand for each other."""

from __future__ import annotations

import re
from typing import NamedTuple

# Versions 0.2.0 to 0.2.12 of WASI each contain the ones before; pre-releases (0.2.0-rc-...) do not.
_WASI_02 = re.compile(r"0\.2\.\d{1,4}")


class InterfaceName(NamedTuple):
    """A parsed name; `version` is "" where there is none, and `interface` where the name is a plain one."""

    package: str
    interface: str
    version: str

    @property
    def stem(self) -> str:
        """The name without its version."""
        return f"{self.package}/{self.interface}" if self.interface else self.package

    @property
    def is_wasi_02(self) -> bool:
        """Whether it is one of WASI 0.2's."""
        return self.package.startswith("wasi:") and _WASI_02.fullmatch(self.version) is not None

    @property
    def is_wasi_03(self) -> bool:
        """Whether it is one of WASI 0.3's, release candidates included."""
        return self.package.startswith("wasi:") and self.version.startswith("0.3.")


def parse(name: str) -> InterfaceName:
    """The parts of an import's or export's name."""
    whole, _, version = name.partition("@")
    package, _, interface = whole.partition("/")
    return InterfaceName(package, interface, version)
