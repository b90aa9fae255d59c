"""Operations that read directories."""

import errno
from bisect import bisect_left
from stat import S_IFDIR
from typing import Final

from servers.filesystem.inode import Inode
from servers.filesystem.permission import READ, require
from servers.filesystem.results import DirEntry
from servers.filesystem.state import State, name_of
from twinos import Caller, fail, op

_AT_ONCE: Final = 1024


class ListingOperations(State):
    """Operations that read directories. None of them tells of `.` and `..`."""

    @op(repeatable=True)
    def listdir(self, caller: Caller, path: str | int = ".") -> tuple[str, ...]:
        """The names in a directory, in no order. ENOTDIR, EACCES, EBADF; path errors.

        It is all of them at one moment: names that come and go later don't confuse it.
        """
        inode = self._listed(caller, path)
        names = inode.names or self._volume.directories.names(inode)
        if not 0.0 <= self._time() - inode.atime < 1.0:
            self._accessed(inode)
        if names.listed is None:
            names.listed = tuple(names.inodes)
        return names.listed

    @op(repeatable=True)
    def scandir(self, caller: Caller, path: str | int = ".") -> tuple[DirEntry, ...]:
        """The names in a directory with what they name, all at one moment. Errors of `listdir`."""
        inode = self._listed(caller, path)
        return self._entries(inode, self._volume.directories.order(inode))

    @op(repeatable=True)
    def readdir(
        self, caller: Caller, fd: int, offset: int = 0, count: int = _AT_ONCE
    ) -> tuple[DirEntry, ...]:
        """Up to `count` entries of an open directory from `offset` on; none at the end.

        `offset` is 0 or the `d_off` of the last entry read. Whatever is added or removed between
        two calls, a name that is there all the time is told once. EBADF, ENOTDIR, EINVAL.
        """
        file = self._used(caller, fd)
        inode = file.inode
        if inode.kind != S_IFDIR:
            raise fail(errno.ENOTDIR)
        if offset < 0 or count < 1:
            raise fail(errno.EINVAL)
        order = self._volume.directories.order(inode)
        slots = self._volume.directories.names(inode).slots
        start = bisect_left(order, offset, key=slots.__getitem__)
        return self._entries(inode, order[start : start + count])

    def _listed(self, caller: Caller, path: str | int) -> Inode:
        inode = self._find(self._settled(caller), path)
        if inode.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, name_of(path))
        if isinstance(path, str):  # or else it was asked when the directory was opened
            require(inode, caller, READ, path)
        return inode

    def _entries(self, directory: Inode, chosen: list[str]) -> tuple[DirEntry, ...]:
        """These names of the directory."""
        names = self._volume.directories.names(directory)
        self._accessed(directory)
        inodes, slots = names.inodes, names.slots
        return tuple(
            [
                DirEntry(name, inodes[name], self._kind(inodes[name]), slots[name] + 1)
                for name in chosen
            ]
        )

    def _kind(self, number: int) -> int:
        """What an entry names; 0 where that can't be read: the other entries still can."""
        try:
            return self._volume.table.get(number).kind
        except OSError:
            return 0
