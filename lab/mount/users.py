"""Users of the host as callers of the file system, each with its user, group and groups."""

from collections import OrderedDict
from typing import Final

from kernels import System
from kernels.system import User
from servers.filesystem import FileSystem

_KEPT: Final = 64
"""Callers without open files that are kept for their next request."""

Credentials = tuple[int, int, tuple[int, ...]]


class Asker:
    """One user, group and set of groups, with the files that it has open.

    Attributes:
        files: the file system, called by this user.
        opens: how many files of it are open.
    """

    def __init__(self, user: User) -> None:
        self.files: Final = user[FileSystem]
        self.files.umask(0)  # the host's kernel has applied the caller's
        self.opens = 0
        self._user = user

    def leave(self) -> None:
        """No more requests."""
        self._user.close()


class Users:
    """Callers by their credentials.

    Args:
        system: where they call.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._askers: OrderedDict[Credentials, Asker] = OrderedDict()

    def __call__(self, uid: int, gid: int, groups: tuple[int, ...]) -> Asker:
        """Who has these credentials."""
        key = uid, gid, groups
        asker = self._askers.get(key)
        if asker is None:
            self._make_room()
            asker = self._askers[key] = Asker(self._system.user(uid, gid, groups))
        else:
            self._askers.move_to_end(key)
        return asker

    def _make_room(self) -> None:
        if len(self._askers) < _KEPT:
            return
        for key, asker in self._askers.items():
            if not asker.opens:
                asker.leave()
                del self._askers[key]
                return


def groups_of(pid: int) -> tuple[int, ...]:
    """The supplementary groups of a process; none if it is gone, or in another pid namespace."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith(b"Groups:"):
                    return tuple(map(int, line.split()[1:]))
    except OSError:
        pass
    return ()
