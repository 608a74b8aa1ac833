"""Another user, for good (setresuid(2))."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from wsgi_wasm.errors import WallError
from wsgi_wasm.messages import quote


@dataclass(frozen=True, slots=True)
class User:
    """Who a process becomes: the numbers of the user and of its groups, looked up beforehand."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    def switch(self) -> None:
        """Become this user in every thread, and make sure that there is no way back. Raises
        WallError."""
        try:
            os.setgroups(self.groups)
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
        except OSError as error:
            raise WallError(f"cannot run as user {quote(self.name)}: {error.strerror}") from None
        self._verify()

    def _verify(self) -> None:
        now = (os.getresuid(), os.getresgid(), sorted(os.getgroups()))
        if now != ((self.uid,) * 3, (self.gid,) * 3, sorted(set(self.groups))):
            raise WallError(f"user {quote(self.name)} was not taken on: the process runs as {now}")
        for way_back in (os.setuid, os.seteuid, os.setgid):
            try:
                way_back(0)
            except OSError:
                continue
            raise WallError(f"the process runs as user {quote(self.name)}, but can become root again")


def user_of(name: str, *, by_root: bool = False) -> User:
    """The user of this name, with the groups that the system gives it. Raises WallError: there is
    none, or it is root, or this process may not become another. With `by_root` it is asked for
    another process, which is root's."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise WallError(f"there is no user {quote(name)}") from None
    if entry.pw_uid == 0 or entry.pw_gid == 0:
        raise WallError(f"user {quote(name)} is root, or of root's group")
    if os.geteuid() != 0 and not by_root:
        raise WallError(f"only a server that root starts can run as user {quote(name)}")
    groups = tuple(sorted(set(os.getgrouplist(name, entry.pw_gid))))
    return User(name, entry.pw_uid, entry.pw_gid, groups)
