"""Operations on what a file is, rather than on its content or its name."""

import errno
import math
from stat import S_IFDIR, S_IFLNK, S_IFREG, S_ISGID
from typing import Final

from servers.filesystem.inode import Inode
from servers.filesystem.layout import MAX_TIME
from servers.filesystem.permission import (
    WRITE,
    check_id,
    in_group,
    owns,
    permits,
    require,
    without_set_id,
)
from servers.filesystem.results import Stat
from servers.filesystem.state import State, name_of
from twinos import Caller, fail, op

_UNCHANGED = -1
_NS = 1_000_000_000
_KEPT_ON_DISK: Final = frozenset([S_IFREG, S_IFDIR, S_IFLNK])
"""What can't be written on a disk that is only read; a device or FIFO leads elsewhere."""


class AttributeOperations(State):
    """Operations on inodes.

    Where a `path` may be a number it is a descriptor; with `dir_fd` a relative path begins in that
    open directory. Errors of both are EBADF and ENOTDIR; EINVAL for a descriptor with `dir_fd` or
    `follow_symlinks`, which are about paths.
    """

    @op(repeatable=True)
    def stat(
        self,
        caller: Caller,
        path: str | int,
        *,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> Stat:
        """What is known of a file. ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EINVAL."""
        context = self._asking if caller is self._asker else self._context(caller)
        if dir_fd is None and follow_symlinks and type(path) is str:  # nearly always
            inode = self._walker.find(context, path)
        else:
            inode = self._find(context, path, dir_fd, follow=follow_symlinks, fully=False)
        return inode.stat or self._volume.stat(inode)

    @op(repeatable=True)
    def lstat(self, caller: Caller, path: str, *, dir_fd: int | None = None) -> Stat:
        """`stat` of a symbolic link itself."""
        inode = self._find(self._context(caller), path, dir_fd, follow=False)
        return inode.stat or self._volume.stat(inode)

    @op(repeatable=True)
    def fstat(self, caller: Caller, fd: int) -> Stat:
        """What `stat` says of an open file. EBADF."""
        inode = self._file(caller, fd).inode
        return inode.stat or self._volume.stat(inode)

    @op(repeatable=True)
    def access(
        self,
        caller: Caller,
        path: str,
        mode: int,
        *,
        dir_fd: int | None = None,
        effective_ids: bool = False,
        follow_symlinks: bool = True,
    ) -> bool:
        """Whether the caller may do what `mode` asks: os.F_OK, or os.R_OK | os.W_OK | os.X_OK.

        A caller has one user id, real and effective: `effective_ids` changes nothing.
        """
        del effective_ids
        try:
            inode = self._find(self._context(caller), path, dir_fd, follow=follow_symlinks)
        except OSError:
            return False
        if mode & WRITE and self._read_only and inode.kind in _KEPT_ON_DISK:
            return False
        return 0 <= mode <= 7 and permits(inode, caller, mode)

    @op
    def chmod(
        self,
        caller: Caller,
        path: str | int,
        mode: int,
        *,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set a file's permission bits. EPERM unless the caller owns it; path errors.

        EOPNOTSUPP for a symbolic link itself: it has none.
        """
        inode = self._find(self._changing(caller, path), path, dir_fd, follow=follow_symlinks)
        if inode.kind == S_IFLNK:
            raise fail(errno.EOPNOTSUPP, name_of(path))
        set_mode(inode, caller, mode, name_of(path))
        self._attributes_changed(inode)

    @op
    def chown(
        self,
        caller: Caller,
        path: str | int,
        uid: int,
        gid: int,
        *,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set a file's user and group; -1 leaves one as it is. EPERM, EINVAL; path errors."""
        inode = self._find(self._changing(caller, path), path, dir_fd, follow=follow_symlinks)
        set_owner(inode, caller, uid, gid, name_of(path))
        self._attributes_changed(inode)

    @op
    def lchown(self, caller: Caller, path: str, uid: int, gid: int) -> None:
        """`chown` of a symbolic link itself."""
        inode = self._walker.find_at(self._changing(caller, path), path, follow=False)
        set_owner(inode, caller, uid, gid, path)
        self._attributes_changed(inode)

    @op
    def fchmod(self, caller: Caller, fd: int, mode: int) -> None:
        """`chmod` of an open file. EBADF, EPERM."""
        inode = self._used(caller, fd).inode
        self._changing(caller, fd)
        set_mode(inode, caller, mode)
        self._attributes_changed(inode)

    @op
    def fchown(self, caller: Caller, fd: int, uid: int, gid: int) -> None:
        """`chown` of an open file. EBADF, EPERM, EINVAL."""
        inode = self._used(caller, fd).inode
        self._changing(caller, fd)
        set_owner(inode, caller, uid, gid)
        self._attributes_changed(inode)

    @op
    def utime(
        self,
        caller: Caller,
        path: str | int,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set the times of access and change, in seconds or nanoseconds; without either, to now.

        The format keeps whole seconds from 1970 to 2106: others become the nearest that it has.
        EINVAL for both forms at once, EPERM, EACCES; path errors.
        """
        if times is not None and ns is not None:
            raise fail(errno.EINVAL, name_of(path))
        inode = self._find(self._changing(caller, path), path, dir_fd, follow=follow_symlinks)
        if not owns(inode, caller):
            if times is not None or ns is not None:
                raise fail(errno.EPERM, name_of(path))
            require(inode, caller, WRITE, name_of(path))
        inode.atime, inode.mtime = self._times(times, ns)
        self._attributes_changed(inode)

    @op
    def truncate(self, caller: Caller, path: str | int, length: int) -> None:
        """Give a file this size; what is new reads as zeros. EISDIR, EINVAL, EFBIG; path errors."""
        if not isinstance(path, str):
            self._cut(caller, path, length)
            return
        if length < 0:
            raise fail(errno.EINVAL, path)
        inode = self._walker.find(self._changing(caller, path), path)
        if inode.kind == S_IFDIR:
            raise fail(errno.EISDIR, path)
        if inode.kind != S_IFREG:
            raise fail(errno.EINVAL, path)
        require(inode, caller, WRITE, path)
        self._resize(caller, inode, length, path)

    @op
    def ftruncate(self, caller: Caller, fd: int, length: int) -> None:
        """Give an open file this size; what is new reads as zeros. EBADF, EINVAL, EFBIG."""
        self._cut(caller, fd, length)

    def _cut(self, caller: Caller, fd: int, length: int) -> None:
        if length < 0:
            raise fail(errno.EINVAL)
        file = self._used(caller, fd)
        if not file.access.write:
            raise fail(errno.EINVAL)
        self._settled(caller)
        self._resize(caller, file.inode, length)

    def _times(
        self, times: tuple[float, float] | None, ns: tuple[int, int] | None
    ) -> tuple[int, int]:
        if ns is not None:
            return _clamped(ns[0] // _NS), _clamped(ns[1] // _NS)
        if times is None:
            return self._now(), self._now()
        if not (math.isfinite(times[0]) and math.isfinite(times[1])):
            raise fail(errno.EINVAL)
        return _clamped(math.floor(times[0])), _clamped(math.floor(times[1]))


def set_mode(inode: Inode, who: Caller, mode: int, path: str | None = None) -> None:
    """Set permission bits. EPERM unless `who` owns the file."""
    if not owns(inode, who):
        raise fail(errno.EPERM, path)
    mode &= 0o7777
    if who.uid and not in_group(inode.gid, who):
        mode &= ~S_ISGID
    inode.mode = inode.kind | mode


def set_owner(inode: Inode, who: Caller, uid: int, gid: int, path: str | None = None) -> None:
    """Set user and group; -1 leaves one as it is. EPERM, EINVAL.

    Only the superuser gives files away; an owner may choose among the own groups.
    """
    new_uid = inode.uid if uid == _UNCHANGED else check_id(uid)
    new_gid = inode.gid if gid == _UNCHANGED else check_id(gid)
    if who.uid:
        mine = who.uid == inode.uid
        if uid != _UNCHANGED and not (mine and new_uid == inode.uid):
            raise fail(errno.EPERM, path)
        if gid != _UNCHANGED and not (mine and (new_gid == inode.gid or in_group(new_gid, who))):
            raise fail(errno.EPERM, path)
    if inode.kind != S_IFDIR:
        inode.mode = without_set_id(inode.mode)
        if inode.mode & S_ISGID and who.uid and not in_group(inode.gid, who):
            inode.mode &= ~S_ISGID
    inode.uid, inode.gid = new_uid, new_gid


def _clamped(seconds: int) -> int:
    return min(max(seconds, 0), MAX_TIME)
