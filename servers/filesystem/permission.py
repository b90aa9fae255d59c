"""Who may do what: POSIX permission bits, the sticky bit, the superuser."""

import errno
from stat import S_IFDIR, S_ISGID, S_ISUID, S_ISVTX, S_IXGRP
from typing import Final

from servers.filesystem.inode import Inode
from servers.filesystem.layout import MAX_ID
from twinos import Caller, fail

READ: Final = 4
WRITE: Final = 2
SEARCH: Final = 1
"""Of a directory, to look names up in it; of a file, to execute it."""
SET_ID: Final = S_ISUID | S_ISGID


def permits(inode: Inode, who: Caller, wanted: int) -> bool:
    """Whether `who` may do all of `wanted` with the file."""
    mode = inode.mode
    if not who.uid:
        return not wanted & SEARCH or inode.kind == S_IFDIR or bool(mode & 0o111)
    if who.uid == inode.uid:
        mode >>= 6
    elif in_group(inode.gid, who):
        mode >>= 3
    return mode & wanted == wanted


def require(inode: Inode, who: Caller, wanted: int, path: str | None = None) -> None:
    """EACCES unless `who` may do all of `wanted`."""
    if who.uid and not permits(inode, who, wanted):
        raise fail(errno.EACCES, path)


def in_group(gid: int, who: Caller) -> bool:
    """Whether `who` is in the group."""
    return gid == who.gid or gid in who.groups


def owns(inode: Inode, who: Caller) -> bool:
    """Whether `who` may change the file's attributes."""
    return not who.uid or who.uid == inode.uid


def require_removable(directory: Inode, inode: Inode, who: Caller, path: str | None = None) -> None:
    """EACCES or EPERM unless `who` may take the file's name out of the directory."""
    require(directory, who, WRITE | SEARCH, path)
    if directory.mode & S_ISVTX and not owns(inode, who) and not owns(directory, who):
        raise fail(errno.EPERM, path)


def check_id(number: int) -> int:
    """EINVAL for a user or group that the format has no room for."""
    if not 0 <= number <= MAX_ID:
        raise fail(errno.EINVAL)
    return number


def ownership(parent: Inode, who: Caller, mode: int) -> tuple[int, int, int]:
    """The mode, user and group of a new file: a set-group-id directory hands its group down.

    EOVERFLOW for a caller that the format has no room for.
    """
    if not (0 <= who.uid <= MAX_ID and 0 <= who.gid <= MAX_ID):
        raise fail(errno.EOVERFLOW)
    if not parent.mode & S_ISGID:
        return mode, who.uid, who.gid
    if mode & S_IFDIR == S_IFDIR:
        mode |= S_ISGID
    elif mode & S_ISGID and mode & S_IXGRP and who.uid and not in_group(parent.gid, who):
        mode &= ~S_ISGID
    return mode, who.uid, parent.gid


def without_set_id(mode: int) -> int:
    """The mode after a write by somebody else than the superuser."""
    mode &= ~S_ISUID
    return mode & ~S_ISGID if mode & S_IXGRP else mode
