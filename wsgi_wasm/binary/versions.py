"""Names of interfaces, `namespace:package/interface@version`, and which versions stand
for each other."""

from __future__ import annotations

import re
from typing import NamedTuple

# Versions 0.2.0 to 0.2.12 of WASI each contain the ones before; pre-releases (0.2.0-rc-...) do not.
_WASI_02 = re.compile(r"0\.2\.[0-9]+")
# Numbers of a release are of 64 bits at most, as every toolchain has them.
_RELEASE = re.compile(r"([0-9]{1,20})\.([0-9]{1,20})\.([0-9]{1,20})")


class InterfaceName(NamedTuple):
    """A parsed name; `version` is "" where there is none, and `interface` where the name is
    a plain one."""

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
    def is_draft(self) -> bool:
        """Whether it is a release candidate of WASI 0.2's."""
        return self.package.startswith("wasi:") and self.version.startswith("0.2.0-")

    @property
    def is_wasi_03(self) -> bool:
        """Whether it is one of WASI 0.3's, release candidates included."""
        return self.package.startswith("wasi:") and self.version.startswith("0.3.")


def parse(name: str) -> InterfaceName:
    """The parts of an import's or export's name."""
    whole, _, version = name.partition("@")
    package, _, interface = whole.partition("/")
    return InterfaceName(package, interface, version)


def compatible(wanted: str, there: str) -> bool:
    """Whether an interface named `there` stands for one named `wanted`: the same, or a later one
    that contains it.

    Semantic Versioning: versions of one major number, and of 0.x those of one minor number, add
    to each other.
    """
    one, other = parse(wanted), parse(there)
    if one.stem != other.stem:
        return False
    if one.version == other.version:
        return True
    older, newer = _numbers(one.version), _numbers(other.version)
    if older is None or newer is None or newer < older:
        return False
    return older[0] == newer[0] and (older[0] > 0 or (older[1] == newer[1] and older[1] > 0))


def _numbers(version: str) -> tuple[int, ...] | None:
    """The three numbers of a release; None for a pre-release, which stands for
    nothing but itself."""
    found = _RELEASE.fullmatch(version)
    return None if found is None else tuple(map(int, found.groups()))
